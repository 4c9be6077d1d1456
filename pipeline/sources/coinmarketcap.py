"""CoinMarketCap without a key: the largest coins, and the totals of the whole market.

Every body is an envelope of ``status`` and ``data``; an error may ride on HTTP 200.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from pipeline.errors import PayloadError, RateLimitedError, SourceError
from pipeline.sources.base import Source, vendor_url
from pipeline.sources.payload import (
    parse_json,
    shown,
    text_or_none,
)
from pipeline.sources.shapes import (
    amount_or_none,
    as_list,
    as_object,
    numbered_bodies,
    object_in,
    only_body,
    percent_as_fraction,
    positive_amount,
    rank_or_none,
    slug,
    stamp_or_none,
)
from pipeline.sources.snapshot import SnapshotCoin, check_askable, check_taken, snapshot_rows

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.sources.http import HttpClient, HttpResponse

VENDOR = "coinmarketcap"
COINS_KEPT = 500
COINS_PER_PAGE = 300
PAGES = 2
# A page that is not the last may miss a few coins; a page cut short misses many.
_FULL_PAGE_COINS = 285
_RATE_LIMIT_CODES = frozenset({"1008", "1009", "1010", "1011", "1022"})


class CoinMarketCapListings(Source):
    """``/cryptocurrency/listings/latest``: the largest coins, for now only.

    ``coin_id`` is the vendor's slug. It is not our id: ``reference.coin_xref`` maps it.
    """

    name = "cmc_listings"
    vendor = VENDOR
    dataset = "market_daily"
    kind = "now_only"

    def fetch(
        self,
        client: HttpClient,
        settings: Settings,
        market_date: date,
        *,
        since: date | None = None,
    ) -> Iterator[tuple[str, HttpResponse]]:
        """Ask for ``PAGES`` pages, if now can describe the day; ``since`` changes nothing.

        See ``Source.fetch``.
        """
        check_askable(settings, market_date, "CoinMarketCap")
        for page in range(1, PAGES + 1):
            params = {
                "start": str((page - 1) * COINS_PER_PAGE + 1),
                "limit": str(COINS_PER_PAGE),
                "convert": "USD",
            }
            path = "public-api/v3/cryptocurrency/listings/latest"
            yield f"listings-{page}", client.get(public_url(settings, path), params=params)

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read the pages of one night; ``first`` changes nothing here.

        Returns:
            One row per coin, the ``COINS_KEPT`` largest by cap, in US dollars and coins; a
            cap, supply or price of 0 is unknown. See ``snapshot_rows`` for what is left out.

        Raises:
            SourceError: A body carries the vendor's own error.
            PayloadError: A page is missing, repeated or cut short, a field is missing,
                negative or of another type, or the snapshot is from before the close.
            UnobtainableError: The snapshot was taken too long after the close.
        """
        coins: list[SnapshotCoin] = []
        pages = numbered_bodies(bodies, "listings")
        if len(pages) != PAGES:
            raise PayloadError(f"{PAGES} pages of listings are needed, got {len(pages)}")
        is_last = False
        for number, body in enumerate(pages, start=1):
            entries = as_list(read_data(body), f"page {number}")
            page = [
                _read_coin(entry, f"page {number}, row {index}")
                for index, entry in enumerate(entries, start=1)
            ]
            seen = {coin.fields["coin_id"] for coin in coins}
            if page and {coin.fields["coin_id"] for coin in page} <= seen:
                raise PayloadError(f"page {number} repeats coins of earlier pages; fetch again")
            if not page and not is_last:
                raise PayloadError(f"page {number} of the listings is empty; fetch again")
            if page and is_last:
                raise PayloadError(f"page {number - 1} is cut short; fetch again")
            is_last = len(page) < _FULL_PAGE_COINS
            coins += page
        return snapshot_rows(coins, market_date, "CoinMarketCap", COINS_KEPT)


class CoinMarketCapGlobal(Source):
    """``/global-metrics/quotes/latest``: cap and volume of the whole market, for now only."""

    name = "cmc"
    vendor = VENDOR
    dataset = "global_daily"
    kind = "now_only"

    def fetch(
        self,
        client: HttpClient,
        settings: Settings,
        market_date: date,
        *,
        since: date | None = None,
    ) -> Iterator[tuple[str, HttpResponse]]:
        """Ask once, if now can describe the day; ``since`` changes nothing."""
        check_askable(settings, market_date, "CoinMarketCap")
        url = public_url(settings, "public-api/v1/global-metrics/quotes/latest")
        yield "global-metrics", client.get(url, params={"convert": "USD"})

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read the one body; ``first`` changes nothing here.

        Returns:
            One row: totals in US dollars, a volume of 0 as null, and Bitcoin's share as a
            fraction.

        Raises:
            SourceError: The body carries the vendor's own error.
            PayloadError: Not the documented shape, no total cap, or from before the close.
            UnobtainableError: The snapshot was taken too long after the close.
        """
        where = "global-metrics"
        data = as_object(read_data(only_body(bodies, where)), where)
        check_stamp(stamp_or_none(data, "last_updated", where), market_date, where)
        quote = _usd_quote(data, where)
        return [
            {
                "market_date": market_date,
                "source": self.name,
                "total_market_cap_usd": positive_amount(quote, "total_market_cap", where),
                "btc_dominance_fraction": percent_as_fraction(data, "btc_dominance", where),
                "volume_24h_usd": amount_or_none(quote, "total_volume_24h", where) or None,
            }
        ]


def public_url(settings: Settings, path: str) -> str:
    """Return an address below CoinMarketCap's."""
    return vendor_url(settings, VENDOR, path)


def read_data(body: bytes) -> Any:
    """Return ``data`` of an envelope whose status says that all is well.

    Raises:
        RateLimitedError: The status says that too much was asked.
        SourceError: It says that something else went wrong.
        PayloadError: It is no such envelope.
    """
    content = as_object(parse_json(body), "the body")
    status = object_in(content, "status", "the body")
    code = status.get("error_code")
    if isinstance(code, bool) or not isinstance(code, int | str):
        raise PayloadError(f"status.error_code is {shown(code)}; the contract has changed")
    if str(code) != "0":
        said = f"error {shown(str(code))}: {shown(status.get('error_message'))}"
        if str(code) in _RATE_LIMIT_CODES:
            raise RateLimitedError(f"{said}; run again later")
        raise SourceError(f"{said}; use another source if it lasts")
    if "data" not in content:
        raise PayloadError("there is no data beside the status; the contract has changed")
    return content["data"]


def _usd_quote(row: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the quote in US dollars, from an object by currency or from a list of quotes."""
    quote = row.get("quote")
    if isinstance(quote, list):
        in_usd = [
            entry for entry in quote if isinstance(entry, dict) and entry.get("symbol") == "USD"
        ]
        if len(in_usd) != 1:
            raise PayloadError(f"{where}: {len(in_usd)} of the quotes are in USD instead of one")
        return in_usd[0]
    return object_in(as_object(quote, f"{where}, quote"), "USD", where)


def _read_coin(entry: Any, where: str) -> SnapshotCoin:
    row = as_object(entry, where)
    quote = _usd_quote(row, where)
    symbol = text_or_none(row, "symbol", where)
    fields: dict[str, object] = {
        "source": CoinMarketCapListings.name,
        "coin_id": slug(row, "slug", where),
        "symbol": symbol.upper() if symbol else None,
        "name": text_or_none(row, "name", where),
        "price_usd": amount_or_none(quote, "price", where),
        "market_cap_usd": amount_or_none(quote, "market_cap", where) or None,
        "circulating_supply": amount_or_none(row, "circulating_supply", where) or None,
        "volume_24h_usd": amount_or_none(quote, "volume_24h", where),
        "provider_rank": rank_or_none(row, "cmc_rank", where),
    }
    return SnapshotCoin(stamp_or_none(row, "last_updated", where), fields)


def check_stamp(taken_at: datetime | None, market_date: date, where: str) -> None:
    """Check that a body says when it was taken, and that this stands for the day's close.

    Raises:
        PayloadError: It does not say, or is from before the close.
        UnobtainableError: It was taken too long after the close.
    """
    if taken_at is None:
        raise PayloadError(f"{where}: it does not say when it was taken; fetch again")
    check_taken(taken_at, market_date, "CoinMarketCap")
