"""A home that asks the sandbox gets the market's past before its first night."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest
from pydantic import SecretStr

from pipeline import steps
from pipeline.errors import ConfigurationError
from pipeline.sandbox.filling import fill_home
from pipeline.sandbox.server import create_server
from pipeline.settings import Settings
from pipeline.sources.coinalyze import SYMBOLS_ASKED

FIRST = date(2026, 3, 1)


def settings_of(home: Path, vendor_root_url: str | None = "http://localhost:8089") -> Settings:
    return Settings(
        home=home,
        vendor_root_url=vendor_root_url,
        TIDEMARK_NOW=datetime(2026, 3, 6, 1, tzinfo=UTC),
    )


@pytest.mark.slow
def test_a_home_gets_the_days_before_the_night_and_gets_them_once(tmp_path: Path) -> None:
    settings, told = settings_of(tmp_path), list[str]()
    assert fill_home(settings, 7, FIRST, 40, told.append)
    assert any("rows of market_daily up to 2026-03-04" in line for line in told)
    files = str(settings.raw_dir / "market_daily" / "**" / "*.parquet")
    days = duckdb.sql(f"select min(market_date), max(market_date) from '{files}'").fetchone()
    assert days == (FIRST, date(2026, 3, 4))
    told.clear()
    assert fill_home(settings, 7, FIRST, 40, told.append)
    assert {line.split()[1] for line in told} == {"0"}


@pytest.mark.slow
def test_a_night_asks_for_the_liquidations_that_the_home_has(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    with create_server(7, first_day=FIRST, coin_count=75) as sandbox:
        assert fill_home(settings, 7, FIRST, 75, lambda _: None)
        night = settings.model_copy(
            update={
                "coinalyze_key": SecretStr("any"),
                "vendor_pace": 0,
                "vendor_root_url": sandbox.url(now=settings.now()),
            }
        )
        extracted = steps.extract(night, "liquidation_daily", date(2026, 3, 5), "night")
    loaded = steps.validate_and_load(night, extracted, "night")
    days = (date(2026, 3, 5) - FIRST).days + 1
    assert loaded["added"] == days * SYMBOLS_ASKED
    files = str(settings.raw_dir / "perp_daily" / "**" / "*.parquet")
    listed = duckdb.sql(f"select count(distinct perp_symbol) from '{files}'").fetchone()
    assert listed is not None
    assert listed[0] > 1.3 * SYMBOLS_ASKED


def test_a_home_that_has_published_is_left_alone(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    settings.published_dir.mkdir()
    settings.published_file.touch()
    assert not fill_home(settings, 7, FIRST, 40, pytest.fail)
    assert not settings.raw_dir.exists()


def test_a_home_that_asks_real_vendors_is_not_filled(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="TIDEMARK_VENDOR_ROOT_URL"):
        fill_home(settings_of(tmp_path, None), 7, FIRST, 40, pytest.fail)
    assert list(tmp_path.iterdir()) == []


def test_a_market_without_a_past_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no history"):
        fill_home(settings_of(tmp_path), 7, date(2026, 3, 5), 40, pytest.fail)
