"""What a load may take of the machine's memory: the largest body there is, and bombs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from large_body import PROTOCOL_BYTES, padded_protocol, serving

from pipeline.sandbox.server import create_server
from pipeline.sandbox.spoiled_bodies import BOMB_BYTES

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
NIGHT = date(2024, 2, 23)
MIB = 2**20


def measure(feed: str, root_url: str, home: Path) -> dict[str, Any]:
    """Load a feed in another process; return what it added, its error, and its growth."""
    done = subprocess.run(
        [sys.executable, HERE / "measure_load.py", feed, str(NIGHT), root_url, str(home)],
        env=os.environ | {"PYTHONPATH": str(HERE.parent)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def test_the_largest_body_is_loaded_within_a_gibibyte(tmp_path: Path) -> None:
    body = padded_protocol(NIGHT)
    assert len(body) >= PROTOCOL_BYTES
    with serving(body) as url:
        measured = measure("exchange_balance_daily", url, tmp_path)
    assert measured["error"] == ""
    assert measured["added"] > 0
    # The body itself has to be held; less than that would say that nothing was measured.
    assert PROTOCOL_BYTES < measured["grown_bytes"] < 1024 * MIB


@pytest.mark.parametrize(
    ("feed", "vendor"),
    [("exchange_flow_daily", "defillama"), ("positioning_daily.archive", "binance_vision")],
    ids=["gzip", "zip"],
)
def test_a_bomb_is_refused_before_it_is_unpacked(feed: str, vendor: str, tmp_path: Path) -> None:
    with create_server(first_day=date(2024, 1, 1), coin_count=40) as sandbox:
        sandbox.market.until(NIGHT + timedelta(days=1))
        sandbox.faults[vendor] = "gzip_bomb"
        now = datetime(2024, 2, 24, 3, tzinfo=UTC)
        measured = measure(feed, sandbox.url(now=now), tmp_path)
    assert measured["error"] != ""
    assert measured["added"] == 0
    assert 0 < measured["grown_bytes"] < BOMB_BYTES
