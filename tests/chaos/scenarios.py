"""What is killed: nights, and every other command that writes."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

from kills import Scenario
from nights import FIRST_DAY, LAST_HISTORY_DAY, NIGHTS, Home, build_ids, run_time
from post import Post

from pipeline.datasets import DATASETS
from pipeline.raw_store import RawStore

_MOOD = DATASETS["sentiment_daily"]


def _refresh(night: date) -> tuple[str, ...]:
    return ("refresh", "--market-date", str(night))


def _write_many_raw_files(home: Home) -> None:
    """Give a source as many small files as many nights would, each a revision."""
    store = RawStore(home.path / "raw")
    frame = store.read(_MOOD, "alternative_me", since=FIRST_DAY, before=LAST_HISTORY_DAY)
    for number in range(10):
        store.append(
            _MOOD,
            frame.assign(label=f"label {number}"),
            run_id=f"revision-{number}",
            known_at=run_time(LAST_HISTORY_DAY, number / 10),
            vintage="reconstructed",
        )


def _forget_moods(home: Home) -> None:
    shutil.rmtree(home.path / "raw" / _MOOD.name)


def _forget_imports(home: Home) -> None:
    shutil.rmtree(home.path / "journal" / "import")
    for name in ("equity_daily", "sentiment_daily"):
        shutil.rmtree(home.path / "raw" / name)


def commands(home: Home, history: Path) -> list[Scenario]:
    """Return a scenario for each command that writes, beside the night.

    Args:
        home: The home of which copies are used.
        history: The folder that its history was imported from.
    """
    night = NIGHTS[0]
    return [
        Scenario("compact", ("compact",), night, _write_many_raw_files),
        Scenario(
            "backfill",
            (
                *("backfill", _MOOD.name, "--chunk-days", "7"),
                *("--from", str(FIRST_DAY + timedelta(days=10)), "--to", str(night)),
            ),
            night,
            _forget_moods,
        ),
        Scenario("import", ("import", str(history)), night, _forget_imports),
        Scenario("replay", ("replay", "--feed", _MOOD.name, "--apply"), night, _forget_moods),
        Scenario("rollback", ("rollback", build_ids(home)[0]), night),
    ]


def troubled_night(post: Post) -> Scenario:
    """Return a night without a feed that it can do without, of which a mail tells."""
    return Scenario(
        "night with a mail",
        _refresh(NIGHTS[1]),
        NIGHTS[1],
        post.forget,
        {"alternative_me": "status_404"},
        post,
    )


def good_night() -> Scenario:
    """Return a night on which every vendor answers."""
    return Scenario("night", _refresh(NIGHTS[1]), NIGHTS[1])
