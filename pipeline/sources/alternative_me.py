"""alternative.me: the crypto fear and greed index.

The stamp 00:00 D describes day D and is known when D opens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from pipeline.errors import PayloadError, SourceError
from pipeline.sources.base import Source, first_day, vendor_url
from pipeline.sources.payload import parse_json, shown, text_or_none
from pipeline.sources.shapes import missing_day

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.sources.http import HttpClient, HttpResponse

_NIGHTLY_ROWS = 30
_ALL_ROWS_FROM_DAYS = 365
_DAY_SECONDS = 86_400
_SCORE = re.compile(r"[0-9]{1,3}")
_STAMP = re.compile(r"[0-9]{9,10}")


class AlternativeMe(Source):
    """``/fng``: a score from 0 (extreme fear) to 100 (extreme greed) and its label."""

    name = "alternative_me"
    vendor = "alternative_me"
    dataset = "sentiment_daily"
    kind = "by_date"
    sends_all_since = True

    def fetch(
        self,
        client: HttpClient,
        settings: Settings,
        market_date: date,
        *,
        since: date | None = None,
    ) -> Iterator[tuple[str, HttpResponse]]:
        """Ask for as many of the latest days as reach back to the first one wanted.

        See ``Source.fetch``. A limit of 0 asks for the whole history.
        """
        days = (settings.now().date() - first_day(market_date, since)).days + 2
        limit = 0 if days > _ALL_ROWS_FROM_DAYS else max(days, _NIGHTLY_ROWS)
        yield (
            "fng",
            client.get(
                vendor_url(settings, self.vendor, "fng/"),
                params={"limit": str(limit), "format": "json"},
            ),
        )

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read the one body.

        Returns:
            One row per day; score 0 to 100, null where the vendor sends null.

        Raises:
            SourceError: The body carries the vendor's own error.
            PayloadError: Not the documented shape, a stamp that is not 00:00 UTC, a score
                outside 0 to 100, or a day twice with different scores.
            NotYetAvailableError: The day, and any later one, is missing.
            UnobtainableError: The day is missing though later ones are there: a gap.
        """
        if [name for name, _ in bodies] != ["fng"]:
            raise PayloadError("one body named fng is needed; fetch again")
        days: dict[date, tuple[float | None, str | None]] = {}
        for index, entry in enumerate(_entries(bodies[0][1]), start=1):
            day, score = _read_entry(entry, f"row {index}")
            if days.setdefault(day, score) != score:
                raise PayloadError(f"{day} comes twice with different scores; fetch again")
        if market_date not in days:
            raise missing_day(market_date, days)
        return [
            {"market_date": day, "source": self.name, "score": score, "label": label}
            for day, (score, label) in sorted(days.items())
            if first <= day <= market_date
        ]


def _entries(body: bytes) -> list[Any]:
    content = parse_json(body)
    if not isinstance(content, dict):
        raise PayloadError(f"no object but {shown(content)}")
    metadata, entries = content.get("metadata"), content.get("data")
    if not isinstance(metadata, dict) or "error" not in metadata:
        raise PayloadError("there is no metadata.error; the contract has changed")
    if metadata["error"] is not None:
        raise SourceError(f"the vendor says {shown(metadata['error'])}; run again later")
    if not isinstance(entries, list):
        raise PayloadError("there is no list named data; the contract has changed")
    return entries


def _read_entry(entry: Any, where: str) -> tuple[date, tuple[float | None, str | None]]:
    if not isinstance(entry, dict):
        raise PayloadError(f"{where}: {shown(entry)} is not an object")
    stamp = text_or_none(entry, "timestamp", where)
    score = text_or_none(entry, "value", where)
    if stamp is None or not _STAMP.fullmatch(stamp) or int(stamp) % _DAY_SECONDS:
        raise PayloadError(f"{where}: {shown(stamp)} is not 00:00 UTC of a day")
    is_null = entry["value"] is None
    if not is_null and not (score and _SCORE.fullmatch(score) and int(score) <= 100):
        raise PayloadError(f"{where}: the score {shown(score)} is not 0 to 100")
    day = datetime.fromtimestamp(int(stamp), UTC).date()
    return day, (
        None if score is None else float(score),
        text_or_none(entry, "value_classification", where),
    )
