"""The Airflow pools that the DAGs name. Cheap to import: a DAG does."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.sources.registry import nightly_feeds_by_vendor

BACKFILL_POOL = "tidemark_backfill"
BACKFILL_SLOTS = 2


class PoolSize(NamedTuple):
    """How many tasks run in a pool at one time, and what it is for."""

    slots: int
    description: str


def list_pools() -> dict[str, PoolSize]:
    """Return the pools by name: one per host of the night, and one for past days.

    Past days have their own, as one feed of them may take hours: in its host's pool, the night
    would wait for it. What a host is asked in all is bounded by its call budget.
    """
    pools = {
        vendor.pool: PoolSize(vendor.pool_slots, f"Tidemark: tasks that ask {vendor.base_url}")
        for vendor in nightly_feeds_by_vendor(reading=False)
    }
    pools[BACKFILL_POOL] = PoolSize(BACKFILL_SLOTS, "Tidemark: feeds whose past days are fetched")
    return pools
