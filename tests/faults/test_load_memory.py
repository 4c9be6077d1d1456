"""What a load may take of the machine's memory: the largest body there is, and bombs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pipeline.sandbox.server import create_server
from pipeline.sandbox.spoiled_bodies import BOMB_BYTES

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
NIGHT = date(2024, 2, 23)
MIB = 2**20
PROTOCOL_BYTES = 42 * 10**6
CHAINS, DAYS = 12, 800


def padded_protocol() -> bytes:
    """Return a body as DefiLlama's of Binance, as long as that one is."""
    midnight = datetime(NIGHT.year, NIGHT.month, NIGHT.day, tzinfo=UTC) + timedelta(days=1)
    stamps = [int((midnight - timedelta(days=n)).timestamp()) for n in reversed(range(DAYS))]
    value_bytes = len('"TOKEN000": 1234567.890123, ')
    token_count = PROTOCOL_BYTES // (CHAINS * DAYS * 2 * value_bytes) + 1
    tokens = json.dumps({f"TOKEN{n:03}": 1234567.890123 + n for n in range(token_count)})
    points = ", ".join(f'{{"date": {stamp}, "tokens": {tokens}}}' for stamp in stamps)
    chains = ", ".join(
        f'"Chain{n}": {{"tvl": [], "tokens": [{points}], "tokensInUsd": [{points}]}}'
        for n in range(CHAINS)
    )
    return f'{{"name": "Binance CEX", "chainTvls": {{{chains}}}}}'.encode()


@contextmanager
def serving(body: bytes) -> Iterator[str]:
    """Answer every question with one body."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


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
    body = padded_protocol()
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
