"""Leaving a vendor alone that has refused us: one memory for all processes of a home.

It opens at once on a ban or a block and after ``FAILURES_ALLOWED`` failures in a row. While it
is open nobody asks. Then one caller may try once: an answer closes it, anything else opens it
for longer.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.sources.shared_state import locked_state, number_of, read_state
from pipeline.sources.transfer import HttpStatusError

logger = logging.getLogger(__name__)

FAILURES_ALLOWED = 5
FAILURE_COOL_SECONDS = 900.0
TRIAL_SECONDS = 120.0
GROWN_COOL_SECONDS = 20 * 3600.0
"""A pause grows no longer than this, so that every night tries once."""

LONGEST_COOL_SECONDS = 3 * 86_400.0
"""Longest pause that a vendor's own word may bring, and the longest ban that is known."""

_REASON_CHARACTERS = 300


@dataclass(frozen=True)
class Opening:
    """Why and until when (UTC) a vendor is left alone."""

    until: datetime
    reason: str


class Circuit:
    """The circuit breaker of one vendor in one home."""

    def __init__(
        self, state_dir: Path, vendor: str, clock: Callable[[], float] = time.time
    ) -> None:
        """Use the memory that lies under ``state_dir``.

        Args:
            state_dir: ``Settings.state_dir``.
            vendor: Name of the vendor.
            clock: Seconds since 1970 in real time, as a ban knows no pretended one.
        """
        self._path = state_dir / "circuit" / f"{vendor}.json"
        self._vendor = vendor
        self._clock = clock

    def check(self) -> bool:
        """Return whether the next call is the one trial after a pause.

        Raises:
            HttpStatusError: It is open because of a status.
            SourceError: It is open because of failures, or another process is trying.
        """
        if not self._path.exists():
            return False
        with locked_state(self._path) as state:
            now, until = self._clock(), number_of(state, "until")
            if not until:
                return False
            # Further away than any pause: the clock was set back.
            if now < until <= now + LONGEST_COOL_SECONDS:
                raise self._refusal(until, state.get("reason"), state.get("status"))
            trial_until = number_of(state, "trial_until")
            if now < trial_until <= now + TRIAL_SECONDS:
                raise self._refusal(trial_until, "another process is trying it", None)
            state["trial_until"] = now + TRIAL_SECONDS
            return True

    def answered(self) -> None:
        """Remember that the vendor answers, which ends every pause and every count."""
        if self._path.exists():
            with locked_state(self._path) as state:
                state.clear()

    def failed(self, reason: str) -> None:
        """Count a call that failed after all its tries; one too many opens the circuit."""
        with locked_state(self._path) as state:
            failures = int(number_of(state, "failures")) + 1
            state["failures"] = failures
            is_trial = bool(number_of(state, "until"))
        if is_trial or failures >= FAILURES_ALLOWED:
            self.open(f"{failures} calls in a row failed, the last: {reason}", FAILURE_COOL_SECONDS)

    def open(self, reason: str, seconds: float, status: int | None = None) -> None:
        """Leave the vendor alone for ``seconds``, or longer if it was open before."""
        with locked_state(self._path) as state:
            now = self._clock()
            grown = min(2 * number_of(state, "cool_seconds"), GROWN_COOL_SECONDS)
            cool_seconds = min(max(seconds, grown), LONGEST_COOL_SECONDS)
            state.update(
                until=now + cool_seconds,
                cool_seconds=cool_seconds,
                reason=reason[:_REASON_CHARACTERS],
                status=status,
                trial_until=0,
            )
        logger.warning("%s is left alone for %.0f s: %s", self._vendor, cool_seconds, reason)

    def clear(self) -> bool:
        """Forget everything, so that the next call is made; return whether it was open."""
        with locked_state(self._path) as state:
            was_open = bool(number_of(state, "until"))
            state.clear()
        return was_open

    def opening(self) -> Opening | None:
        """Return why and until when nobody asks, or None when the vendor may be asked."""
        state = read_state(self._path)
        until = number_of(state, "until")
        now = self._clock()
        if not now < until <= now + LONGEST_COOL_SECONDS:
            return None
        return Opening(datetime.fromtimestamp(until, UTC), str(state.get("reason")))

    def _refusal(self, until: float, reason: object, status: object) -> SourceError:
        message = (
            f"{self._vendor} is left alone until "
            f"{datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M:%S} UTC: {reason}. "
            f"`tidemark vendors --reopen {self._vendor}` asks again at once"
        )
        return HttpStatusError(message, status) if isinstance(status, int) else SourceError(message)
