"""CoinPaprika: the night's tickers, without a key; a third opinion on prices and ranks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from pipeline.errors import SourceError
from pipeline.sources.base import Source, vendor_url
from pipeline.sources.payload import parse_json, shown, text_or_none
from pipeline.sources.shapes import (
    amount_or_none,
    as_list,
    as_object,
    object_in,
    only_body,
    rank_or_none,
    slug,
    stamp_or_none,
)
from pipeline.sources.snapshot import SnapshotCoin, check_askable, snapshot_rows

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.sources.http import HttpClient, HttpResponse

COINS_KEPT = 500


class CoinPaprika(Source):
    """``/tickers``: price, cap and volume of the largest coins, for now only.

    ``coin_id`` is the vendor's ``<symbol>-<name>``; ``reference.coin_xref`` maps it to ours.
    """

    name = "coinpaprika"
    vendor = "coinpaprika"
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
        """Ask once, if now can describe the day; ``since`` changes nothing."""
        check_askable(settings, market_date, "CoinPaprika")
        url = vendor_url(settings, self.vendor, "v1/tickers")
        yield "tickers", client.get(url, params={"quotes": "USD"})

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read the one body; ``first`` changes nothing here.

        Returns:
            One row per coin, the ``COINS_KEPT`` largest by cap, in US dollars; the supply is
            always null, a rank, cap or price of 0 is unknown. See ``snapshot_rows`` for what
            is left out.

        Raises:
            SourceError: The body carries the vendor's own error.
            PayloadError: Not the documented shape, a negative number, or a snapshot from
                before the close.
            UnobtainableError: The snapshot was taken too long after the close.
        """
        content = parse_json(only_body(bodies, "tickers"))
        if isinstance(content, dict) and "error" in content:
            raise SourceError(f"it says {shown(content['error'])}; run again later")
        coins = [
            _read_coin(entry, f"row {index}")
            for index, entry in enumerate(as_list(content, "the body"), start=1)
        ]
        return snapshot_rows(coins, market_date, "CoinPaprika", COINS_KEPT)


def _read_coin(entry: Any, where: str) -> SnapshotCoin:
    row = as_object(entry, where)
    quote = object_in(object_in(row, "quotes", where), "USD", where)
    symbol = text_or_none(row, "symbol", where)
    fields: dict[str, object] = {
        "source": CoinPaprika.name,
        "coin_id": slug(row, "id", where),
        "symbol": symbol.upper() if symbol else None,
        "name": text_or_none(row, "name", where),
        "price_usd": amount_or_none(quote, "price", where),
        "market_cap_usd": amount_or_none(quote, "market_cap", where) or None,
        "circulating_supply": None,
        "volume_24h_usd": amount_or_none(quote, "volume_24h", where),
        "provider_rank": rank_or_none(row, "rank", where),
    }
    return SnapshotCoin(stamp_or_none(row, "last_updated", where), fields)
