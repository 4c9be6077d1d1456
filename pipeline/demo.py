"""``tidemark demo``: the real DAG on a simulated market, with nothing but this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import PublishError
from pipeline.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.sandbox.server import Sandbox

SEED = 7
FIRST_DAY = date(2022, 1, 1)
SHORT_DAYS = 460
"""History without nights: a year after the first review, which takes 90 days."""


def run_demo(folder: Path, nights: int, console: Console) -> None:
    """Load a simulated history and run the nightly DAG for the last ``nights`` days.

    Args:
        folder: Gets the demo's home and Airflow's own files; emptied first.
        nights: How many nights to run; 0 builds from the history alone, without Airflow.
        console: Where to tell what happens.

    Raises:
        PublishError: A night did not end in a published file.
    """
    from pipeline.sandbox.filling import load_history
    from pipeline.sandbox.server import create_server

    started = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    last_day = datetime.now(UTC).date() - timedelta(days=1)
    days = [last_day - timedelta(days=back) for back in reversed(range(nights))]
    first_day = FIRST_DAY if nights else last_day - timedelta(days=SHORT_DAYS)
    with create_server(SEED, first_day=first_day) as sandbox:
        console.print(f"A simulated market answers at {sandbox.base_url}")
        history = folder / "history"
        history.mkdir()
        last = (days or [last_day + timedelta(days=1)])[0] - timedelta(days=1)
        settings = Settings(home=folder / "home")
        load_history(settings, sandbox.market, first_day, last, history, console.print)
        if nights == 0:
            with console.status("building, auditing, writing the report"):
                _build(settings, last_day)
        else:
            _prepare_airflow(folder)
        for day in days:
            with console.status(f"the night of {day} runs through Airflow, some minutes"):
                _run_night(sandbox, folder, day, console)
    _show(folder, console)
    console.print(
        f"\nThe published file is {folder / 'home' / 'published' / 'tidemark.duckdb'}\n"
        f"The report opens from disk:  {folder / 'home' / 'published' / 'report' / 'index.html'}\n"
        f"Ask it something:  export TIDEMARK_HOME={folder / 'home'}\n"
        "                   .venv/bin/tidemark tables\n"
        '                   .venv/bin/tidemark query "select market_date, index_id, level from '
        "indices.index_level_daily where profile = 'house' order by market_date desc limit 9\"\n"
        f"Done in {time.monotonic() - started:.0f} seconds.",
        soft_wrap=True,
    )


def _environment(folder: Path) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("TIDEMARK_", "AIRFLOW_"))}
    return {
        **inherited,
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(Settings().dags_dir),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "false",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
        "TIDEMARK_HOME": str(folder / "home"),
    }


def _build(settings: Settings, last_day: date) -> None:
    """Publish what was imported, as `tidemark build` does."""
    from pipeline import steps

    built = steps.build(settings, last_day, "demo")
    steps.publish(settings, steps.audit(settings, built))
    steps.report(settings, built)


def _prepare_airflow(folder: Path) -> None:
    _call([sys.executable, "-m", "airflow", "db", "migrate"], folder, {})


def _run_night(sandbox: Sandbox, folder: Path, day: date, console: Console) -> None:
    """Run the DAG for one day as if it were one o'clock in the night after it."""
    from pipeline.sandbox.filling import night_after

    now = night_after(day)
    started = time.monotonic()
    _call(
        [sys.executable, "-m", "pipeline.airflow_run", "market_nightly", day.isoformat()],
        folder,
        {
            "TIDEMARK_NOW": now.isoformat(),
            "TIDEMARK_VENDOR_ROOT_URL": sandbox.url(now=now),
            "TIDEMARK_VENDOR_PACE": "0",
        },
    )
    console.print(f"Airflow ran market_nightly for {day} ({time.monotonic() - started:.0f} s)")


def _call(command: list[str], folder: Path, extra: dict[str, str]) -> None:
    log = folder / "airflow.log"
    with log.open("ab") as handle:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            command,
            env={**_environment(folder), **extra},
            stdout=handle,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        tail = log.read_text(errors="replace")[-3000:]
        raise PublishError(f"{' '.join(command[1:])} failed; the end of {log} says:\n{tail}")


def _show(folder: Path, console: Console) -> None:
    from rich.table import Table

    from pipeline.database import open_read_only

    table = Table(
        title="\nindices.index_statistic_daily, profile house (simulated market)",
        title_justify="left",
        box=None,
        header_style="bold",
        pad_edge=False,
    )
    for column in ("market_date", "index_id"):
        table.add_column(column)
    for column in ("level", "1 day", "30 days", "1 year", "drawdown", "coverage"):
        table.add_column(column, justify="right")
    with open_read_only(folder / "home" / "published" / "tidemark.duckdb") as connection:
        rows = connection.execute(
            """
            select
                statistic.market_date, statistic.index_id, statistic.level,
                return_1d_fraction, return_30d_fraction, return_1y_fraction,
                drawdown_fraction, coverage_fraction
            from indices.index_statistic_daily as statistic
            inner join indices.index_level_daily as level
                using (market_date, profile, index_id)
            where profile = 'house'
                and index_id in ('top100', 'large', 'mid', 'small')
                and market_date > (select market_date from main.about) - 3
            order by market_date, index_id
            """
        ).fetchall()
    for market_date, index_id, level, *fractions in rows:
        shown = ["-" if value is None else f"{value:+.2%}" for value in fractions[:-1]]
        table.add_row(str(market_date), index_id, f"{level:,.2f}", *shown, f"{fractions[-1]:.1%}")
    console.print(table)
