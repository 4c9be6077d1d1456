"""What the report costs: ``python benchmarks/report.py PUBLISHED_FILE``.

Each round renders every page and CSV in a new process, imports included, as the task of a night
does. The median and the range of the rounds are printed, beside the bytes and files that it makes.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 5


def render(file: Path) -> None:
    """Render once and print how many files and bytes that makes."""
    from pipeline.database import open_read_only
    from pipeline.models import load_project
    from pipeline.report.site import render_report
    from pipeline.settings import Settings

    sql_dir = Settings().sql_dir
    with open_read_only(file) as connection:
        files = render_report(connection, load_project(sql_dir), sql_dir)
    print(len(files), sum(len(body) for body in files.values()))


def children_seconds() -> float:
    """Return the CPU seconds of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(file: Path) -> None:
    """Print wall and CPU seconds of the rounds, the peak memory, and the size of the report."""
    wall, cpu = [], []
    for _ in range(ROUNDS):
        started, before = time.perf_counter(), children_seconds()
        done = subprocess.run(
            [sys.executable, __file__, "--once", str(file)],
            check=True,
            capture_output=True,
            text=True,
        )
        wall.append(time.perf_counter() - started)
        cpu.append(children_seconds() - before)
    count, size = map(int, done.stdout.split())
    for name, seconds in (("wall", wall), ("CPU", cpu)):
        middle = statistics.median(seconds)
        print(f"{name:5} {middle:6.2f} s ({min(seconds):.2f} to {max(seconds):.2f})")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"peak  {peak:6.0f} MiB\nsize  {size / 1e6:6.1f} MB in {count} files")


if __name__ == "__main__":
    if sys.argv[1] == "--once":
        render(Path(sys.argv[2]))
    else:
        main(Path(sys.argv[1]))
