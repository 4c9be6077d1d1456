"""What landing a response costs: ``python benchmarks/landing.py [FOLDER]``.

Each round lands the same number of new responses; a round with fsync taken out says how much
of the time is the disk's. Rounds take turns, and the quickest of each counts, as a machine
that does other things besides only ever adds to it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path

from pipeline.landing import Landing
from pipeline.sources.http import HttpResponse

ROUNDS, RESPONSES, BODY_BYTES = 7, 60, 4000
START = datetime(2026, 1, 2, 1, tzinfo=UTC)


def land_some(root: Path) -> None:
    """Land a fetch of new responses."""
    landing = Landing(root)
    for number in range(RESPONSES):
        body = b"[" + os.urandom(BODY_BYTES // 2).hex().encode() + b"]"
        landing.land(
            HttpResponse("https://vendor.example", 200, {}, body, START, "json"),
            source="vendor",
            dataset="market_daily",
            market_date=date(2026, 1, 1),
            name=f"page-{number}",
            run_id="benchmark",
            fetched_at=START,
        )


def main(folder: str) -> None:
    """Print milliseconds and fsyncs of one response."""
    real, calls = os.fsync, 0

    def counted(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        real(descriptor)

    best = {"as it is": float("inf"), "without fsync": float("inf")}
    counts = dict.fromkeys(best, 0.0)
    with tempfile.TemporaryDirectory(dir=folder) as root:
        for number in range(ROUNDS):
            for name, sync in (("as it is", counted), ("without fsync", lambda descriptor: None)):
                os.fsync, calls = sync, 0
                started = time.perf_counter()
                land_some(Path(root) / f"{number}-{name}")
                best[name] = min(best[name], time.perf_counter() - started)
                counts[name] = calls / RESPONSES
    for name, seconds in best.items():
        print(f"{name:14} {seconds / RESPONSES * 1000:7.2f} ms, {counts[name]:.2f} fsyncs each")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ".")
