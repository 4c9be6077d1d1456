"""Bybit: long/short account ratio and funding of the perpetuals in the reviewed list.

A stamp of the ratio begins its UTC day. An error comes with HTTP 200 and a ``retCode``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.errors import NotYetAvailableError, PayloadError, RateLimitedError, SourceError
from pipeline.sources.base import Source, close_of, first_day, vendor_url
from pipeline.sources.payload import parse_json, shown
from pipeline.sources.shapes import as_list
from pipeline.sources.universe import perp_symbols
from pipeline.sources.venues import (
    DAY_MILLISECONDS,
    ask_for_each,
    daily_points,
    decimal_or_none,
    field_of,
    midnight,
    named_bodies,
    ratio_or_none,
    require_day,
    rounded_day,
    stamp_of,
    sum_by_day,
)

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.sources.http import HttpClient, HttpResponse

VENUE = "bybit"
TOO_MANY_VISITS = 10006
UNKNOWN_SYMBOL = 10001
SHARE_TOLERANCE = 0.01
"""How far the shares of buyers and sellers may add up to something else than 1."""


class _Bybit(Source):
    """A dataset from one endpoint, asked symbol by symbol in spans of days that fit a call."""

    name = "bybit"
    vendor = "bybit"
    kind = "by_date"
    endpoint: ClassVar[str]
    path: ClassVar[str]
    limit: ClassVar[int]
    days_per_call: ClassVar[int]
    more_params: ClassVar[Mapping[str, str]] = {}

    def fetch(
        self,
        client: HttpClient,
        settings: Settings,
        market_date: date,
        *,
        since: date | None = None,
    ) -> Iterator[tuple[str, HttpResponse]]:
        """Ask for every perpetual of the reviewed list. See ``Source.fetch``.

        Raises:
            NotYetAvailableError: The day is not over.
        """
        if settings.now() < close_of(market_date):
            raise NotYetAvailableError(f"{market_date} is not over; run again after midnight UTC")
        first = first_day(market_date, since)
        if self.earliest_date is not None:
            first = max(first, self.earliest_date)

        def ask(symbol: str) -> Iterator[tuple[str, HttpResponse]]:
            start, part = first, 1
            while start <= market_date:
                last = min(start + timedelta(days=self.days_per_call - 1), market_date)
                yield (
                    f"{self.endpoint}-{symbol}" + (f"#{part}" if part > 1 else ""),
                    client.get(
                        vendor_url(settings, self.vendor, self.path),
                        params={
                            "category": "linear",
                            "symbol": symbol,
                            **self.more_params,
                            "startTime": str(midnight(start) - 30_000),
                            "endTime": str(midnight(last + timedelta(days=1)) - 1),
                            "limit": str(self.limit),
                        },
                    ),
                )
                start, part = last + timedelta(days=1), part + 1

        yield from ask_for_each(perp_symbols(settings, VENUE, market_date), ask, who="Bybit")

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read the bodies of all symbols.

        Returns:
            One row per day and symbol, from ``first`` to ``market_date``, units as in the
            class. A symbol that Bybit does not list has none; the running day is dropped.

        Raises:
            RateLimitedError: ``retCode`` 10006.
            SourceError: Any other ``retCode`` but 0, or no symbol is listed.
            PayloadError: A body is not the documented one, is of another symbol, or holds a
                figure that cannot be.
            NotYetAvailableError: No symbol has the day yet, or an answer is from before its
                close.
        """
        entries: dict[str, list[Any]] = {}
        unknown: set[str] = set()
        for _, label, body in named_bodies(bodies, (self.endpoint,)):
            symbol = label.partition("#")[0]
            listed = _read_list(body, symbol, self.limit, market_date)
            if listed is None:
                unknown.add(symbol)
            else:
                entries.setdefault(symbol, []).extend(listed)
        if not entries:
            raise SourceError(f"Bybit lists none of {', '.join(sorted(unknown))}")
        days: set[date] = set()
        rows: list[dict[str, object]] = []
        for symbol, listed in sorted(entries.items()):
            series = self.read_series(symbol, listed)
            days |= series.keys()
            rows += [
                {
                    "market_date": day,
                    "source": self.name,
                    "venue": VENUE,
                    "perp_symbol": symbol,
                    **values,
                }
                for day, values in sorted(series.items())
                if first <= day <= market_date and None not in values.values()
            ]
        require_day(rows, market_date, days, f"Bybit's {self.dataset}")
        return rows

    def read_series(
        self, symbol: str, entries: Sequence[Any]
    ) -> Mapping[date, Mapping[str, float | None]]:
        """Return the measures of one symbol by day."""
        raise NotImplementedError


def _read_list(body: bytes, symbol: str, limit: int, market_date: date) -> list[Any] | None:
    """Return the entries of one answer; None where Bybit does not list the symbol."""
    content = parse_json(body)
    code = field_of(content, "retCode", symbol)
    said = f"{symbol}: retCode {shown(code)}, {shown(content.get('retMsg'))}"
    if code == TOO_MANY_VISITS:
        raise RateLimitedError(f"{said}; run again in ten minutes")
    if code == UNKNOWN_SYMBOL:
        return None
    if code != 0 or isinstance(code, bool):
        raise SourceError(f"{said}; try again later, or take another source")
    answered_at = stamp_of(field_of(content, "time", symbol), f"{symbol} time")
    if answered_at < midnight(market_date + timedelta(days=1)):
        raise NotYetAvailableError(
            f"{symbol}: the answer is of {answered_at} ms, before the close of {market_date}; an "
            "old copy came, run again later"
        )
    entries = as_list(field_of(field_of(content, "result", symbol), "list", symbol), symbol)
    if len(entries) >= limit:
        raise PayloadError(f"{symbol}: {len(entries)} entries, as many as fit; ask for less days")
    for entry in entries:
        if field_of(entry, "symbol", symbol) != symbol:
            raise PayloadError(f"{symbol}: an entry is of {shown(entry['symbol'])}; fetch again")
    return entries


class BybitPositioning(_Bybit):
    """Accounts that are net long per account that is net short; the other ratios are null."""

    dataset = "positioning_daily"
    earliest_date = date(2020, 7, 20)
    endpoint = "ratio"
    path = "v5/market/account-ratio"
    limit = 500
    days_per_call = 400
    more_params: ClassVar[Mapping[str, str]] = {"period": "1d"}

    def read_series(
        self, symbol: str, entries: Sequence[Any]
    ) -> Mapping[date, Mapping[str, float | None]]:
        """Return the ratio by day. See ``_Bybit.read_series``."""
        points = daily_points(
            ((stamp_of(field_of(entry, "timestamp", symbol), symbol), entry) for entry in entries),
            DAY_MILLISECONDS,
            symbol,
        )
        return {
            day: {"long_short_account_ratio": _account_ratio(entry, f"{symbol} {day}")}
            for day, entry in points.items()
        }


def _account_ratio(entry: object, where: str) -> float | None:
    buyers = ratio_or_none(field_of(entry, "buyRatio", where), f"{where} buyRatio")
    sellers = ratio_or_none(field_of(entry, "sellRatio", where), f"{where} sellRatio")
    if buyers is None or sellers is None:
        return None
    if abs(buyers + sellers - 1) > SHARE_TOLERANCE:
        raise PayloadError(f"{where}: the shares {buyers} and {sellers} do not add up to 1")
    return buyers / sellers


class BybitFunding(_Bybit):
    """Sum of the funding rates settled in a UTC day, as a fraction of the position."""

    dataset = "funding_daily"
    earliest_date = date(2020, 3, 25)
    endpoint = "funding"
    path = "v5/market/funding/history"
    limit = 200
    # At one settlement an hour eight days hold 192.
    days_per_call = 8

    def read_series(
        self, symbol: str, entries: Sequence[Any]
    ) -> Mapping[date, Mapping[str, float | None]]:
        """Return the day's sum. See ``_Bybit.read_series``."""
        settlements = []
        for entry in entries:
            stamp = stamp_of(field_of(entry, "fundingRateTimestamp", symbol), symbol)
            rounded_day(stamp, symbol)
            rate = decimal_or_none(field_of(entry, "fundingRate", symbol), f"{symbol} fundingRate")
            if rate is None:
                raise PayloadError(f"{symbol}: a settlement has no rate; fetch again")
            settlements.append((stamp, rate))
        sums = sum_by_day(settlements, symbol)
        return {day: {"funding_rate_fraction": rate} for day, rate in sums.items()}
