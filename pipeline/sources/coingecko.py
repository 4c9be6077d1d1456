"""CoinGecko: the night's snapshot of the 500 largest coins.

A snapshot shows the moment of each coin's ``last_updated``, so it stands for the close of a
UTC day only when it was taken around it: see ``pipeline.sources.snapshot``.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from pipeline.errors import PayloadError
from pipeline.sources.base import Source, vendor_url
from pipeline.sources.payload import (
    integer_or_none,
    number_or_none,
    parse_json,
    shown,
    text_or_none,
)
from pipeline.sources.snapshot import (
    SnapshotCoin,
    check_askable,
    check_snapshot,
    fresh_coins,
    largest_rows,
    latest_states,
)
from pipeline.sources.vendors import get_vendor

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.sources.http import HttpClient, HttpResponse

logger = logging.getLogger(__name__)

COINS_KEPT = 500
COINS_PER_PAGE = 250
# One page more than needed: ranks move between two requests and push coins over the edge.
PAGES = 3
# A page that is not the last may miss a few coins; a page cut short misses many.
_FULL_PAGE_COINS = 238
_NAME = re.compile(r"markets-page-([0-9]{1,3})")


class CoinGecko(Source):
    """``/coins/markets``: price, cap, supply and volume of the largest coins, for now only."""

    name = "coingecko"
    vendor = "coingecko"
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
        """Ask for ``PAGES`` pages, if now is a time at which they can describe the day.

        See ``Source.fetch``; ``since`` changes nothing here.

        Raises:
            NotYetAvailableError: The day is not over.
            UnobtainableError: The day's close is more than ``LATE_HOURS`` ago.
        """
        check_askable(settings, market_date, "CoinGecko")
        secrets = get_vendor(self.vendor).secret_headers(settings)
        for page in range(1, PAGES + 1):
            response = client.get(
                vendor_url(settings, self.vendor, "api/v3/coins/markets"),
                params={
                    "vs_currency": "usd",
                    "order": "market_cap_desc",
                    "per_page": str(COINS_PER_PAGE),
                    "page": str(page),
                    "sparkline": "false",
                    "include_rehypothecated": "false",
                    "precision": "full",
                },
                secret_headers=secrets,
            )
            yield f"markets-page-{page}", response

    def read_rows(
        self, bodies: Sequence[tuple[str, bytes]], market_date: date, first: date
    ) -> Sequence[Mapping[str, object]]:
        """Read the pages of one night; ``first`` changes nothing here.

        Returns:
            One row per coin, the ``COINS_KEPT`` largest by cap, in US dollars and coins; a
            cap or supply of 0 is null. A coin that occurs twice keeps its latest state. A
            coin whose stamp is not around the close (a dead coin keeps its last one) is left
            out and counted in the log.

        Raises:
            PayloadError: An error body, a page missing, repeated, empty or cut short, a field
                missing or of another type, or a snapshot from before the close.
            UnobtainableError: The snapshot was taken more than ``LATE_HOURS`` after the close.
        """
        pages = _read_pages(bodies)
        coins = [coin for page in pages for coin in page]
        check_snapshot(coins, market_date, "CoinGecko")
        for number, page in enumerate(pages, start=1):
            if len(page) >= _FULL_PAGE_COINS and not fresh_coins(page, market_date):
                raise PayloadError(
                    f"page {number} holds no coin that was updated around the close of "
                    f"{market_date}; an old copy was served, fetch again"
                )
        fresh_count = len(fresh_coins(coins, market_date))
        states = latest_states(coins, market_date)
        logger.info(
            "coingecko for %s: %d coins of %d rows; %d rows with an old stamp, %d repeated",
            market_date,
            len(states),
            len(coins),
            len(coins) - fresh_count,
            fresh_count - len(states),
        )
        return largest_rows(states, market_date, COINS_KEPT)


def _read_pages(bodies: Sequence[tuple[str, bytes]]) -> list[list[SnapshotCoin]]:
    numbered: dict[int, bytes] = {}
    for name, body in bodies:
        match = _NAME.fullmatch(name)
        if match is None or int(match[1]) in numbered:
            raise PayloadError(f"{shown(name)} is not a page of this fetch, or comes twice")
        numbered[int(match[1])] = body
    missing = set(range(1, max(numbered, default=1) + 1)) - numbered.keys()
    if missing:
        raise PayloadError(f"page {min(missing)} of coins/markets is missing; fetch again")
    pages: list[list[SnapshotCoin]] = []
    seen: set[object] = set()
    for number, body in sorted(numbered.items()):
        page = _read_page(number, body)
        ids = {coin.fields["coin_id"] for coin in page}
        if page and ids <= seen:
            raise PayloadError(f"page {number} repeats coins of earlier pages only; fetch again")
        if page and pages and len(pages[-1]) < _FULL_PAGE_COINS:
            raise PayloadError(
                f"page {number - 1} holds {len(pages[-1])} of {COINS_PER_PAGE} coins though page "
                f"{number} goes on; fetch again"
            )
        if not page and number < PAGES and (not pages or len(pages[-1]) >= _FULL_PAGE_COINS):
            raise PayloadError(f"page {number} of coins/markets is empty; fetch again")
        seen |= ids
        pages.append(page)
    if len(pages) < PAGES and len(pages[-1]) >= _FULL_PAGE_COINS:
        raise PayloadError(f"pages after page {len(pages)} are missing; fetch again")
    return pages


def _read_page(number: int, body: bytes) -> list[SnapshotCoin]:
    content = parse_json(body)
    if not isinstance(content, list):
        raise PayloadError(f"page {number}: no list of coins but {_error_text(content)}")
    return [_read_coin(number, row, index) for index, row in enumerate(content, start=1)]


def _error_text(content: Any) -> str:
    """Return what CoinGecko says in one of its three shapes of error."""
    said = content
    for field in ("error", "status"):
        if isinstance(said, dict) and field in said:
            said = said[field]
    if isinstance(said, dict) and "error_code" in said:
        said = f"error {said['error_code']}: {said.get('error_message')}"
    return shown(said)


def _read_coin(page: int, row: Any, index: int) -> SnapshotCoin:
    where = f"page {page}, row {index}"
    if not isinstance(row, dict):
        raise PayloadError(f"{where}: {shown(row)} is not a coin")
    coin_id = row.get("id")
    if not isinstance(coin_id, str) or not coin_id.strip() == coin_id != "":
        raise PayloadError(f"{where}: the id {shown(coin_id)} is not a slug")
    if not coin_id.isprintable():
        raise PayloadError(f"{where}: the id {shown(coin_id)} holds control characters")
    symbol = text_or_none(row, "symbol", where)
    fields: dict[str, object] = {
        "source": CoinGecko.name,
        "coin_id": coin_id,
        "symbol": symbol.upper() if symbol else None,
        "name": text_or_none(row, "name", where),
        "price_usd": number_or_none(row, "current_price", where),
        "market_cap_usd": number_or_none(row, "market_cap", where) or None,
        "circulating_supply": number_or_none(row, "circulating_supply", where) or None,
        "volume_24h_usd": number_or_none(row, "total_volume", where),
        "provider_rank": integer_or_none(row, "market_cap_rank", where),
    }
    return SnapshotCoin(_read_stamp(text_or_none(row, "last_updated", where), where), fields)


def _read_stamp(text: str | None, where: str) -> datetime | None:
    if text is None:
        return None
    try:
        stamp = datetime.fromisoformat(text)
        if stamp.tzinfo is not None:
            return stamp.astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise PayloadError(f"{where}: last_updated {shown(text)} is not a time") from exc
    raise PayloadError(f"{where}: last_updated {shown(text)} has no time zone")
