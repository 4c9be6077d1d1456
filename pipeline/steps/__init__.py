"""The night, one function per task. Airflow and the command line call the same ones.

::

    extract -> validate_and_load     once per feed
    build -> audit -> publish        once per night
    compose_alerts -> deliver_alerts always

Each takes and returns plain dictionaries, so that they travel through Airflow as they are.
"""

from __future__ import annotations

from pipeline.steps.building import audit, build
from pipeline.steps.extracting import choose_feeds, extract
from pipeline.steps.finality import is_final
from pipeline.steps.night import refresh
from pipeline.steps.past import backfill, catch_up, replay
from pipeline.steps.publishing import publish, report
from pipeline.steps.telling import (
    compose_alerts,
    deliver_alerts,
    do_chore,
    failures,
    fallbacks,
    notify,
    watch_nights,
    watch_upkeep,
)
from pipeline.steps.validating import validate_and_load

__all__ = [
    "audit",
    "backfill",
    "build",
    "catch_up",
    "choose_feeds",
    "compose_alerts",
    "deliver_alerts",
    "do_chore",
    "extract",
    "failures",
    "fallbacks",
    "is_final",
    "notify",
    "publish",
    "refresh",
    "replay",
    "report",
    "validate_and_load",
    "watch_nights",
    "watch_upkeep",
]
