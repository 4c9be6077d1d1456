"""Run the night that the environment describes, and print what it took of this process."""

from __future__ import annotations

import json
import sys
import time
from datetime import date
from itertools import pairwise

from measure_load import peak_bytes

from pipeline import steps
from pipeline.settings import load_settings


def main(night: str) -> None:
    """Print a line of JSON: processor seconds, by step and in all, and the most memory held."""
    settings = load_settings()
    marks: list[tuple[str, float]] = []
    steps.refresh(
        settings,
        date.fromisoformat(night),
        "measured",
        on_step=lambda step: marks.append((step, time.process_time())),
    )
    marks.append(("done", time.process_time()))
    spent = {step: ended - began for (step, began), (_, ended) in pairwise(marks)}
    failures = [f"{each['step']}: {each['error']}" for each in steps.failures(settings, "measured")]
    print(
        json.dumps(
            {
                "seconds_by_step": spent,
                "seconds": time.process_time(),
                "peak_bytes": peak_bytes(),
                "failures": failures,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
