"""Asking Great Expectations for verdicts. The only module that runs it."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd

from pipeline.quality.checks import Expectation

logger = logging.getLogger(__name__)

_RULE_KEY = "rule_id"
_ONE_AT_A_TIME = threading.Lock()
_COLLECTED: ContextVar[list[Any] | None] = ContextVar("collected", default=None)
_OWN_WARNINGS = r"great_expectations|marshmallow|pydantic|altair|jsonschema|tqdm"


@dataclass(frozen=True)
class Verdict:
    """What Great Expectations says of one expectation.

    ``bad_count`` and ``total_count`` are null for expectations on a whole table;
    ``observed`` is what those saw. ``error`` is set when it could not be evaluated.
    """

    is_passed: bool
    bad_count: int | None = None
    total_count: int | None = None
    observed: str | None = None
    error: str | None = None


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Great Expectations' own deprecations and log lines out of ours."""
    library_logger = logging.getLogger("great_expectations")
    level = library_logger.level
    library_logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", category=DeprecationWarning, module=rf"({_OWN_WARNINGS})(\.|$)"
            )
            warnings.filterwarnings(
                "ignore", category=FutureWarning, module=rf"({_OWN_WARNINGS})(\.|$)"
            )
            yield
    finally:
        library_logger.setLevel(level)


@contextmanager
def collecting_results() -> Iterator[list[Any]]:
    """Yield a list that gets every expectation's validation result while the block runs."""
    collected: list[Any] = []
    token = _COLLECTED.set(collected)
    try:
        yield collected
    finally:
        _COLLECTED.reset(token)


@cache
def _batch_definition() -> Any:
    """Return the one dataframe asset of this process; no files, no network."""
    import great_expectations
    from great_expectations.data_context.types.base import ProgressBarsConfig

    logging.getLogger(ProgressBarsConfig.__module__).setLevel(logging.NOTSET)
    context = great_expectations.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_pandas("frames")
    return source.add_dataframe_asset("measured").add_batch_definition_whole_dataframe("all")


def _first_error(exception_info: Mapping[str, Any]) -> str | None:
    """Return the message of an expectation that could not be evaluated, or None."""
    if "raised_exception" in exception_info:
        entries = [exception_info]
    else:
        entries = list(exception_info.values())
    for entry in entries:
        if entry.get("raised_exception"):
            return str(entry.get("exception_message") or "unknown error").splitlines()[0]
    return None


def _verdict(result: Any) -> Verdict:
    error = _first_error(result.exception_info or {})
    if error is not None:
        return Verdict(is_passed=False, error=error)
    details = result.result
    observed = details.get("observed_value")
    return Verdict(
        is_passed=bool(result.success),
        bad_count=details.get("unexpected_count"),
        total_count=details.get("element_count"),
        observed=None if observed is None else str(observed),
    )


def _release(definition: Any) -> None:
    """Let go of the judged frame, which the cached context would keep in memory."""
    definition.get_batch(batch_parameters={"dataframe": pd.DataFrame({"none": [0]})})


def _build(
    builders: Mapping[str, Callable[[], Expectation]],
) -> tuple[list[Expectation], dict[str, Verdict]]:
    """Make the expectations; one that cannot be made is an errored verdict already."""
    expectations = []
    failed = {}
    for rule_id, builder in builders.items():
        try:
            expectation = builder()
        except Exception as exc:
            logger.exception("the expectation of %s could not be made", rule_id)
            failed[rule_id] = Verdict(is_passed=False, error=f"{type(exc).__name__}: {exc}")
        else:
            expectation.meta = {_RULE_KEY: rule_id}
            expectations.append(expectation)
    return expectations, failed


def _validate(measured: pd.DataFrame, expectations: list[Expectation]) -> dict[str, Verdict]:
    from great_expectations import ExpectationSuite

    definition = _batch_definition()
    try:
        suite = ExpectationSuite(name="gate", expectations=expectations)
        batch = definition.get_batch(batch_parameters={"dataframe": measured})
        results = batch.validate(suite, result_format="BASIC").results
    except Exception as exc:
        logger.exception("Great Expectations failed on a suite of %d", len(expectations))
        error = Verdict(is_passed=False, error=f"{type(exc).__name__}: {exc}")
        return {expectation.meta[_RULE_KEY]: error for expectation in expectations}
    finally:
        _release(definition)
    collected = _COLLECTED.get()
    if collected is not None:
        collected.extend(results)
    return {result.expectation_config.meta[_RULE_KEY]: _verdict(result) for result in results}


def ask(
    measured: pd.DataFrame, builders: Mapping[str, Callable[[], Expectation]]
) -> dict[str, Verdict]:
    """Validate one frame against one suite in the BASIC result format: counts, no rows.

    Args:
        measured: The measured values, one column per rule.
        builders: What makes the expectation, by rule id.

    Returns:
        A verdict by rule id, one for every builder. What Great Expectations could not
        evaluate, or gave no answer for, is a verdict with an error.
    """
    if not builders:
        return {}
    with _ONE_AT_A_TIME, quiet():
        expectations, verdicts = _build(builders)
        if expectations:
            verdicts |= _validate(measured, expectations)
    unanswered = Verdict(is_passed=False, error="Great Expectations gave no answer")
    return {rule_id: verdicts.get(rule_id, unanswered) for rule_id in builders}
