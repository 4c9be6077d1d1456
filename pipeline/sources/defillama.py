"""DefiLlama: the supply of stablecoins, and the price history of coins, without a key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from pipeline.errors import NotYetAvailableError, PayloadError, SourceError, UnobtainableError
from pipeline.sources.base import Source, close_of, first_day, vendor_url
from pipeline.sources.payload import parse_json, shown, text_or_none
from pipeline.sources.shapes import (
    as_list,
    as_object,
    numbered_bodies,
    object_in,
    only_body,
    positive_amount,
    slug,
    unix_time,
)
from pipeline.sources.vendor_ids import coin_ids_with_spelling

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.sources.http import HttpClient, HttpResponse

# DefiLlama has no ids of its own for coins; these are CoinGecko's.
_ID_PREFIX = "coingecko:"
POINTS_PER_CALL = 500
COINS_PER_CALL = 40
NEAR_HOURS = 6


class DefiLlamaStablecoins(Source):
    """``/stablecoincharts/all``: the stablecoins pegged to the US dollar, at market value.

    The stamp 00:00 D is day D: the fall of TerraUSD is in the days in which it happened.
    """

    name = "defillama"
    vendor = "defillama_stablecoins"
    dataset = "stablecoin_daily"
    kind = "by_date"
    sends_all_since = True
    earliest_date = date(2017, 11, 29)

    def fetch(
        self,
        client: HttpClient,
        settings: Settings,
        market_date: date,
        *,
        since: date | None = None,
    ) -> Iterator[tuple[str, HttpResponse]]:
        """Ask once; the body holds the whole history. See ``Source.fetch``."""
        yield "chart", client.get(vendor_url(settings, self.vendor, "stablecoincharts/all"))

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read the one body.

        Returns:
            One row per day in US dollars; a point that is not stamped 00:00 UTC, as the
            running one is, has no row.

        Raises:
            SourceError: The body carries the vendor's own error.
            PayloadError: Not the documented shape, a day without a value, or a day twice
                with different values.
            NotYetAvailableError: The day, and any later one, is missing.
            UnobtainableError: The day is missing though later ones are there.
        """
        content = parse_json(only_body(bodies, "chart"))
        _raise_error(content)
        days: dict[date, float] = {}
        for index, entry in enumerate(as_list(content, "the body"), start=1):
            where = f"point {index}"
            point = as_object(entry, where)
            moment = unix_time(point.get("date"), f"{where}, date")
            if moment.time() != time():
                continue
            total = positive_amount(
                object_in(point, "totalCirculatingUSD", where), "peggedUSD", where
            )
            if days.setdefault(moment.date(), total) != total:
                raise PayloadError(f"{moment.date()} comes twice with different values")
        _check_day(days, market_date)
        return [
            {"market_date": day, "source": self.name, "total_supply_usd": total}
            for day, total in sorted(days.items())
            if first <= day <= market_date
        ]


class DefiLlamaPrices(Source):
    """``/chart/{coins}``: closing prices of coins, also of dead ones; no cap, no volume.

    ``coin_id`` is CoinGecko's id; ``reference.vendor_identity`` says so.
    """

    name = "defillama"
    vendor = "defillama_coins"
    dataset = "market_daily"
    kind = "by_date"

    def fetch(
        self,
        client: HttpClient,
        settings: Settings,
        market_date: date,
        *,
        since: date | None = None,
    ) -> Iterator[tuple[str, HttpResponse]]:
        """Ask for the closes of the reviewed coins, some coins and days at a time.

        See ``Source.fetch``.
        """
        coin_ids = coin_ids_with_spelling(settings, self.name)
        # DefiLlama knows no price before Bitcoin's first; this bounds an open request.
        start = max(first_day(market_date, since), date(2010, 1, 1))
        page = 0
        while start <= market_date:
            days = min((market_date - start).days + 1, POINTS_PER_CALL)
            coins_per_call = max(1, min(COINS_PER_CALL, POINTS_PER_CALL // days))
            for index in range(0, len(coin_ids), coins_per_call):
                asked = coin_ids[index : index + coins_per_call]
                path = "chart/" + ",".join(f"{_ID_PREFIX}{coin_id}" for coin_id in asked)
                page += 1
                yield (
                    f"prices-{page}",
                    client.get(
                        vendor_url(settings, self.vendor, path),
                        params={
                            "start": str(int(close_of(start).timestamp())),
                            "span": str(days),
                            "period": "1d",
                            "searchWidth": f"{NEAR_HOURS}h",
                        },
                    ),
                )
            start += timedelta(days=days)

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read the bodies.

        Returns:
            One row per coin and day, prices in US dollars. A point stands for the close that
            it is nearest to, and of several for one close the nearest counts; one more than
            ``NEAR_HOURS`` from any close has no row. A coin that DefiLlama does not know is
            silently absent.

        Raises:
            SourceError: A body carries the vendor's own error.
            PayloadError: Not the documented shape, a price that is not positive, or a coin
                that was not asked for by CoinGecko's id.
            NotYetAvailableError: No coin has the day, or any later one.
            UnobtainableError: No coin has the day though some have later ones.
        """
        nearest: dict[tuple[str, date], tuple[timedelta, datetime, float]] = {}
        symbols: dict[str, str | None] = {}
        for number, body in enumerate(numbered_bodies(bodies, "prices"), start=1):
            content = as_object(parse_json(body), f"page {number}")
            _raise_error(content)
            coins = object_in(content, "coins", f"page {number}")
            for key, entry in coins.items():
                where = f"page {number}, {shown(key)}"
                coin_id = slug({"id": key.removeprefix(_ID_PREFIX)}, "id", where)
                if not key.startswith(_ID_PREFIX):
                    raise PayloadError(f"{where} is not one of CoinGecko's ids")
                coin = as_object(entry, where)
                symbol = text_or_none(coin, "symbol", where)
                symbols[coin_id] = symbol.upper() if symbol else None
                for point in as_list(coin.get("prices"), f"{where}, prices"):
                    day, read = _read_point(point, where)
                    if read[0] <= timedelta(hours=NEAR_HOURS):
                        known = nearest.setdefault((coin_id, day), read)
                        nearest[coin_id, day] = min(known, read)
        _check_day({day for _, day in nearest}, market_date)
        return [
            {
                "market_date": day,
                "source": self.name,
                "coin_id": coin_id,
                "symbol": symbols[coin_id],
                "price_usd": price,
            }
            for (coin_id, day), (_, _, price) in sorted(nearest.items())
            if first <= day <= market_date
        ]


def _read_point(entry: Any, where: str) -> tuple[date, tuple[timedelta, datetime, float]]:
    """Return the day whose close a point is nearest to, how far it is, when, and the price."""
    point = as_object(entry, where)
    moment = unix_time(point.get("timestamp"), f"{where}, timestamp")
    midnight = datetime.combine((moment + timedelta(hours=12)).date(), time(), tzinfo=UTC)
    day = midnight.date() - timedelta(days=1)
    return day, (abs(moment - midnight), moment, positive_amount(point, "price", where))


def _raise_error(content: Any) -> None:
    if isinstance(content, dict):
        for field in ("error", "message"):
            if field in content:
                raise SourceError(f"it says {shown(content[field])}; run again later")


def _check_day(days: Mapping[date, object] | set[date], market_date: date) -> None:
    if market_date in days:
        return
    newest = max(days, default=None)
    if newest is not None and newest > market_date:
        raise UnobtainableError(f"there are later days but none for {market_date}")
    raise NotYetAvailableError(
        f"there is no value for {market_date} yet, the newest is {newest}; run again later"
    )
