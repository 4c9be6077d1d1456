"""Which perpetuals to ask a venue for: those of the coins that matter, known on the day."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.datasets import get_dataset
from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from pipeline.settings import Settings

PERPS_KEPT = 300
"""Perpetuals of a listing that are asked for, by open interest."""

LISTING_DAYS = 7
"""A listing as old as that still tells which symbols trade."""

SPOT_VENUE = "binance_spot"
"""Venue of the seed's spot pairs; not a venue of perpetuals."""

# Asked first, so that a day that is not there yet is noticed at once, and so that a vendor
# with a small budget spends it on the coins that weigh most.
FIRST_COINS = (
    "bitcoin",
    "ethereum",
    "solana",
    "xrp",
    "bnb",
    "dogecoin",
    "cardano",
    "chainlink",
    "avalanche",
    "tron",
    "sui",
    "litecoin",
    "bitcoin-cash",
    "polkadot",
    "hyperliquid",
    "pepe",
    "near-protocol",
    "uniswap",
    "aave-aave",
    "shiba-inu",
)
_SEED = "perp_symbol.csv"
_SEED_KEY = ("venue", "perp_symbol", "valid_from")


@dataclass(frozen=True)
class PerpSymbol:
    """One reviewed row of ``reference.perp_symbol``; open ends are None."""

    venue: str
    symbol: str
    coin_id: str | None
    multiplier: float | None
    valid_from: date | None
    valid_to: date | None

    def is_valid_on(self, day: date) -> bool:
        """Return whether the symbol meant this coin on a day; ``valid_to`` is not in it."""
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_to is None or day < self.valid_to
        )


def read_seed(settings: Settings) -> tuple[PerpSymbol, ...]:
    """Read the reviewed symbols, the user's own rows in place of those with the same key.

    Raises:
        ConfigurationError: A file lacks a column, or a cell is not a day or a number.
    """
    rows: dict[tuple[str, ...], PerpSymbol] = {}
    for path in (
        settings.sql_dir / "reference" / _SEED,
        settings.reference_dir / _SEED,
    ):
        if path.exists():
            rows |= _read_seed_file(path)
    return tuple(rows[key] for key in sorted(rows))


def _read_seed_file(path: Path) -> dict[tuple[str, ...], PerpSymbol]:
    rows = {}
    with path.open(encoding="utf-8", newline="") as handle:
        for number, row in enumerate(csv.DictReader(handle), start=2):
            try:
                rows[tuple(row[name] for name in _SEED_KEY)] = _seed_row(row)
            except (KeyError, TypeError, ValueError) as exc:
                raise ConfigurationError(f"{path} line {number} cannot be read: {exc!r}") from exc
    return rows


def _seed_row(row: Mapping[str, str | None]) -> PerpSymbol:
    cells = {name: value for name, value in row.items() if value is not None}
    return PerpSymbol(
        venue=cells["venue"],
        symbol=cells["perp_symbol"],
        coin_id=cells["coin_id"] or None,
        multiplier=float(cells["multiplier"]) if cells["multiplier"] else None,
        valid_from=_day_or_none(cells["valid_from"]),
        valid_to=_day_or_none(cells["valid_to"]),
    )


def _day_or_none(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def perp_symbols(settings: Settings, venue: str, market_date: date) -> tuple[str, ...]:
    """Return the perpetuals to ask a venue for on a day.

    Args:
        settings: Where the raw archive and the seed are.
        venue: As in the column ``venue``: ``binance``, ``bybit``, ``okx``, ``gate``.
        market_date: The UTC day; nothing listed later counts.

    Returns:
        Symbols as the venue writes them, each once, those of ``FIRST_COINS`` first. They are
        the ``PERPS_KEPT`` largest by open interest of the newest listing up to the day, quoted
        in USDT (in USDC where there is no USDT perpetual), united with the seed's symbols of
        that day. What the seed calls no coin is left out, and so is a symbol of the seed that
        a listing of the last ``LISTING_DAYS`` does not have. Without any listing it is the
        seed alone, so that the first night needs nothing else.
    """
    reviewed = [row for row in read_seed(settings) if row.venue == venue]
    coin_of = {row.symbol: row.coin_id for row in reviewed if row.is_valid_on(market_date)}
    seeded = [symbol for symbol, coin_id in coin_of.items() if coin_id is not None]
    # Reviewed, but no coin, or another one on another day.
    unwanted = {row.symbol for row in reviewed}.difference(seeded)
    listing_date, listed = _newest_listing(settings, venue, market_date)
    is_fresh = listing_date is not None and (market_date - listing_date).days <= LISTING_DAYS
    traded = {symbol for symbol, _, _ in listed}
    symbols = dict.fromkeys(
        [symbol for symbol in _one_per_base(listed) if symbol not in unwanted][:PERPS_KEPT]
    )
    symbols |= dict.fromkeys(symbol for symbol in seeded if symbol in traded or not is_fresh)
    return tuple(sorted(symbols, key=lambda symbol: _precedence(coin_of.get(symbol))))


def spot_pairs(settings: Settings, first: date, last: date) -> dict[str, str]:
    """Return Binance's spot pairs in USDT and the coins that they price, from the seed.

    A perpetual of multiplier 1 has the name of the spot pair. Of a coin for which that is not
    so, the pair is a row of the venue ``SPOT_VENUE``, as no name may be cut.

    Args:
        settings: Where the seed is.
        first: First UTC day of a span.
        last: Its last day.

    Returns:
        Coin by pair, those of ``FIRST_COINS`` first. A pair that changes its coin in the span,
        and a coin that changes its pair, are left out.
    """
    rows = [
        (row.venue, row.symbol, row.coin_id)
        for row in read_seed(settings)
        if row.coin_id is not None
        and row.multiplier == 1
        and row.symbol.endswith("USDT")
        and (row.valid_from is None or row.valid_from <= last)
        and (row.valid_to is None or row.valid_to > first)
    ]
    spot = [(symbol, coin_id) for venue, symbol, coin_id in rows if venue == SPOT_VENUE]
    named = {coin_id for _, coin_id in spot}
    pairs = spot + [
        (symbol, coin_id)
        for venue, symbol, coin_id in rows
        if venue == "binance" and coin_id not in named
    ]
    pair_counts = Counter(symbol for symbol, _ in pairs)
    coin_counts = Counter(coin_id for _, coin_id in pairs)
    single = [pair for pair in pairs if pair_counts[pair[0]] == coin_counts[pair[1]] == 1]
    return dict(sorted(single, key=lambda pair: _precedence(pair[1])))


def _precedence(coin_id: str | None) -> int:
    return FIRST_COINS.index(coin_id) if coin_id in FIRST_COINS else len(FIRST_COINS)


def _one_per_base(listed: list[tuple[str, str, str]]) -> list[str]:
    """Return the symbols in USDT, and those in USDC whose base has none, in their order."""
    in_usdt = {base for _, base, quote in listed if quote == "USDT"}
    return [
        symbol
        for symbol, base, quote in listed
        if quote == "USDT" or (quote == "USDC" and base not in in_usdt)
    ]


def _newest_listing(
    settings: Settings, venue: str, market_date: date
) -> tuple[date | None, list[tuple[str, str, str]]]:
    """Return day, and symbol, base and quote by open interest, of the newest listing."""
    from pipeline.database import open_scratch
    from pipeline.raw_store import RawStore

    dataset = get_dataset("perp_listing_daily")
    store = RawStore(settings.raw_dir, settings.threads)
    if not store.files(dataset):
        return None, []
    with open_scratch(settings.threads) as connection:
        rows = connection.execute(
            f"""
            with known as (
                select * from ({store.select(dataset)})
                where venue = $venue and market_date <= $market_date
            ),
            latest as (
                select * from known
                where market_date = (select max(market_date) from known)
                qualify row_number() over (
                    partition by perp_symbol order by known_at desc, source, run_id
                ) = 1
            )
            select market_date, perp_symbol, coalesce(base_symbol, perp_symbol),
                coalesce(quote_symbol, '')
            from latest
            order by open_interest_usd desc nulls last, perp_symbol
            """,
            {"venue": venue, "market_date": market_date},
        ).fetchall()
    day = rows[0][0] if rows else None
    return day, [(str(symbol), str(base), str(quote)) for _, symbol, base, quote in rows]
