"""The largest body that a vendor sends, made up, and a server that sends it."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PROTOCOL_BYTES = 42 * 10**6
CHAINS, DAYS = 12, 800


def padded_protocol(night: date) -> bytes:
    """Return a body as DefiLlama's of Binance, as long as that one is."""
    midnight = datetime(night.year, night.month, night.day, tzinfo=UTC) + timedelta(days=1)
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
def serving(body: bytes, path: str = "", elsewhere: str = "") -> Iterator[str]:
    """Answer every question whose path ends with ``path`` with one body, and pass on the others."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = body
            if not self.path.endswith(path):
                with urllib.request.urlopen(f"{elsewhere}{self.path}") as other:
                    answer = other.read()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

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
