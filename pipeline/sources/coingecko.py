"""CoinGecko: the night's snapshot of the 500 largest coins.

A snapshot shows the moment of each coin's ``last_updated``, so it stands for the close of a
UTC day only when it was taken around it: see ``EARLY_HOURS`` and ``LATE_HOURS``.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipeline.errors import NotYetAvailableError, PayloadError, UnobtainableError
from pipeline.sources.base import Source, close_of, vendor_url
from pipeline.sources.payload import (
    integer_or_none,
    number_or_none,
    parse_json,
    shown,
    text_or_none,
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
EARLY_HOURS = 2
LATE_HOURS = 12
# A page that is not the last may miss a few coins; a page cut short misses many.
_FULL_PAGE_COINS = 238
_NAME = re.compile(r"markets-page-([0-9]{1,3})")


@dataclass(frozen=True)
class _Coin:
    page: int
    updated_at: datetime | None
    fields: Mapping[str, object]

    @property
    def coin_id(self) -> str:
        return str(self.fields["coin_id"])


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
        now, close = settings.now(), close_of(market_date)
        if now < close:
            raise NotYetAvailableError(
                f"{market_date} ends at {close:%Y-%m-%d %H:%M} UTC; run again after that"
            )
        if now > close + timedelta(hours=LATE_HOURS):
            raise _unobtainable(market_date, now)
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
        coins = [coin for page in _read_pages(bodies) for coin in page]
        _check_snapshot_time(coins, market_date)
        close = close_of(market_date)
        earliest = close - timedelta(hours=EARLY_HOURS)
        latest = close + timedelta(hours=LATE_HOURS)
        states: dict[str, tuple[datetime, Mapping[str, object]]] = {}
        fresh_count: Counter[int] = Counter()
        for coin in coins:
            if coin.updated_at is None or not earliest <= coin.updated_at <= latest:
                continue
            fresh_count[coin.page] += 1
            known = states.get(coin.coin_id)
            if known is None or coin.updated_at > known[0]:
                states[coin.coin_id] = (coin.updated_at, coin.fields)
        stale_pages = _full_pages(coins) - fresh_count.keys()
        if stale_pages:
            raise PayloadError(
                f"page {min(stale_pages)} holds no coin that was updated around the close of "
                f"{market_date}; an old copy was served, fetch again"
            )
        logger.info(
            "coingecko for %s: %d coins of %d rows; %d rows with an old stamp, %d repeated",
            market_date,
            len(states),
            len(coins),
            len(coins) - fresh_count.total(),
            fresh_count.total() - len(states),
        )
        rows = [{**fields, "market_date": market_date} for _, fields in states.values()]
        rows.sort(key=lambda row: (-_cap(row), str(row["coin_id"])))
        return rows[:COINS_KEPT]


def _cap(row: Mapping[str, object]) -> float:
    cap = row["market_cap_usd"]
    return cap if isinstance(cap, float) else 0.0


def _full_pages(coins: Sequence[_Coin]) -> set[int]:
    sizes = Counter(coin.page for coin in coins)
    return {page for page, size in sizes.items() if size >= _FULL_PAGE_COINS}


def _unobtainable(market_date: date, taken_at: datetime) -> UnobtainableError:
    return UnobtainableError(
        f"CoinGecko shows now only: a snapshot of {taken_at:%Y-%m-%d %H:%M} UTC cannot stand for "
        f"the close of {market_date}; parse what was landed that night, or import history"
    )


def _read_pages(bodies: Sequence[tuple[str, bytes]]) -> list[list[_Coin]]:
    numbered: dict[int, bytes] = {}
    for name, body in bodies:
        match = _NAME.fullmatch(name)
        if match is None or int(match[1]) in numbered:
            raise PayloadError(f"{shown(name)} is not a page of this fetch, or comes twice")
        numbered[int(match[1])] = body
    missing = set(range(1, max(numbered, default=1) + 1)) - numbered.keys()
    if missing:
        raise PayloadError(f"page {min(missing)} of coins/markets is missing; fetch again")
    pages: list[list[_Coin]] = []
    seen: set[str] = set()
    for number, body in sorted(numbered.items()):
        page = _read_page(number, body)
        ids = {coin.coin_id for coin in page}
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


def _read_page(number: int, body: bytes) -> list[_Coin]:
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


def _read_coin(page: int, row: Any, index: int) -> _Coin:
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
    return _Coin(page, _read_stamp(text_or_none(row, "last_updated", where), where), fields)


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


def _check_snapshot_time(coins: Sequence[_Coin], market_date: date) -> None:
    stamps = sorted(coin.updated_at for coin in coins if coin.updated_at is not None)
    if not stamps:
        raise PayloadError("no coin says when it was updated; fetch again")
    taken_at, close = stamps[len(stamps) // 2], close_of(market_date)
    if taken_at > close + timedelta(hours=LATE_HOURS):
        raise _unobtainable(market_date, taken_at)
    if taken_at < close - timedelta(hours=EARLY_HOURS):
        raise PayloadError(
            f"the snapshot is of {taken_at:%Y-%m-%d %H:%M} UTC, more than {EARLY_HOURS} h before "
            f"the close of {market_date}; the day was not over, or CoinGecko stands still: fetch "
            "again later"
        )
