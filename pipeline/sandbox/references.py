"""Reference rows for a simulated market, as a user writes them for coins that we do not know."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path

from pipeline.files import write_bytes_atomically
from pipeline.sandbox.market import SimulatedMarket
from pipeline.sandbox.messages import World
from pipeline.sandbox.vendors.bybit import bybit_symbols
from pipeline.sandbox.vendors.coinmetrics_series import asset_numbers
from pipeline.sandbox.vendors.coinpaprika import paprika_id
from pipeline.sandbox.vendors.gate import gate_contracts
from pipeline.sandbox.vendors.okx import okx_currencies

_NOTE = "simulated"
_PERP_COLUMNS = (
    "venue",
    "perp_symbol",
    "coin_id",
    "multiplier",
    "valid_from",
    "valid_to",
    "note",
)
_PERP_KEY = ("venue", "perp_symbol", "valid_from")
_SIMULATED = "sim-"


def write_classes(market: SimulatedMarket, first: date, last: date, folder: Path) -> Path:
    """Write ``asset_class.csv``: a class for every simulated coin of a span of days."""
    coin_ids = market.market_history(first, last)["coin_id"].unique()
    rows = [
        f"{coin_id},coin,,,,{_NOTE}\n"
        for coin_id in sorted(coin_ids)
        if coin_id.startswith(_SIMULATED)
    ]
    path = folder / "asset_class.csv"
    header = "coin_id,asset_class,parent_coin_id,effective_from,effective_to,note\n"
    write_bytes_atomically(path, (header + "".join(rows)).encode())
    return path


def _write_ids(market: SimulatedMarket, folder: Path) -> Path:
    """Write ``coin_xref.csv``: what the other vendors call the simulated coins."""
    tickers = {number: name for name, number in asset_numbers(market).items()}
    lines = []
    for number, coin in enumerate(market.coins):
        if coin.coin_id.startswith(_SIMULATED):
            spellings = {
                "cmc_listings": coin.coin_id,
                "coinpaprika": paprika_id(coin.symbol, coin.name),
                "coinmetrics": tickers[number],
            }
            lines += [
                f"{source},{spelling},{coin.coin_id},,,{_NOTE}\n"
                for source, spelling in spellings.items()
            ]
    path = folder / "coin_xref.csv"
    header = "source,source_coin_id,coin_id,valid_from,valid_to,note\n"
    write_bytes_atomically(path, (header + "".join(sorted(lines))).encode())
    return path


def _list_perps(world: World) -> dict[tuple[str, str], tuple[str, int]]:
    """Return coin and multiplier by venue and symbol, of what trades at the last close."""
    perps = world.market.derivatives.perps
    listed = {
        ("binance", perp.symbol): (perp.coin_id, perp.multiplier)
        for perp in perps
        if perp.is_listed(world.last_index)
    }
    for symbol, column in bybit_symbols(world).items():
        if perps[column].is_listed(world.last_index):
            listed["bybit", symbol] = (perps[column].coin_id, perps[column].multiplier)
    for venue, names in (("okx", okx_currencies(world)), ("gate", gate_contracts(world))):
        listed |= {(venue, name): (perps[column].coin_id, 1) for name, column in names.items()}
    return listed


def _write_perps(world: World, folder: Path, shipped: Path) -> Path:
    """Write ``perp_symbol.csv``, in which a reviewed symbol that is not simulated is no coin."""
    rows = {
        (venue, symbol, ""): (coin_id, str(multiplier))
        for (venue, symbol), (coin_id, multiplier) in _list_perps(world).items()
    }
    with shipped.open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            key = (row[_PERP_KEY[0]], row[_PERP_KEY[1]], row[_PERP_KEY[2]])
            if key not in rows:
                rows[key] = ("", "")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_PERP_COLUMNS)
    for (venue, symbol, valid_from), (coin_id, multiplier) in sorted(rows.items()):
        writer.writerow((venue, symbol, coin_id, multiplier, valid_from, "", _NOTE))
    path = folder / "perp_symbol.csv"
    write_bytes_atomically(path, text.getvalue().encode())
    return path


def export_references(world: World, folder: Path, sql_dir: Path) -> list[Path]:
    """Write what the extractors need to know to ask the sandbox as they ask the vendors.

    Args:
        world: The market, and the time whose perpetuals are listed.
        folder: Gets ``coin_xref.csv`` and ``perp_symbol.csv``; such files are replaced.
        sql_dir: Where the reviewed reference tables are; their perpetuals that are not
            simulated are said to be no coins, so that nobody asks for them.

    Returns:
        The files, to be imported like any reference rows of a user's own.
    """
    shipped = sql_dir / "reference" / "perp_symbol.csv"
    return [_write_ids(world.market, folder), _write_perps(world, folder, shipped)]
