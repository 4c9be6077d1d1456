"""How fast and how often a vendor is asked: one budget for all processes of a home.

A token bucket in its shortest form: a file holds the time at which the bucket is full again,
and every call moves it on by one interval. A caller takes its turn under the lock and waits
for it outside.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pipeline.errors import RateLimitedError
from pipeline.sources.shared_state import locked_state, number_of, read_state
from pipeline.sources.vendors import Vendor

BURST_SECONDS = 5.0
"""Calls that would come in this time may be made at once."""

MAX_AHEAD_SECONDS = 600.0
"""A turn further away than this comes from a clock that was set back, and is forgotten."""


class Pacer:
    """The call budget of one vendor in one home."""

    def __init__(
        self,
        state_dir: Path,
        vendor: Vendor,
        pace: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Use the budget that lies under ``state_dir``.

        Args:
            state_dir: ``Settings.state_dir``.
            vendor: Whose budget.
            pace: Part of the budget that is used; above 0.
            clock: Seconds since 1970, the same for all processes: never a pretended time, as
                vendors count in real minutes and months.
        """
        self._path = state_dir / "pacing" / f"{vendor.name}.json"
        self._vendor = vendor
        self._clock = clock
        self._interval_seconds = 60.0 / (vendor.calls_per_minute * pace)
        self._burst = max(1, int(BURST_SECONDS / self._interval_seconds))
        limit = vendor.calls_per_month
        self.calls_per_month = None if limit is None else max(1, round(limit * pace))

    def reserve(self) -> float:
        """Take the next turn and count the call, whatever will become of it.

        Returns:
            Seconds to wait before the call may be made.

        Raises:
            RateLimitedError: The month's budget is used up; nothing was counted.
        """
        with locked_state(self._path) as state:
            now = self._clock()
            month = _month(now)
            calls = int(number_of(state, "calls")) if state.get("month") == month else 0
            if self.calls_per_month is not None and calls >= self.calls_per_month:
                raise RateLimitedError(
                    f"{self._vendor.name}: the budget of {self.calls_per_month:,} calls for "
                    f"{month} is used up, so it is not asked until the month is over; "
                    "calls_per_month in pipeline/sources/vendors.py is the limit"
                )
            full_at = self._full_at(number_of(state, "full_at"), now)
            state["full_at"] = full_at + self._interval_seconds
            state["month"], state["calls"] = month, calls + 1
            return max(0.0, full_at - self._slack_seconds - now)

    def hold(self, seconds: float) -> None:
        """Give nobody a turn for that long, as the vendor asked for a pause."""
        with locked_state(self._path) as state:
            now = self._clock()
            until = now + min(seconds, MAX_AHEAD_SECONDS) + self._slack_seconds
            state["full_at"] = max(self._full_at(number_of(state, "full_at"), now), until)

    def calls_this_month(self) -> int:
        """Return how many calls were counted in this calendar month (UTC)."""
        state = read_state(self._path)
        is_current = state.get("month") == _month(self._clock())
        return int(number_of(state, "calls")) if is_current else 0

    @property
    def _slack_seconds(self) -> float:
        return (self._burst - 1) * self._interval_seconds

    def _full_at(self, stored: float, now: float) -> float:
        most = MAX_AHEAD_SECONDS + self._slack_seconds + self._interval_seconds
        is_plausible = stored <= now + most
        return max(stored, now) if is_plausible else now


def _month(now: float) -> str:
    return f"{datetime.fromtimestamp(now, UTC):%Y-%m}"
