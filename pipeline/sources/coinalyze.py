"""Coinalyze: liquidations on Binance per day, in US dollars. Needs a free key.

Binance publishes at most one liquidation per second and symbol, so the sums are too low; they
tell one day from another, not how much was lost. A stamp in seconds begins its UTC day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from pipeline.errors import NotYetAvailableError, PayloadError, SourceError
from pipeline.sources.base import Source, close_of, first_day, vendor_url
from pipeline.sources.payload import parse_json, shown
from pipeline.sources.shapes import as_list
from pipeline.sources.universe import perp_symbols
from pipeline.sources.vendors import get_vendor
from pipeline.sources.venues import (
    DAY_SECONDS,
    amount_or_none,
    daily_points,
    field_of,
    finished_days,
    midnight,
    require_day,
    stamp_of,
)

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.sources.http import HttpClient, HttpResponse

VENUE = "binance"
SYMBOLS_PER_CALL = 20
SYMBOLS_ASKED = 40
"""Each symbol costs one of the 40 calls a minute that a key has."""

_SUFFIX = "_PERP.A"
_NAME = "liquidations-{}"


class Coinalyze(Source):
    """``/liquidation-history``: US dollars of long and of short positions liquidated in a day."""

    name = "coinalyze"
    vendor = "coinalyze"
    dataset = "liquidation_daily"
    kind = "by_date"

    def fetch(
        self,
        client: HttpClient,
        settings: Settings,
        market_date: date,
        *,
        since: date | None = None,
    ) -> Iterator[tuple[str, HttpResponse]]:
        """Ask for the ``SYMBOLS_ASKED`` largest perpetuals of Binance. See ``Source.fetch``.

        Raises:
            NotYetAvailableError: The day is not over.
            SourceError: There is no key.
        """
        if settings.now() < close_of(market_date):
            raise NotYetAvailableError(f"{market_date} is not over; run again after midnight UTC")
        secrets = get_vendor(self.vendor).secret_headers(settings)
        if secrets is None:
            raise SourceError("Coinalyze needs a free key; set TIDEMARK_COINALYZE_KEY")
        symbols = perp_symbols(settings, VENUE, market_date)[:SYMBOLS_ASKED]
        for start in range(0, len(symbols), SYMBOLS_PER_CALL):
            asked = symbols[start : start + SYMBOLS_PER_CALL]
            response = client.get(
                vendor_url(settings, self.vendor, "v1/liquidation-history"),
                params={
                    "symbols": ",".join(f"{symbol}{_SUFFIX}" for symbol in asked),
                    "interval": "daily",
                    "from": str(midnight(first_day(market_date, since), DAY_SECONDS)),
                    "to": str(midnight(market_date + timedelta(days=2), DAY_SECONDS) - 1),
                    "convert_to_usd": "true",
                },
                secret_headers=secrets,
            )
            yield _NAME.format(start // SYMBOLS_PER_CALL + 1), response

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read the bodies of all batches.

        Returns:
            One row per day and perpetual, from ``first`` to ``market_date``, in US dollars, a
            day without liquidations as 0. The symbol is Binance's; one without history has
            no row. The newest day of all is the running one and is dropped.

        Raises:
            SourceError: Coinalyze's own error, as ``{"message"}``.
            PayloadError: A batch is missing, an entry is not of a perpetual on Binance or comes
                twice, or a figure is negative.
            NotYetAvailableError: No perpetual has the day yet.
        """
        expected = [_NAME.format(number) for number in range(1, len(bodies) + 1)]
        if not bodies or sorted(name for name, _ in bodies) != sorted(expected):
            raise PayloadError(f"a batch is missing among {shown([name for name, _ in bodies])}")
        rows: list[dict[str, object]] = []
        seen: set[str] = set()
        days: set[date] = set()
        for name, body in bodies:
            content = parse_json(body)
            if isinstance(content, dict) and "message" in content:
                raise SourceError(f"Coinalyze says {shown(content['message'])}")
            for entry in as_list(content, name):
                symbol = _read_symbol(entry, name)
                if symbol in seen:
                    raise PayloadError(f"{symbol} comes twice; fetch again")
                seen.add(symbol)
                history = daily_points(
                    (
                        (stamp_of(field_of(point, "t", symbol), symbol), point)
                        for point in as_list(field_of(entry, "history", symbol), symbol)
                    ),
                    DAY_SECONDS,
                    symbol,
                )
                days |= history.keys()
                rows += [
                    {
                        "market_date": day,
                        "source": self.name,
                        "venue": VENUE,
                        "perp_symbol": symbol,
                        "long_usd": amount_or_none(field_of(point, "l", symbol), f"{symbol} l"),
                        "short_usd": amount_or_none(field_of(point, "s", symbol), f"{symbol} s"),
                    }
                    for day, point in sorted(history.items())
                    if first <= day <= market_date
                ]
        finished = finished_days(dict.fromkeys(days))
        known = [
            row
            for row in rows
            if row["market_date"] in finished
            and (row["long_usd"], row["short_usd"]) != (None, None)
        ]
        require_day(known, market_date, finished, "Coinalyze's liquidation history")
        return known


def _read_symbol(entry: object, where: str) -> str:
    symbol = field_of(entry, "symbol", where)
    if not isinstance(symbol, str) or not symbol.endswith(_SUFFIX) or symbol == _SUFFIX:
        raise PayloadError(f"{where}: {shown(symbol)} is not a perpetual on Binance")
    return symbol.removesuffix(_SUFFIX)
