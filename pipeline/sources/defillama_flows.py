"""DefiLlama: what every exchange holds and what went in and out, from published wallets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from pipeline.errors import PayloadError
from pipeline.sources.base import Source, vendor_url
from pipeline.sources.payload import parse_json, shown, text_or_none
from pipeline.sources.shapes import as_list, as_object, only_body
from pipeline.sources.snapshot import check_askable
from pipeline.sources.venues import amount_or_none, decimal_or_none, ratio_or_none

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.sources.http import HttpClient, HttpResponse

MIN_EXCHANGES = 10
_CEXS = "cexs"


class DefiLlamaExchangeFlows(Source):
    """``/cexs``: balances and net inflows of every exchange in US dollars, for now only.

    The body carries no time, so a night's answer stands for the night's day by when it was
    asked for alone.
    """

    name = "defillama"
    vendor = "defillama"
    dataset = "exchange_flow_daily"
    kind = "now_only"

    def fetch(
        self,
        client: HttpClient,
        settings: Settings,
        market_date: date,
        *,
        since: date | None = None,
    ) -> Iterator[tuple[str, HttpResponse]]:
        """Ask once, if now is a time at which it can describe the day. See ``Source.fetch``.

        Raises:
            NotYetAvailableError: The day is not over.
            UnobtainableError: The day's close is more than twelve hours ago.
        """
        check_askable(settings, market_date, "DefiLlama")
        yield _CEXS, client.get(vendor_url(settings, self.vendor, "cexs"))

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read the list of exchanges; ``first`` changes nothing here.

        Returns:
            One row per exchange in US dollars. Its id is the vendor's slug without ``-cex``, or
            its name as a slug where it has none. An exchange without published wallets has
            no balance; inflows are net, and negative for outflows. One without any figure
            has no row.

        Raises:
            PayloadError: The body is not the documented JSON, has less than ``MIN_EXCHANGES``
                exchanges, no balance or no inflow at all, or an exchange twice.
        """
        content = as_object(parse_json(only_body(bodies, _CEXS)), "the body")
        rows: dict[str, dict[str, object]] = {}
        for index, entry in enumerate(as_list(content.get(_CEXS), "cexs"), start=1):
            exchange, row = _read_exchange(as_object(entry, f"exchange {index}"), index)
            if exchange in rows:
                raise PayloadError(f"{shown(exchange)} comes twice; fetch again")
            rows[exchange] = row
        if len(rows) < MIN_EXCHANGES:
            raise PayloadError(f"{len(rows)} exchanges, fewer than {MIN_EXCHANGES}; fetch again")
        for measure in ("balance_usd", "inflow_24h_usd"):
            if all(row[measure] is None for row in rows.values()):
                raise PayloadError(f"no exchange has {measure}; the vendor's contract has changed")
        return [
            {"market_date": market_date, "source": self.name, "exchange": exchange, **row}
            for exchange, row in sorted(rows.items())
            if any(value is not None for value in row.values())
        ]


def _read_exchange(entry: Mapping[str, Any], index: int) -> tuple[str, dict[str, object]]:
    where = f"exchange {index}"
    named = {"slug": None, "name": None, **entry}
    label = text_or_none(named, "slug", where) or text_or_none(named, "name", where) or ""
    exchange = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")
    exchange = exchange.removesuffix("-cex")
    if not exchange:
        raise PayloadError(f"{where} has neither slug nor name")
    balance = ratio_or_none(entry.get("currentTvl"), f"{where} currentTvl")
    return exchange, {
        "balance_usd": balance,
        "balance_without_own_token_usd": (
            None
            if balance is None
            else amount_or_none(entry.get("cleanAssetsTvl"), f"{where} cleanAssetsTvl")
        ),
        "inflow_24h_usd": decimal_or_none(entry.get("inflows_24h"), f"{where} inflows_24h"),
        "inflow_7d_usd": decimal_or_none(entry.get("inflows_1w"), f"{where} inflows_1w"),
        "inflow_30d_usd": decimal_or_none(entry.get("inflows_1m"), f"{where} inflows_1m"),
        "spot_volume_24h_usd": amount_or_none(entry.get("spotVolume"), f"{where} spotVolume"),
    }
