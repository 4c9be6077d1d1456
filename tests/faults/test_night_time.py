"""What a whole night over all feeds takes of the machine, the vendors' own work left out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from large_body import PROTOCOL_BYTES, padded_protocol, serving
from nights import NIGHTS, Home

from pipeline.sources.registry import nightly_feeds

HERE = Path(__file__).parent
NIGHT = NIGHTS[0]
MIB = 2**20
OWN_SECONDS = 60.0


@pytest.mark.slow
def test_a_night_over_all_feeds_with_the_largest_body_takes_under_a_minute_and_a_gibibyte(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted: dict[str, Any] = {"feeds": "", "coinalyze_key": "any", "is_yahoo_enabled": True}
    body = padded_protocol(NIGHT)
    assert len(body) >= PROTOCOL_BYTES
    defillama = f"{home.settings(NIGHT, 3).vendor_root_url}/defillama"
    with serving(body, "/protocol/binance-cex", defillama) as url:
        done = subprocess.run(
            [sys.executable, HERE / "measure_night.py", str(NIGHT)],
            env=home.environment(NIGHT, 3, **wanted)
            | {
                "TIDEMARK_VENDOR_URLS": json.dumps({"defillama": url}),
                "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE)]),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout.splitlines()[-1])

    assert home.last_day() == NIGHT
    assert measured["failures"] == []
    settings = home.settings(NIGHT, 3, **wanted)
    feeds = [f"extract and load {feed.name}" for feed in nightly_feeds(settings)]
    assert sorted(measured["seconds_by_step"]) == sorted(
        [*feeds, "catch up", "build", "audit", "publish"]
    )
    with capsys.disabled():
        print()
        for step, seconds in measured["seconds_by_step"].items():
            print(f"{step:52} {seconds:6.1f} s of processor")
        print(f"{'in all, with imports':52} {measured['seconds']:6.1f} s of processor")
        print(f"{'most memory held':52} {measured['peak_bytes'] / MIB:6.0f} MiB")
    # Processor seconds of the night's own process: other load on the machine does not count.
    assert measured["seconds"] < OWN_SECONDS
    # The body itself has to be held; less than that would say that nothing was measured.
    assert PROTOCOL_BYTES < measured["peak_bytes"] < 1024 * MIB
