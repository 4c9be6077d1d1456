"""What Airflow calls when a run of the nightly DAG passes its deadline."""

from __future__ import annotations


def tell_late_night() -> None:
    """Mail that the night is late."""
    from pipeline.alerts.deadman import compose_late_night
    from pipeline.alerts.delivery import deliver
    from pipeline.settings import load_settings

    settings = load_settings()
    compose_late_night(settings)
    deliver(settings)
