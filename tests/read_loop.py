"""Open and read a published file over and over, as a busy dashboard does.

``python read_loop.py FILE STOP``: reads until the file STOP appears, then prints how often
it read. Any failure ends it with a traceback.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

published, stop = sys.argv[1], Path(sys.argv[2])
reads = 0
print("ready", flush=True)
while not stop.exists():
    with duckdb.connect(published, read_only=True) as connection:
        found = connection.execute(
            "select (select market_date from main.about), max(market_date), count(*) "
            "from indices.index_level_daily where isfinite(level)"
        ).fetchone()
        assert found is not None
        about, last, count = found
        assert about == last, (about, last)
        assert count > 0
        twice = connection.execute("select count(*) from indices.index_level_daily").fetchone()
        assert twice == (count,)
    reads += 1
print(reads)
