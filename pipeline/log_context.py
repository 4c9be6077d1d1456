"""Run, day and step on every log line, and the formats of the command line's log.

The words are kept where structlog keeps them, as Airflow's own logging reads them there: what is
bound here is in the lines of its tasks too, beside Airflow's names of task and try.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Literal

import structlog
from structlog.contextvars import bound_contextvars, get_contextvars, merge_contextvars

from pipeline.text import OneLineFormatter

LogFormat = Literal["text", "json"]

_WORDS = ("run_id", "market_date", "step")


@contextmanager
def log_context(run_id: str, market_date: date, step: str | None = None) -> Iterator[None]:
    """Put a run, its day and its step on every log line of the block."""
    words = {"run_id": run_id, "market_date": market_date.isoformat()}
    with bound_contextvars(**words, **({} if step is None else {"step": step})):
        yield


class _ContextFilter(logging.Filter):
    """Adds ``context``: what is known of the run, or nothing."""

    def filter(self, record: logging.LogRecord) -> bool:
        known = get_contextvars()
        words = " ".join(f"{name}={known[name]}" for name in _WORDS if name in known)
        record.context = f" [{words}]" if words else ""
        return True


def make_handler(log_format: LogFormat) -> logging.Handler:
    """Return a handler that writes to stderr: lines of text, or an object of JSON a line."""
    handler = logging.StreamHandler()
    if log_format == "json":
        handler.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=[
                    merge_contextvars,
                    structlog.stdlib.add_log_level,
                    structlog.stdlib.add_logger_name,
                    structlog.processors.TimeStamper(fmt="iso", utc=True),
                ],
                processors=[
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    structlog.processors.JSONRenderer(),
                ],
            )
        )
        return handler
    handler.addFilter(_ContextFilter())
    handler.setFormatter(
        OneLineFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s%(context)s")
    )
    return handler
