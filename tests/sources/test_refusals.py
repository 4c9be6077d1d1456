"""The retry table, row by row."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.errors import RateLimitedError
from pipeline.sources.refusals import (
    BAN_SECONDS,
    BLOCK_SECONDS,
    FINAL_STATUSES,
    MINUTE_LIMIT_SECONDS,
    QUOTA_SECONDS,
    RETRIED_STATUSES,
    TOO_FREQUENT_SECONDS,
    Answer,
    judge,
)
from pipeline.sources.transfer import AttemptError, HttpStatusError
from pipeline.sources.vendors import BANS, VENDORS, get_vendor

NOW = datetime(2026, 1, 2, 1, 10, tzinfo=UTC)
CAP_SECONDS = 180.0


def judged(status: int, vendor: str = "binance_futures", **overrides: Any) -> AttemptError:
    fields: dict[str, Any] = {"what": "h.example/p", "headers": {}, "said": "'no'"} | overrides
    return judge(Answer(status=status, **fields), get_vendor(vendor), NOW, CAP_SECONDS)


def verdict(failure: AttemptError) -> tuple[bool, float | None, float | None]:
    return failure.is_retried, failure.wait_seconds, failure.cool_seconds


@pytest.mark.parametrize("status", sorted(RETRIED_STATUSES))
def test_a_passing_failure_is_tried_again(status: int) -> None:
    assert verdict(judged(status)) == (True, None, None)
    assert verdict(judged(status, headers={"retry-after": "7"})) == (True, 7, None)


@pytest.mark.parametrize(
    ("headers", "wait_seconds"),
    [
        ({}, None),
        ({"retry-after": "30"}, 30),
        ({"retry-after": "12.3"}, 12.3),
        ({"retry-after": "Fri, 02 Jan 2026 01:12:00 GMT"}, 120),
        ({"x-ratelimit-reset": "6"}, 6),
        ({"x-ratelimit-reset": str(int(NOW.timestamp()) + 9)}, 9),
        ({"retry-after": "180"}, 180),
    ],
)
def test_a_429_waits_what_it_says(headers: dict[str, str], wait_seconds: float | None) -> None:
    assert verdict(judged(429, headers=headers)) == (True, wait_seconds, None)


@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_beyond_the_cap_ends_the_try_and_the_vendor_is_left_alone(status: int) -> None:
    assert verdict(judged(status, headers={"retry-after": "181"})) == (False, None, 181)


@pytest.mark.parametrize(
    ("vendor", "said", "expected"),
    [
        ("coinmarketcap", '{"status":{"error_code":1010}}', (False, None, QUOTA_SECONDS)),
        ("coinmarketcap", '{"status":{"error_code": "1009"}}', (False, None, QUOTA_SECONDS)),
        ("coinmarketcap", '{"status":{"error_code":1008}}', (True, MINUTE_LIMIT_SECONDS, None)),
        ("coinmarketcap", '{"status":{"error_code":1011}}', (True, MINUTE_LIMIT_SECONDS, None)),
        ("coinmarketcap", "slow down", (True, None, None)),
        ("coingecko", '{"status":{"error_code":1010}}', (True, None, None)),
    ],
)
def test_a_quota_of_coinmarketcap_is_not_waited_for(
    vendor: str, said: str, expected: tuple[bool, float | None, float | None]
) -> None:
    failure = judged(429, vendor, said=said)
    assert verdict(failure) == expected
    assert isinstance(failure.error, RateLimitedError)


@pytest.mark.parametrize("vendor", ["binance_futures", "binance_vision", "bybit"])
def test_a_ban_lasts_as_long_as_it_says(vendor: str) -> None:
    assert verdict(judged(418, vendor, headers={"retry-after": "259200"})) == (False, None, 259_200)
    assert verdict(judged(418, vendor)) == (False, None, BAN_SECONDS)


@pytest.mark.parametrize(
    ("vendor", "status"),
    [
        ("binance_futures", 451),
        ("binance_futures", 403),
        ("bybit", 403),
        ("coinpaprika", 402),
        ("coingecko", 403),
        ("binance_vision", 451),
    ],
)
def test_a_block_is_not_tried_again_and_the_vendor_is_left_alone(vendor: str, status: int) -> None:
    failure = judged(status, vendor)
    assert verdict(failure) == (False, None, BLOCK_SECONDS)
    assert isinstance(failure.error, HttpStatusError)
    assert failure.error.status == status
    assert status in FINAL_STATUSES


def test_bybit_wants_ten_minutes_of_silence_when_asked_too_often() -> None:
    failure = judged(403, "bybit", said="'403, access too frequent'")
    assert verdict(failure) == (False, None, TOO_FREQUENT_SECONDS)
    assert TOO_FREQUENT_SECONDS >= 600


@pytest.mark.parametrize(
    "vendor", sorted(name for name, vendor in VENDORS.items() if vendor.host_refusals == BANS)
)
def test_a_403_of_one_file_says_nothing_of_the_host(vendor: str) -> None:
    assert verdict(judged(403, vendor)) == (False, None, None)


@pytest.mark.parametrize("status", [400, 401, 404, 410, 204, 501])
def test_other_statuses_are_final_for_this_call_only(status: int) -> None:
    failure = judged(status)
    assert verdict(failure) == (False, None, None)
    assert f"HTTP {status}" in str(failure)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_named_and_not_followed(status: int) -> None:
    failure = judged(status, moved_to="elsewhere.example")
    assert verdict(failure) == (False, None, None)
    assert "moved to elsewhere.example;" in str(failure)


def test_without_a_vendor_the_common_statuses_count() -> None:
    failure = judge(Answer("h/p", 418, {}, "''"), None, NOW, CAP_SECONDS)
    assert verdict(failure) == (False, None, BAN_SECONDS)


def test_what_is_worth_another_try_is_never_final() -> None:
    assert not FINAL_STATUSES & (RETRIED_STATUSES | {404, 429})
