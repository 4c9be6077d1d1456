"""What the deadline of a night counts from. Cheap to import: the DAG and every task do.

Airflow 3.3 has a reference of its own for the instant at which a run was queued, but then works
the deadline out anew whenever tasks are cleared, and that calculation ends in an error: a night
with a deadline could not be cleared. A reference that Airflow does not know is left as it was.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk.definitions.deadline import BaseDeadlineReference


class RunQueuedDeadline(BaseDeadlineReference):
    """A deadline that counts from the instant at which the run was first queued."""

    required_kwargs = {"dag_id", "run_id"}

    def _evaluate_with(self, *, session: Any, dag_id: str, run_id: str) -> datetime | None:
        """Return the instant, or None when there is no such run."""
        from airflow.models.dagrun import DagRun
        from sqlalchemy import select

        queued_at: datetime | None = session.scalar(
            select(DagRun.queued_at).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
        )
        return queued_at
