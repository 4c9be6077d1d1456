"""The Airflow plug-in: makes the pools which are missing, and names the deadline of a night.

Airflow never starts a task whose pool is not there, and says so only in the scheduler's log.
So whoever has installed this package beside Airflow has the pools: the plug-in is found by its
entry point and makes them whenever the scheduler starts. Every task loads it too, so it
imports next to nothing.
"""

from __future__ import annotations

import logging

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

from pipeline.airflow_deadline import RunQueuedDeadline

logger = logging.getLogger(__name__)


def make_missing_pools() -> list[str]:
    """Make the pools that Airflow does not have; one that it has keeps its size.

    Returns:
        The names of those that were made.
    """
    from airflow.models.pool import Pool

    from pipeline.pools import list_pools

    known = {str(pool.pool) for pool in Pool.get_pools()}
    missing = {name: size for name, size in list_pools().items() if name not in known}
    for name, size in missing.items():
        Pool.create_or_update_pool(name, size.slots, size.description, include_deferred=False)
    return list(missing)


class PoolMaker:
    """Listens for the start of Airflow's own parts, which may write to its database."""

    @hookimpl
    def on_starting(self, component: object) -> None:
        """Make the missing pools when a scheduler starts; a task must not and need not."""
        if type(component).__module__.startswith("airflow.jobs."):
            made = make_missing_pools()
            if made:
                logger.info("made the pools %s", ", ".join(made))


class TidemarkPlugin(AirflowPlugin):
    """What Tidemark adds to an Airflow that it is installed beside."""

    name = "tidemark"
    listeners = [PoolMaker()]
    deadline_references = [RunQueuedDeadline]
