"""Which perpetuals are asked for: the seed alone at first, then the largest of the listing."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from fake_vendor import night_of, settings_at

from pipeline.datasets import get_dataset
from pipeline.errors import ConfigurationError
from pipeline.raw_store import RawStore
from pipeline.settings import Settings
from pipeline.sources.payload import build_frame
from pipeline.sources.universe import PERPS_KEPT, perp_symbols, read_seed, spot_pairs

DAY = date(2026, 7, 10)
HEADER = "venue,perp_symbol,coin_id,multiplier,valid_from,valid_to,note\n"


@pytest.fixture
def configured(tmp_path: Path) -> Settings:
    """A home with an empty archive and a seed of a few symbols."""
    reference = tmp_path / "sql" / "reference"
    reference.mkdir(parents=True)
    (reference / "perp_symbol.csv").write_text(
        HEADER
        + "binance,AAVEUSDT,aave-aave,1,,,\n"
        + "binance,BTCUSDT,bitcoin,1,,,\n"
        + "binance,DEFIUSDT,,,,,index\n"
        + "binance,FTMUSDT,fantom,1,,2025-02-01,\n"
        + "binance,1000PEPEUSDT,pepe,1000,,,\n"
        + "binance_spot,PEPEUSDT,pepe,1,,,\n"
        + "okx,BTC,bitcoin,1,,,\n"
    )
    return settings_at(night_of(DAY), tmp_path / "home", sql_dir=tmp_path / "sql")


def store(settings: Settings, rows: list[dict[str, object]], known_at: datetime) -> None:
    dataset = get_dataset("perp_listing_daily")
    frame = build_frame(
        dataset,
        [{"source": "coingecko", "venue": "binance", "market_date": DAY} | row for row in rows],
    )
    RawStore(settings.raw_dir, 1).append(
        dataset, frame, run_id="night", known_at=known_at, vintage="live"
    )


def perp(base: str, quote: str, interest: float | None, **more: object) -> dict[str, object]:
    row: dict[str, object] = {
        "perp_symbol": base + quote,
        "base_symbol": base,
        "quote_symbol": quote,
        "open_interest_usd": interest,
    }
    return row | more


def test_first_night_works_from_the_seed_alone(configured: Settings) -> None:
    assert perp_symbols(configured, "binance", DAY) == ("BTCUSDT", "1000PEPEUSDT", "AAVEUSDT")
    assert perp_symbols(configured, "okx", DAY) == ("BTC",)
    assert perp_symbols(configured, "nowhere", DAY) == ()


def test_seed_counts_on_the_days_on_which_it_is_valid(configured: Settings) -> None:
    assert "FTMUSDT" in perp_symbols(configured, "binance", date(2025, 1, 31))
    assert "FTMUSDT" not in perp_symbols(configured, "binance", date(2025, 2, 1))


def test_listing_brings_its_largest_one_per_base(configured: Settings) -> None:
    store(
        configured,
        [
            perp("AAA", "USDT", 5.0),
            perp("BBB", "USDT", 7.0),
            perp("BBB", "USDC", 9.0),
            perp("CCC", "USDC", 6.0),
            perp("DDD", "USD1", 99.0),
            perp("DEFI", "USDT", 99.0),
            perp("FTM", "USDT", 99.0),
            perp("BTC", "USDT", 1.0),
            perp("EEE", "USDT", None),
        ],
        night_of(DAY),
    )
    assert perp_symbols(configured, "binance", DAY) == (
        "BTCUSDT",
        "BBBUSDT",
        "CCCUSDC",
        "AAAUSDT",
        "EEEUSDT",
    )


def test_listing_is_cut_at_a_number_of_perpetuals(configured: Settings) -> None:
    store(
        configured,
        [
            *(perp(f"N{number}", "USDT", 1e6 - number) for number in range(PERPS_KEPT + 20)),
            perp("AAVE", "USDT", 1.0),
        ],
        night_of(DAY),
    )
    symbols = perp_symbols(configured, "binance", DAY)
    # What is reviewed is asked for however small it is.
    assert len(symbols) == PERPS_KEPT + 1
    assert "AAVEUSDT" in symbols
    assert f"N{PERPS_KEPT - 1}USDT" in symbols
    assert f"N{PERPS_KEPT}USDT" not in symbols


def test_newest_listing_up_to_the_day_counts_in_its_latest_word(configured: Settings) -> None:
    store(configured, [perp("OLD", "USDT", 1.0, market_date=date(2026, 7, 1))], night_of(DAY))
    store(configured, [perp("NEW", "USDT", 1.0, market_date=date(2026, 7, 9))], night_of(DAY))
    store(configured, [perp("LATE", "USDT", 1.0, market_date=date(2026, 7, 20))], night_of(DAY))
    assert "NEWUSDT" in perp_symbols(configured, "binance", DAY)
    assert not {"OLDUSDT", "LATEUSDT"} & set(perp_symbols(configured, "binance", DAY))
    assert "OLDUSDT" in perp_symbols(configured, "binance", date(2026, 7, 2))
    assert perp_symbols(configured, "okx", DAY) == ("BTC",)
    later = datetime(2026, 8, 1, tzinfo=UTC)
    revised = perp("NEW", "TUSD", 1.0, market_date=date(2026, 7, 9), perp_symbol="NEWUSDT")
    store(configured, [revised], later)
    assert "NEWUSDT" not in perp_symbols(configured, "binance", DAY)


@pytest.mark.parametrize(("age_days", "is_asked"), [(7, False), (8, True)])
def test_reviewed_symbol_that_a_fresh_listing_lacks_is_not_asked_for(
    configured: Settings, age_days: int, is_asked: bool
) -> None:
    listed_on = DAY - timedelta(days=age_days)
    store(configured, [perp("NEW", "USDT", 1.0, market_date=listed_on)], night_of(DAY))
    symbols = perp_symbols(configured, "binance", DAY)
    assert "NEWUSDT" in symbols
    assert ("AAVEUSDT" in symbols) == is_asked


def test_users_own_rows_take_the_place_of_shipped_ones(configured: Settings) -> None:
    configured.reference_dir.mkdir(parents=True)
    (configured.reference_dir / "perp_symbol.csv").write_text(
        HEADER + "binance,BTCUSDT,,,,,not wanted\nbinance,XUSDT,x,1,,,\n"
    )
    assert perp_symbols(configured, "binance", DAY) == ("1000PEPEUSDT", "AAVEUSDT", "XUSDT")


def test_spot_pairs_never_cut_a_name(configured: Settings) -> None:
    assert spot_pairs(configured, DAY, DAY) == {
        "BTCUSDT": "bitcoin",
        "PEPEUSDT": "pepe",
        "AAVEUSDT": "aave-aave",
    }


def test_spot_pair_that_changes_its_coin_in_the_span_is_left_out() -> None:
    shipped = Settings.model_validate({"_env_file": None})
    may = date(2022, 5, 1), date(2022, 5, 31)
    assert "LUNAUSDT" not in spot_pairs(shipped, *may)
    assert spot_pairs(shipped, date(2022, 5, 10), date(2022, 5, 12))["LUNAUSDT"] == "terra-classic"
    assert spot_pairs(shipped, date(2022, 6, 1), date(2022, 6, 30))["LUNAUSDT"] == "terra"
    assert not {"RNDRUSDT", "RENDERUSDT"} & set(
        spot_pairs(shipped, date(2024, 7, 1), date(2024, 7, 31))
    )


@pytest.mark.parametrize("row", ["binance,X,x,one,,,", "binance,X,x,1,soon,,", "binance,X"])
def test_damaged_seed_is_named(configured: Settings, row: str) -> None:
    path = configured.sql_dir / "reference" / "perp_symbol.csv"
    path.write_text(HEADER + row + "\n")
    with pytest.raises(ConfigurationError, match=r"perp_symbol\.csv line 2"):
        read_seed(configured)


def test_seed_may_be_absent(configured: Settings) -> None:
    shutil.rmtree(configured.sql_dir)
    assert perp_symbols(configured, "binance", DAY) == ()
