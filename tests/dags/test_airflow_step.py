"""How a task of any DAG runs a step: which errors end it, and which its retries may mend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from pipeline.airflow_step import run_step
from pipeline.errors import (
    AuditError,
    BlockedNightError,
    LockedError,
    NotYetAvailableError,
    PayloadError,
    RateLimitedError,
    SourceError,
    UnobtainableError,
)
from pipeline.sources.http import HttpStatusError


@pytest.mark.parametrize(
    "error",
    [
        AuditError("the reason"),
        BlockedNightError("the reason"),
        PayloadError("the reason"),
        UnobtainableError("the reason"),
        HttpStatusError("the reason", 403),
        HttpStatusError("the reason", 418),
        HttpStatusError("the reason", 451),
    ],
    ids=repr,
)
def test_an_error_that_no_retry_mends_ends_the_task_at_once(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr("pipeline.steps.build", raiser(error))
    with pytest.raises(AirflowFailException, match="the reason"):
        run_step("build")


@pytest.mark.parametrize(
    "error",
    [
        SourceError("no answer"),
        NotYetAvailableError("not yet"),
        RateLimitedError("later"),
        HttpStatusError("down", 503),
        LockedError("another run"),
        OSError("the disk"),
    ],
    ids=repr,
)
def test_an_error_that_passes_leaves_the_task_to_its_retries(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr("pipeline.steps.extract", raiser(error))
    with pytest.raises(type(error), match=str(error)):
        run_step("extract")


def test_a_wrong_setting_ends_the_task_at_once_and_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TIDEMARK_BUILDS_KEPT", "one")
    with pytest.raises(AirflowFailException, match="TIDEMARK_BUILDS_KEPT"):
        run_step("build")


def raiser(error: Exception) -> Callable[..., Any]:
    def fail(*_arguments: object, **_options: object) -> Any:
        raise error

    return fail
