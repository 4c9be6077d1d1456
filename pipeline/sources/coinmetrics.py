"""CoinMetrics' community API: on-chain metrics a day, without a key.

Values are revised for days after the first time they are given, so the trailing window is
read again every night.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pipeline.errors import NotYetAvailableError, PayloadError, SourceError
from pipeline.sources.base import Source, first_day, vendor_url
from pipeline.sources.payload import parse_json, shown, text_or_none
from pipeline.sources.shapes import as_list, as_object, decimal_amount, numbered_bodies, slug
from pipeline.sources.vendor_ids import vendor_coin_ids

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.sources.http import HttpClient, HttpResponse

METRICS = (
    "AdrActCnt",
    "CapMVRVCur",
    "FlowInExNtv",
    "FlowInExUSD",
    "FlowOutExNtv",
    "FlowOutExUSD",
    "SplyCur",
    "SplyExNtv",
    "SplyExUSD",
)
"""What is asked for. None of them can be below zero; ``Ntv`` is in coins, ``USD`` in dollars."""

# Tickers that are also our ids of the same coins, so that coin_xref does not list them.
SAME_SPELLING = (
    "0g",
    "1inch",
    "ankr",
    "bnb",
    "bonk",
    "dai",
    "dash",
    "eos",
    "floki",
    "flow",
    "gala",
    "iota",
    "mina",
    "neo",
    "nexo",
    "okb",
    "ondo",
    "pendle",
    "pepe",
    "sei",
    "sui",
    "uma",
    "usdc",
    "xrp",
)
ROWS_PER_PAGE = 10_000
MAX_PAGES = 500
_PATH = "v4/timeseries/asset-metrics"
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T00:00:00(\.0{1,9})?Z")


def assets_asked(settings: Settings) -> tuple[str, ...]:
    """Return the tickers of the reviewed coins that CoinMetrics follows, sorted."""
    return tuple(sorted({*vendor_coin_ids(settings, "coinmetrics"), *SAME_SPELLING}))


class CoinMetrics(Source):
    """``/timeseries/asset-metrics``: exchange flows and balances, MVRV, supply, addresses.

    ``coin_id`` is the vendor's ticker; ``reference.coin_xref`` maps it. Flows are free for
    Bitcoin and Ether only: which metrics an asset has is the vendor's answer of the night.
    """

    name = "coinmetrics"
    vendor = "coinmetrics"
    dataset = "onchain_daily"
    kind = "by_date"
    earliest_date = date(2010, 7, 18)

    def fetch(
        self,
        client: HttpClient,
        settings: Settings,
        market_date: date,
        *,
        since: date | None = None,
    ) -> Iterator[tuple[str, HttpResponse]]:
        """Ask for every asset and metric at once, and follow the pages.

        See ``Source.fetch``. What is not free, or not there for an asset, is left out by the
        vendor rather than refused.

        Raises:
            PayloadError: The next page is at another address, or the pages do not end.
        """
        first = max(first_day(market_date, since), self.earliest_date or date.min)
        url = vendor_url(settings, self.vendor, _PATH)
        params: dict[str, str] | None = {
            "assets": ",".join(assets_asked(settings)),
            "metrics": ",".join(METRICS),
            "frequency": "1d",
            "start_time": first.isoformat(),
            "end_time": market_date.isoformat(),
            "page_size": str(ROWS_PER_PAGE),
            "paging_from": "start",
            "ignore_forbidden_errors": "true",
            "ignore_unsupported_errors": "true",
        }
        asked: set[str] = set()
        next_url: str | None = url
        while next_url is not None:
            asked.add(next_url)
            response = client.get(next_url, params=params)
            yield f"asset-metrics-{len(asked)}", response
            next_url, params = _next_page(response.body, url), None
            if next_url in asked or len(asked) >= MAX_PAGES:
                raise PayloadError(f"the pages of {_PATH} do not end; fetch again later")

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read the pages.

        Returns:
            One row per day, asset and metric; null, and a metric that the asset does not
            have, have no row.

        Raises:
            SourceError: A body carries the vendor's own error.
            PayloadError: Not the documented shape, a value that is not a number from zero
                upwards, or a value twice that differs.
            NotYetAvailableError: No asset has a value of the day.
        """
        values: dict[tuple[date, str, str], float] = {}
        for number, body in enumerate(numbered_bodies(bodies, "asset-metrics"), start=1):
            page = _read_page(body, number)
            for index, entry in enumerate(as_list(page.get("data"), f"page {number}"), start=1):
                for key, value in _read_row(entry, f"page {number}, row {index}"):
                    if values.setdefault(key, value) != value:
                        raise PayloadError(f"{key[1]} {key[2]} of {key[0]} comes twice, differing")
        newest = max((day for day, _, _ in values if day <= market_date), default=None)
        if newest != market_date:
            raise NotYetAvailableError(
                f"no asset has a value of {market_date} yet, the newest is of {newest}; run again "
                "later"
            )
        return [
            {
                "market_date": day,
                "source": self.name,
                "coin_id": asset,
                "metric": metric,
                "value": value,
            }
            for (day, asset, metric), value in sorted(values.items())
            if first <= day <= market_date
        ]


def _read_page(body: bytes, number: int) -> dict[str, Any]:
    page = as_object(parse_json(body), f"page {number}")
    if "error" in page:
        raise SourceError(f"it says {shown(page['error'])}; run again later")
    return page


def _next_page(body: bytes, url: str) -> str | None:
    """Return the address of the next page, which must be the one that was asked.

    Raises:
        PayloadError: It is another one: an answer must not send us elsewhere.
    """
    page = _read_page(body, 1)
    if page.get("next_page_url") is None:
        return None
    next_url = text_or_none(page, "next_page_url", "the page") or ""
    try:
        given, own = urlsplit(next_url), urlsplit(url)
    except ValueError as exc:
        raise PayloadError(f"the next page, {shown(next_url)}, is no address") from exc
    if (given.scheme, given.netloc, given.path) != (own.scheme, own.netloc, own.path):
        raise PayloadError(f"the next page, {shown(next_url)}, is not below {url}; fetch again")
    return next_url


def _read_row(entry: Any, where: str) -> Iterator[tuple[tuple[date, str, str], float]]:
    row = as_object(entry, where)
    asset = slug(row, "asset", where)
    stamp = text_or_none(row, "time", where) or ""
    match = _TIME.fullmatch(stamp)
    try:
        day = date.fromisoformat(match[1]) if match else None
    except ValueError:
        day = None
    if day is None:
        raise PayloadError(f"{where}: the time {shown(stamp)} is not 00:00 UTC of a day")
    for metric in METRICS:
        text = text_or_none(row, metric, where) if metric in row else None
        if text is not None:
            yield (day, asset, metric), decimal_amount(text, f"{where}, {metric}")
