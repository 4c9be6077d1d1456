"""OKX: long/short account ratio per currency, all of its contracts together.

A daily bar runs from 16:00 UTC to 16:00 UTC, a day of UTC+8. It counts for the UTC day in which
it ends, so a value is eight hours older than the close of its day, and never from after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from pipeline.errors import NotYetAvailableError, PayloadError, RateLimitedError, SourceError
from pipeline.sources.base import Source, close_of, first_day, vendor_url
from pipeline.sources.payload import parse_json, shown
from pipeline.sources.shapes import as_list
from pipeline.sources.universe import perp_symbols
from pipeline.sources.venues import (
    DAY_MILLISECONDS,
    ask_for_each,
    day_of_stamp,
    field_of,
    midnight,
    named_bodies,
    ratio_or_none,
    require_day,
    stamp_of,
)

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.sources.http import HttpClient, HttpResponse

VENUE = "okx"
BAR_STARTS_HOUR = 16
TOO_MANY_REQUESTS = ("50011", "50061")
UNKNOWN_CURRENCY = ("51000", "51001")
HISTORY_DAYS = 180
"""How far back the daily series is said to reach."""

_ENDPOINT = "ratio"
_START = BAR_STARTS_HOUR * 3_600_000


class Okx(Source):
    """``rubik/stat/contracts/long-short-account-ratio``: one series per currency."""

    name = "okx"
    vendor = "okx"
    dataset = "positioning_daily"
    kind = "by_date"

    def fetch(
        self,
        client: HttpClient,
        settings: Settings,
        market_date: date,
        *,
        since: date | None = None,
    ) -> Iterator[tuple[str, HttpResponse]]:
        """Ask for every currency of the reviewed list. See ``Source.fetch``.

        Raises:
            NotYetAvailableError: The day is not over.
        """
        if settings.now() < close_of(market_date):
            raise NotYetAvailableError(f"{market_date} is not over; run again after midnight UTC")
        first = first_day(market_date, since)

        def ask(currency: str) -> Iterator[tuple[str, HttpResponse]]:
            yield (
                f"{_ENDPOINT}-{currency}",
                client.get(
                    vendor_url(
                        settings,
                        self.vendor,
                        "api/v5/rubik/stat/contracts/long-short-account-ratio",
                    ),
                    params={
                        "ccy": currency,
                        "period": "1D",
                        "begin": str(midnight(first - timedelta(days=1)) + _START),
                        "end": str(midnight(market_date) + _START),
                    },
                ),
            )

        yield from ask_for_each(perp_symbols(settings, VENUE, market_date), ask, who="OKX")

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read the bodies of all currencies.

        Returns:
            One row per day and currency, from ``first`` to ``market_date``: the ratio of
            accounts net long to net short, with the currency as ``perp_symbol``; a ratio of 0
            has no row, the other ratios are null. A currency that OKX does not know has none.

        Raises:
            RateLimitedError: ``code`` 50011.
            SourceError: Any other ``code`` but 0, or no currency is known.
            PayloadError: A body is not the documented one, a bar starts neither at 16:00 UTC
                nor at midnight, or a day has two ratios.
            NotYetAvailableError: No currency has the day yet.
        """
        days: set[date] = set()
        rows: list[dict[str, object]] = []
        series = _read_series(bodies)
        for currency, ratios in series.items():
            days |= ratios.keys()
            rows += [
                {
                    "market_date": day,
                    "source": self.name,
                    "venue": VENUE,
                    "perp_symbol": currency,
                    "long_short_account_ratio": ratio,
                }
                for day, ratio in sorted(ratios.items())
                if first <= day <= market_date and ratio is not None
            ]
        if not series:
            raise SourceError("OKX knows no currency that was asked for; compare the list with it")
        require_day(rows, market_date, days, "OKX's account ratio")
        return rows

    def points_of(self, bodies: Sequence[tuple[str, bytes]], day: date) -> Mapping[str, object]:
        """Return the ratio of a day by currency. See ``Source.points_of``."""
        return {
            currency: ratios[day]
            for currency, ratios in _read_series(bodies).items()
            if day in ratios
        }


def _read_series(bodies: Sequence[tuple[str, bytes]]) -> dict[str, dict[date, float | None]]:
    """Return the ratios by day of each currency that OKX knows."""
    series: dict[str, dict[date, float | None]] = {}
    for _, currency, body in named_bodies(bodies, (_ENDPOINT,)):
        entries = _read_data(body, currency)
        if entries is None:
            continue
        ratios = series.setdefault(currency, {})
        for entry in entries:
            day, ratio = _read_bar(entry, currency)
            if ratios.setdefault(day, ratio) != ratio:
                raise PayloadError(f"{currency} {day}: two different ratios; fetch again")
    return series


def _read_data(body: bytes, currency: str) -> list[Any] | None:
    """Return the bars of one answer; None where OKX does not know the currency."""
    content = parse_json(body)
    code = field_of(content, "code", currency)
    said = f"{currency}: code {shown(code)}, {shown(content.get('msg'))}"
    if code in TOO_MANY_REQUESTS:
        raise RateLimitedError(f"{said}; run again in a minute")
    if code in UNKNOWN_CURRENCY:
        return None
    if code != "0":
        raise SourceError(f"{said}; try again later, or take another source")
    return as_list(field_of(content, "data", currency), currency)


def _read_bar(entry: object, currency: str) -> tuple[date, float | None]:
    if not isinstance(entry, list) or len(entry) != 2:
        # Nothing names the cells of a row, so one more may stand anywhere.
        raise PayloadError(f"{currency}: {shown(entry)} is not a stamp and a ratio")
    stamp = stamp_of(entry[0], currency)
    day = day_of_stamp(stamp, DAY_MILLISECONDS, currency)
    into_day = stamp % DAY_MILLISECONDS
    if into_day == _START:
        day += timedelta(days=1)
    elif into_day != 0:
        raise PayloadError(
            f"{currency}: a bar starts {into_day // 60_000} minutes into {day}, neither at "
            f"{BAR_STARTS_HOUR}:00 UTC nor at midnight"
        )
    return day, ratio_or_none(entry[1], f"{currency} {day}")
