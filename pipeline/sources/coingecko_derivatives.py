"""CoinGecko's list of Binance's perpetuals: which coin each is of, by the vendor's own id.

A snapshot of now, so it stands for the close of a UTC day only when taken around it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipeline.errors import PayloadError
from pipeline.sources.base import Source, close_of, vendor_url
from pipeline.sources.payload import parse_json, shown, text_or_none
from pipeline.sources.shapes import as_object, only_body
from pipeline.sources.snapshot import EARLY_HOURS, check_askable, check_taken
from pipeline.sources.vendors import get_vendor
from pipeline.sources.venues import (
    DAY_SECONDS,
    amount_or_none,
    day_of_stamp,
    field_of,
    ratio_or_none,
    stamp_of,
)

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.sources.http import HttpClient, HttpResponse

logger = logging.getLogger(__name__)

EXCHANGE = "binance_futures"
VENUE = "binance"
# Fewer perpetuals than this are a list cut short: Binance has had more since 2021.
MIN_PERPS = 100
_NAME = f"derivatives-{EXCHANGE}"


class CoinGeckoDerivatives(Source):
    """``/derivatives/exchanges/binance_futures``: the perpetuals that trade now."""

    name = "coingecko"
    vendor = "coingecko"
    dataset = "perp_listing_daily"
    kind = "now_only"

    def fetch(
        self,
        client: HttpClient,
        settings: Settings,
        market_date: date,
        *,
        since: date | None = None,
    ) -> Iterator[tuple[str, HttpResponse]]:
        """Ask for the whole list, if now is a time at which it can describe the day.

        See ``Source.fetch``; ``since`` changes nothing here.

        Raises:
            NotYetAvailableError: The day is not over.
            UnobtainableError: The day's close is more than ``LATE_HOURS`` ago.
        """
        check_askable(settings, market_date, "CoinGecko")
        yield (
            _NAME,
            client.get(
                vendor_url(settings, self.vendor, f"api/v3/derivatives/exchanges/{EXCHANGE}"),
                params={"include_tickers": "unexpired"},
                secret_headers=get_vendor(self.vendor).secret_headers(settings),
            ),
        )

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read the list of one night; ``first`` changes nothing here.

        Returns:
            One row per perpetual: its symbol at Binance, base and quote as written there,
            ``coin_id`` the vendor's id of the base or null where it has none yet, prices and
            open interest in US dollars, the last 24 hours' volume in US dollars where the
            vendor converts it and null elsewhere. Futures with an expiry are left out, and
            so is a perpetual that was not traded around the close.

        Raises:
            PayloadError: An error body, a list cut short, a symbol twice with different
                figures, a field missing or of another type, or a list from before the close.
            UnobtainableError: The list was taken more than ``LATE_HOURS`` after the close.
        """
        content = parse_json(only_body(bodies, _NAME))
        if not isinstance(content, dict) or not isinstance(content.get("tickers"), list):
            raise PayloadError(f"no list of tickers but {shown(content)}")
        perps: dict[str, tuple[datetime, dict[str, object]]] = {}
        for index, ticker in enumerate(content["tickers"], start=1):
            where = f"ticker {index}"
            if text_or_none(as_object(ticker, where), "contract_type", where) != "perpetual":
                continue
            traded_at, row = _read_ticker(ticker, where, market_date)
            symbol = str(row["perp_symbol"])
            if perps.setdefault(symbol, (traded_at, row))[1] != row:
                raise PayloadError(f"{where}: {shown(symbol)} comes twice, with other figures")
        if len(perps) < MIN_PERPS:
            raise PayloadError(
                f"the list has {len(perps)} perpetuals, fewer than {MIN_PERPS}; fetch again"
            )
        stamps = sorted(traded_at for traded_at, _ in perps.values())
        check_taken(stamps[len(stamps) // 2], market_date, "CoinGecko")
        earliest = close_of(market_date) - timedelta(hours=EARLY_HOURS)
        rows = [row for traded_at, row in perps.values() if traded_at >= earliest]
        logger.info("coingecko for %s: %d of %d perpetuals", market_date, len(rows), len(perps))
        return sorted(rows, key=lambda row: str(row["perp_symbol"]))


def _read_ticker(
    ticker: Mapping[str, Any], where: str, market_date: date
) -> tuple[datetime, dict[str, object]]:
    symbol = text_or_none(ticker, "symbol", where)
    if symbol is None or not symbol.isprintable() or " " in symbol:
        raise PayloadError(f"{where}: the symbol {shown(ticker['symbol'])} is none")
    stamp = stamp_of(field_of(ticker, "last_traded", where), f"{where}: last_traded")
    day_of_stamp(stamp, DAY_SECONDS, f"{where}: last_traded")
    converted = ticker.get("converted_volume")
    volume = converted.get("usd") if isinstance(converted, dict) else None
    return datetime.fromtimestamp(stamp, UTC), {
        "market_date": market_date,
        "source": CoinGeckoDerivatives.name,
        "venue": VENUE,
        "perp_symbol": symbol,
        "base_symbol": text_or_none(ticker, "base", where),
        "quote_symbol": text_or_none(ticker, "target", where),
        "coin_id": text_or_none(ticker, "coin_id", where),
        "last_price_usd": ratio_or_none(ticker.get("last"), f"{where}: last"),
        "index_price_usd": ratio_or_none(ticker.get("index"), f"{where}: index"),
        "open_interest_usd": ratio_or_none(
            field_of(ticker, "open_interest_usd", where), f"{where}: open_interest_usd"
        ),
        "volume_24h_usd": amount_or_none(volume, f"{where}: converted_volume"),
    }
