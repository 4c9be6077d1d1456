"""The retry table: what an answer other than 200 means, and what to do about it.

===========================================  ======================================================
408, 500, 502, 503, 504, 520 to 524          try again after a growing pause with jitter
429                                          wait what it says, then try again
429 that asks for longer than the cap        give up, leave the vendor alone for that long
429 of CoinMarketCap, code 1009 or 1010      the day's or month's quota: give up, leave it alone
418                                          a ban: give up, leave it alone until ``Retry-After``
402, 403, 451, where they are of the host    give up, leave it alone for hours
402, 403 of one file (``Vendor``), 401, 404  give up; the next call may be answered
3xx and all others                           give up
===========================================  ======================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pipeline.errors import RateLimitedError
from pipeline.sources.transfer import AttemptError, HttpStatusError
from pipeline.sources.vendors import HOST_REFUSALS, Vendor
from pipeline.sources.wire import retry_after_seconds

RETRIED_STATUSES = frozenset({408, 500, 502, 503, 504, *range(520, 525)})
FINAL_STATUSES = frozenset({400, 401, 402, 403, 405, 406, 410, 418, 422, 451, *range(300, 400)})
"""Statuses that another try of the whole task does not change either; a file may yet appear."""

BLOCK_SECONDS = 6 * 3600.0
BAN_SECONDS = 2 * 3600.0
QUOTA_SECONDS = 20 * 3600.0
TOO_FREQUENT_SECONDS = 900.0
MINUTE_LIMIT_SECONDS = 60.0

_ADVICE = {
    401: "the key is missing or refused, check it",
    402: "the plan does not cover this, use another source",
    403: "the vendor refuses this address or this file, use another network or source",
    404: "there is no such file or path, check the source's URL",
    418: "the vendor has banned this address for a while, do not ask again soon",
    451: "the vendor does not serve this country, use another source",
}
_ERROR_CODE = re.compile(r'"error_code"\s*:\s*"?([0-9]{1,6})')
_QUOTA_CODES = frozenset({"1009", "1010"})
_TOO_FREQUENT = re.compile(r"too\s+frequent", re.IGNORECASE)


@dataclass(frozen=True)
class Answer:
    """An answer other than 200; ``headers`` and ``said`` hold no secret.

    Args:
        what: Host and path, for messages.
        status: Its status.
        headers: Response headers, names in lower case.
        said: The start of its body.
        moved_to: Where it points to; of redirects only.
    """

    what: str
    status: int
    headers: Mapping[str, str]
    said: str
    moved_to: str = ""


def judge(
    answer: Answer, vendor: Vendor | None, now: datetime, longest_wait_seconds: float
) -> AttemptError:
    """Return what the table says of an answer.

    Args:
        answer: The answer.
        vendor: Who gave it, where that is known.
        now: Stands in for a ``Date`` that the answer does not have.
        longest_wait_seconds: A longer pause is not waited for.
    """
    asked = retry_after_seconds(answer.headers, now)
    if answer.status == 429:
        return _limited(answer, vendor, asked, longest_wait_seconds)
    if 300 <= answer.status < 400:
        message = (
            f"{answer.what}: HTTP {answer.status}, moved to {answer.moved_to}; if that is right, "
            "change the source's URL in the settings"
        )
        return AttemptError(HttpStatusError(message, answer.status))
    advice = _ADVICE.get(answer.status, "try again later")
    error = HttpStatusError(
        f"{answer.what}: HTTP {answer.status}, {advice}. It said {answer.said}", answer.status
    )
    if answer.status in RETRIED_STATUSES:
        if asked is not None and asked > longest_wait_seconds:
            return AttemptError(error, cool_seconds=asked)
        return AttemptError(error, is_retried=True, wait_seconds=asked)
    refusals = HOST_REFUSALS if vendor is None else vendor.host_refusals
    if answer.status not in refusals:
        return AttemptError(error)
    if answer.status == 418:
        return AttemptError(error, cool_seconds=BAN_SECONDS if asked is None else asked)
    if answer.status == 403 and _TOO_FREQUENT.search(answer.said):
        return AttemptError(error, cool_seconds=max(asked or 0.0, TOO_FREQUENT_SECONDS))
    return AttemptError(error, cool_seconds=max(asked or 0.0, BLOCK_SECONDS))


def _limited(
    answer: Answer, vendor: Vendor | None, asked: float | None, longest_wait_seconds: float
) -> AttemptError:
    code = _ERROR_CODE.search(answer.said)
    if vendor is not None and vendor.name == "coinmarketcap" and code is not None:
        if code[1] in _QUOTA_CODES:
            error = RateLimitedError(
                f"{answer.what}: HTTP 429, code {code[1]}, the quota of the day or the month is "
                f"used up; use another source. It said {answer.said}"
            )
            return AttemptError(error, cool_seconds=max(asked or 0.0, QUOTA_SECONDS))
        asked = MINUTE_LIMIT_SECONDS if asked is None else asked
    wish = "wait" if asked is None else f"wait {asked:.0f} s"
    error = RateLimitedError(
        f"{answer.what}: HTTP 429, asks to {wish}; run again later, or set a key for a higher "
        f"limit. It said {answer.said}"
    )
    if asked is not None and asked > longest_wait_seconds:
        return AttemptError(error, cool_seconds=asked)
    return AttemptError(error, is_retried=True, wait_seconds=asked)
