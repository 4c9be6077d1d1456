"""How the tasks of every DAG run a step. Cheap to import: the DAGs do when they are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow.sdk.exceptions import AirflowFailException


@contextmanager
def end_at_once_when_final() -> Iterator[None]:
    """Leave an error to the task's retries, unless another try cannot mend it.

    Raises:
        AirflowFailException: In place of an error that ``steps.is_final``; the task fails at once.
    """
    from pipeline import steps
    from pipeline.errors import TidemarkError

    try:
        yield
    except TidemarkError as exc:
        if steps.is_final(exc):
            raise AirflowFailException(str(exc)) from exc
        raise


def run_step(name: str, *arguments: Any, **options: Any) -> Any:
    """Run one function of ``pipeline.steps`` with the settings of now.

    Args:
        name: The function's name; it is imported when it runs, not when the DAG is read.
        *arguments: What it takes after the settings.
        **options: What it takes by name.

    Returns:
        What the step returns.

    Raises:
        AirflowFailException: An error that another try cannot mend, a wrong setting included.
    """
    from pipeline import steps
    from pipeline.settings import load_settings

    with end_at_once_when_final():
        return getattr(steps, name)(load_settings(), *arguments, **options)
