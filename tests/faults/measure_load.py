"""Extract and load one feed in a process of its own, and print how far its memory grew."""

from __future__ import annotations

import json
import resource
import sys
from datetime import date
from pathlib import Path

# What every load needs is there before the measuring begins.
import duckdb  # noqa: F401
import great_expectations  # noqa: F401
import ijson  # noqa: F401
import pandas as pd  # noqa: F401
import pyarrow.parquet as pq  # noqa: F401
from nights import run_time

from pipeline import steps
from pipeline.errors import TidemarkError
from pipeline.settings import Settings

_LINUX_STATUS = Path("/proc/self/status")


def peak_bytes() -> int:
    """Return the most memory that this process ever held."""
    if not _LINUX_STATUS.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # There the other figure begins with that of the process that started this one.
    (line,) = (line for line in _LINUX_STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def main(feed: str, night: str, root_url: str, home: str) -> None:
    day = date.fromisoformat(night)
    settings = Settings(
        _env_file=None,
        home=Path(home),
        vendor_root_url=root_url,
        vendor_pace=0,
        now_override=run_time(day, 3),
        http_attempts=1,
        threads=1,
    )
    before = peak_bytes()
    said = {"added": 0, "error": ""}
    try:
        extracted = steps.extract(settings, feed, day, "measured")
        said["added"] = steps.validate_and_load(settings, extracted, "measured")["added"]
    except TidemarkError as exc:
        said["error"] = str(exc)
    print(json.dumps(said | {"grown_bytes": peak_bytes() - before}))


if __name__ == "__main__":
    main(*sys.argv[1:])
