"""DefiLlama: what Binance holds, by token, from the wallets that it published.

A proxy of flows: wallets are added and taken off, and a token is a symbol, not a coin.
"""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from pipeline.errors import NotYetAvailableError, PayloadError
from pipeline.sources.base import Source, close_of, vendor_url
from pipeline.sources.payload import shown
from pipeline.sources.shapes import only_body
from pipeline.sources.venues import (
    DAY_SECONDS,
    day_of_stamp,
    require_day,
    stamp_of,
)

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.sources.http import HttpClient, HttpResponse

logger = logging.getLogger(__name__)

EXCHANGE = "binance"
LOOKBACK_DAYS = 7
"""A chain that was there within as many days and is not today has failed, not emptied."""

_PROTOCOL = "protocol-binance-cex"
# Parts of a protocol that DefiLlama keeps out of its total.
_OTHER_PARTS = frozenset({"borrowed", "staking", "pool2", "vesting", "offers", "treasury"})
_SERIES = {"tokens": "units", "tokensInUsd": "usd"}
_READ_BYTES = 1 << 16

Balances = dict[tuple[str, str], dict[date, dict[str, float]]]
"""Amounts by token, by day, by measure (``units`` or ``usd``) and chain."""


class DefiLlamaExchangeBalances(Source):
    """``/protocol/binance-cex``: Binance's balances by token, summed over the chains.

    A point stamped D 00:00 is the close of D - 1; any other stamp is of the running day. The
    body is some 42 MB and holds all days; it is read as a stream.
    """

    name = "defillama"
    vendor = "defillama"
    dataset = "exchange_balance_daily"
    kind = "by_date"
    sends_all_since = True
    earliest_date = date(2022, 11, 16)
    available_hours = 2.0

    def fetch(
        self,
        client: HttpClient,
        settings: Settings,
        market_date: date,
        *,
        since: date | None = None,
    ) -> Iterator[tuple[str, HttpResponse]]:
        """Ask once; the body holds the whole history. See ``Source.fetch``.

        Raises:
            NotYetAvailableError: The day is not over.
        """
        if settings.now() < close_of(market_date):
            raise NotYetAvailableError(f"{market_date} is not over; run again after midnight UTC")
        yield _PROTOCOL, client.get(vendor_url(settings, self.vendor, "protocol/binance-cex"))

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read the balances of a window of days.

        Returns:
            One row per day and token symbol in upper case, from ``first`` to ``market_date``:
            units and US dollars summed over the chains. US dollars are null where a chain
            prices the token and another does not, or none does. A token has no row on a day
            on which a chain that held it within ``LOOKBACK_DAYS`` before has no point, or
            gives its worth and not its units, nor where an amount is negative, or 0 though it
            is worth something.

        Raises:
            PayloadError: The body is not the documented JSON, a day has two points, or no
                token has units and dollars under one name.
            NotYetAvailableError: There is no point at the day's close yet.
            UnobtainableError: There are later points but none at the day's close.
        """
        body = only_body(bodies, _PROTOCOL)
        start = first - timedelta(days=LOOKBACK_DAYS)
        balances, days = read_balances(body, start, market_date)
        rows: list[dict[str, object]] = []
        for back in range((market_date - first).days + 1):
            day = market_date - timedelta(days=back)
            if day in days:
                rows += [
                    {"market_date": day, "source": self.name, "exchange": EXCHANGE, **row}
                    for row in _day_rows(balances, day)
                ]
        require_day(rows, market_date, days, "DefiLlama's balances of Binance")
        rows.sort(key=lambda row: (str(row["market_date"]), str(row["token_symbol"])))
        return rows


def read_balances(body: bytes, first: date, last: date) -> tuple[Balances, set[date]]:
    """Read what each chain holds at the closes of a span of days, without keeping the rest.

    Args:
        body: ``{"chainTvls": {chain: {"tokens": [{"date", "tokens": {symbol: units}}],
            "tokensInUsd": [...]}}}`` with dates in seconds.
        first: First UTC day.
        last: Last day.

    Returns:
        The amounts, and every day that has a point on some chain, outside of the span too.

    Raises:
        PayloadError: It is not such JSON, a chain has two points of one day, or one that
            ``currentChainTvls`` gives an amount is not there.
    """
    import ijson

    balances: Balances = {}
    days: set[date] = set()
    path: list[str] = []
    stamp: object = None
    tokens: dict[str, float] = {}
    events = ijson.basic_parse(
        io.BytesIO(body.removeprefix(b"\xef\xbb\xbf")), use_float=True, buf_size=_READ_BYTES
    )
    is_documented = False
    chains: set[str] = set()
    promised: set[str] = set()
    try:
        for event, value in events:
            if event == "map_key":
                path[-1] = value
                if len(path) == 2 and path[0] == "chainTvls":
                    chains.add(value)
            elif event in ("start_map", "start_array"):
                # Before its first key an object is told from a list, whose step is "[]".
                path.append("[]" if event == "start_array" else "")
                if path == ["chainTvls", ""]:
                    is_documented = True
            elif event in ("end_map", "end_array"):
                path.pop()
                if len(path) == 4 and event == "end_map" and _is_point(path):
                    _keep(balances, days, path, stamp, tokens, first, last)
                    stamp, tokens = None, {}
            elif len(path) == 2 and path[0] == "currentChainTvls":
                if _amount(value) > 0:
                    promised.add(path[1])
            elif len(path) == 5 and path[4] == "date" and _is_point(path):
                stamp = value
            elif len(path) == 6 and path[4] == "tokens" and _is_point(path):
                if path[5] in tokens:
                    raise PayloadError(f"{shown(path[5])} comes twice in one point; fetch again")
                tokens[path[5]] = _amount(value)
    except (ValueError, OverflowError, ijson.JSONError) as exc:
        raise PayloadError(f"the body is not JSON ({type(exc).__name__}: {exc})") from exc
    if not is_documented:
        raise PayloadError(
            f"there are no chainTvls in {shown(body[:200].decode('utf-8', 'replace'))}"
        )
    if promised - chains:
        raise PayloadError(
            f"{shown(min(promised - chains))} holds something by currentChainTvls and is not in "
            "chainTvls; fetch again"
        )
    return balances, days


def _is_point(path: Sequence[str]) -> bool:
    return path[0] == "chainTvls" and path[2] in _SERIES and path[3] == "[]"


def _amount(value: object) -> float:
    """Return a balance, NaN for what cannot be one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    number = float(value)
    return number if math.isfinite(number) and number >= 0 else math.nan


def _keep(
    balances: Balances,
    days: set[date],
    path: Sequence[str],
    stamp: object,
    tokens: Mapping[str, float],
    first: date,
    last: date,
) -> None:
    chain, where = path[1], f"chain {shown(path[1])}"
    if chain.rpartition("-")[2].lower() in _OTHER_PARTS:
        return
    seconds = stamp_of(stamp, where)
    day = day_of_stamp(seconds, DAY_SECONDS, where) - timedelta(days=1)
    if seconds % DAY_SECONDS:
        return
    days.add(day)
    if first <= day <= last:
        points = balances.setdefault((_SERIES[path[2]], chain), {})
        summed: dict[str, float] = {}
        for symbol, amount in tokens.items():
            name = symbol.strip().upper()
            if name and name.isprintable():
                summed[name] = summed.get(name, 0.0) + amount
        if points.setdefault(day, summed) != summed:
            raise PayloadError(f"{where} has two points of {day}; fetch again")


def _day_rows(balances: Balances, day: date) -> list[dict[str, object]]:
    units: dict[str, list[float]] = {}
    dollars: dict[str, list[float]] = {}
    unsure: set[str] = set()
    for (measure, chain), points in balances.items():
        held = dollars if measure == "usd" else units
        counted = balances.get(("units", chain), {}).get(day, {})
        for symbol, amount in points.get(day, {}).items():
            held.setdefault(symbol, []).append(amount)
            if amount > 0 and symbol not in counted:
                unsure.add(symbol)
        if measure == "units":
            worth = balances.get(("usd", chain), {}).get(day, {})
            unsure |= {
                symbol
                for symbol, amount in points.get(day, {}).items()
                if amount == 0 and worth.get(symbol, 0.0) > 0
            }
        if measure == "units" and day not in points:
            before = [day - timedelta(days=back) for back in range(1, LOOKBACK_DAYS + 1)]
            newest = next((points[earlier] for earlier in before if earlier in points), {})
            if newest:
                logger.warning("chain %s has no point of %s", chain, day)
            unsure |= newest.keys()
    if units and dollars and not units.keys() & dollars.keys():
        raise PayloadError(
            f"no token of {day} is named alike in tokens and in tokensInUsd, as "
            f"{shown(next(iter(units)))} and {shown(next(iter(dollars)))}"
        )
    rows: list[dict[str, object]] = []
    for symbol, amounts in units.items():
        total = math.fsum(amounts) if all(map(math.isfinite, amounts)) else math.nan
        if symbol in unsure or not math.isfinite(total):
            continue
        priced = dollars.get(symbol, [])
        value = math.fsum(priced) if len(priced) == len(amounts) else math.nan
        rows.append(
            {
                "token_symbol": symbol,
                "balance_units": total,
                "balance_usd": value if math.isfinite(value) else None,
            }
        )
    return rows
