"""Which ids a vendor is asked for, and how the ids of a vendor are read."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from source_kit import make_settings

from pipeline.errors import ConfigurationError
from pipeline.models import check_reference
from pipeline.settings import Settings
from pipeline.sources.vendor_ids import coin_ids_with_spelling, vendor_coin_ids

REFERENCE = Path(__file__).resolve().parents[2] / "sql" / "reference"
XREF = "source,source_coin_id,coin_id,valid_from,valid_to,note\n"
CLASSES = "coin_id,asset_class,effective_from\n"
IDENTITY = "source,xref_source,id_scheme,note\n"


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    (tmp_path / "reference").mkdir()
    (tmp_path / "home" / "reference").mkdir(parents=True)
    configured = make_settings(sql_dir=tmp_path, home=tmp_path / "home")
    write(configured, "coin_xref", XREF + "v,b-2,beta,,,\nv,b,beta,,2020-01-01,\nw,a-1,alpha,,,\n")
    write(configured, "asset_class", CLASSES + "alpha,coin,\nbeta,coin,\nusd,wrapped,\n")
    write(configured, "vendor_identity", IDENTITY + "u,v,known,\n")
    return configured


def write(configured: Settings, table: str, text: str, *, own: bool = False) -> None:
    folder = configured.reference_dir if own else configured.sql_dir / "reference"
    (folder / f"{table}.csv").write_text(text, encoding="utf-8")


def test_ids_are_those_of_the_source_or_of_the_one_whose_ids_it_uses(home: Settings) -> None:
    assert vendor_coin_ids(home, "v") == ("b", "b-2")
    assert vendor_coin_ids(home, "u") == ("b", "b-2")
    assert vendor_coin_ids(home, "w") == ("a-1",)
    assert vendor_coin_ids(home, "x") == ()


def test_a_users_own_row_adds_to_the_shipped_ones_or_takes_the_place_of_one(
    home: Settings,
) -> None:
    write(home, "coin_xref", XREF + "v,c-9,gamma,,,\n", own=True)
    assert vendor_coin_ids(home, "v") == ("b", "b-2", "c-9")
    write(home, "vendor_identity", IDENTITY + "u,w,known,\n", own=True)
    assert vendor_coin_ids(home, "u") == ("a-1",)


def test_a_coin_goes_by_its_own_id_unless_a_row_says_otherwise(home: Settings) -> None:
    assert coin_ids_with_spelling(home, "u") == ("alpha", "b", "b-2")
    # v's alpha is another coin, which is not one of ours that floats
    write(home, "coin_xref", XREF + "v,alpha,usd,,,homonym: another\n")
    assert coin_ids_with_spelling(home, "u") == ("beta",)


def test_a_broken_table_is_named(home: Settings) -> None:
    write(home, "coin_xref", "source,coin_id\nv,beta\n")
    with pytest.raises(ConfigurationError, match="coin_xref"):
        vendor_coin_ids(home, "v")
    (home.sql_dir / "reference" / "vendor_identity.csv").unlink()
    with pytest.raises(ConfigurationError, match="vendor_identity"):
        vendor_coin_ids(home, "v")


def shipped(table: str) -> list[dict[str, str]]:
    with (REFERENCE / f"{table}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_shipped_identities_follow_their_documentation() -> None:
    check_reference(REFERENCE.parent, "vendor_identity", REFERENCE / "vendor_identity.csv")
    rows = shipped("vendor_identity")
    assert [row["source"] for row in rows] == sorted({row["source"] for row in rows})
    assert {row["id_scheme"] for row in rows} <= {"canonical", "known"}
    listed = {row["source"] for row in shipped("coin_xref")}
    assert {row["xref_source"] for row in rows} <= listed


def test_ids_of_the_vendors_that_do_not_use_ours_are_never_taken_for_ours_unseen() -> None:
    schemes = {row["source"]: row["id_scheme"] for row in shipped("vendor_identity")}
    mapped = ("cmc_listings", "coinmetrics", "coinmetrics_archive", "coinpaprika", "defillama")
    assert {name: schemes.get(name) for name in mapped} == dict.fromkeys(mapped, "known")


@pytest.mark.parametrize(
    ("source", "vendor_id", "coin_id"),
    [
        ("cmc_listings", "tether", "tether-usdt"),
        ("cmc_listings", "worldcoin-org", "worldcoin"),
        ("cmc_listings", "beam", "beam-mimblewimble"),
        ("cmc_listings", "onbeam", "beam"),
        ("coinmetrics", "btc", "bitcoin"),
        ("coinmetrics", "eth", "ethereum"),
        ("coinpaprika", "btc-bitcoin", "bitcoin"),
        ("coinpaprika", "toncoin-the-open-network", "toncoin"),
    ],
)
def test_shipped_ids_lead_to_the_coin_that_they_mean(
    source: str, vendor_id: str, coin_id: str
) -> None:
    found = [
        row["coin_id"]
        for row in shipped("coin_xref")
        if (row["source"], row["source_coin_id"]) == (source, vendor_id)
    ]
    assert found == [coin_id]


def test_prices_are_asked_for_under_coingeckos_ids() -> None:
    ids = set(coin_ids_with_spelling(make_settings(), "defillama"))
    assert {"bitcoin", "ripple", "binancecoin", "avalanche-2"} <= ids
    assert not {"xrp", "bnb", "avalanche", "tether", "usd-coin"} & ids
