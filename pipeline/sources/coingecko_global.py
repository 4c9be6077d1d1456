"""CoinGecko: cap and volume of the whole market, and Bitcoin's share of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from pipeline.errors import SourceError
from pipeline.sources.base import Source, vendor_url
from pipeline.sources.payload import parse_json, shown
from pipeline.sources.shapes import (
    amount_or_none,
    as_object,
    object_in,
    only_body,
    percent_as_fraction,
    positive_amount,
    unix_time,
)
from pipeline.sources.snapshot import check_askable, check_taken
from pipeline.sources.vendors import get_vendor

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.sources.http import HttpClient, HttpResponse


class CoinGeckoGlobal(Source):
    """``/global``: totals over every coin that the vendor follows, for now only."""

    name = "coingecko"
    vendor = "coingecko"
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
        check_askable(settings, market_date, "CoinGecko")
        yield (
            "global",
            client.get(
                vendor_url(settings, self.vendor, "api/v3/global"),
                secret_headers=get_vendor(self.vendor).secret_headers(settings),
            ),
        )

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
        content = as_object(parse_json(only_body(bodies, "global")), "the body")
        if "data" not in content and ("error" in content or "status" in content):
            raise SourceError(f"it says {shown(content)}; run again later")
        where = "global"
        data = object_in(content, "data", where)
        taken_at = unix_time(data.get("updated_at"), f"{where}, updated_at")
        check_taken(taken_at, market_date, "CoinGecko")
        caps = object_in(data, "total_market_cap", where)
        volumes = object_in(data, "total_volume", where)
        shares = object_in(data, "market_cap_percentage", where)
        return [
            {
                "market_date": market_date,
                "source": self.name,
                "total_market_cap_usd": positive_amount(caps, "usd", where),
                "btc_dominance_fraction": percent_as_fraction(shares, "btc", where),
                "volume_24h_usd": amount_or_none(volumes, "usd", where) or None,
            }
        ]
