"""Nights and commands that are killed at random, again and again; ``make chaos`` kills more."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kills import Clean, Forks, Scenario, draw_kill, recover, run_clean, running_forks, strike
from nights import NIGHTS, Home, copy_home
from post import Post, running_post
from scenarios import commands, good_night, troubled_night

from pipeline.sandbox.server import Sandbox
from pipeline.warehouse import Warehouse

ROWS = [(1, 3), pytest.param(2, 10, marks=pytest.mark.slow)]
"""Seeds, and how often in a row is killed."""
FEEDS = "market_daily,sentiment_daily"

CopyBase = Callable[[str], Home]


@pytest.fixture(scope="module")
def base(
    small_night_path: Path,
    small_sql_dir: Path,
    sandbox: Sandbox,
    tmp_path_factory: pytest.TempPathFactory,
) -> Home:
    """A home with a history and one night, on the few models of ``small_project``."""
    folder = tmp_path_factory.mktemp("chaos")
    return copy_home(
        small_night_path,
        folder / "base",
        sandbox,
        sql_dir=small_sql_dir,
        threads=1,
        feeds=FEEDS,
    )


@pytest.fixture(scope="module")
def forks(base: Home, small_sql_dir: Path) -> Iterator[Forks]:
    """A process to fork commands from."""
    with running_forks(small_sql_dir, base.path.parent / "log") as running:
        yield running


@pytest.fixture(scope="module")
def copy_base(base: Home) -> CopyBase:
    def copy(name: str) -> Home:
        return copy_home(base.path, base.path.parent / name, base.sandbox, **base.overrides)

    return copy


@pytest.fixture(scope="module")
def clean_night(forks: Forks, copy_base: CopyBase) -> Clean:
    """What a night does and leaves when nobody kills it."""
    return run_clean(forks, good_night(), copy_base("clean"))


@pytest.fixture(scope="module")
def post() -> Iterator[Post]:
    """Where the alerts go."""
    with running_post() as running:
        yield running


@pytest.fixture(scope="module")
def clean_night_with_a_mail(forks: Forks, copy_base: CopyBase, post: Post) -> Clean:
    clean = run_clean(forks, troubled_night(post), copy_base("clean-mail"))
    assert len(clean.told) == 1
    return clean


def kill_in_a_row(
    forks: Forks,
    scenario: Scenario,
    make_home: Callable[[], Home],
    clean: Clean,
    seed: int,
    count: int,
) -> None:
    """Kill ``count`` runs, each begun in what the one before left, and let the last complete.

    A run that ends before its kill, on a faster clock than that of the clean run, is whole
    and not counted; the row goes on with a new home.
    """
    home = make_home()
    scenario.prepare(home)
    dice = random.Random(seed)
    dead: list[str] = []
    while len(dead) < count:
        found = strike(forks, scenario, home, draw_kill(dice, clean), clean)
        assert not found.faults, f"seed {seed}: {found}"
        if found.is_dead:
            dead.append(str(found))
        else:
            shutil.rmtree(home.path)
            home = make_home()
            scenario.prepare(home)
    assert recover(forks, scenario, home, clean) == [], f"seed {seed}: {dead}"
    shutil.rmtree(home.path)


@pytest.mark.parametrize(("seed", "kills"), ROWS)
def test_nights_killed_at_random_leave_all_that_was_there_and_the_next_one_completes(
    seed: int, kills: int, forks: Forks, copy_base: CopyBase, clean_night: Clean
) -> None:
    def make_home() -> Home:
        return copy_base(f"night-{seed}")

    kill_in_a_row(forks, good_night(), make_home, clean_night, seed, kills)


@pytest.mark.parametrize(("seed", "kills"), ROWS)
def test_nights_with_a_mail_killed_at_random_lose_none_and_send_it_once(
    seed: int,
    kills: int,
    forks: Forks,
    copy_base: CopyBase,
    clean_night_with_a_mail: Clean,
    post: Post,
) -> None:
    def make_home() -> Home:
        return copy_base(f"night-{seed}")

    scenario = troubled_night(post)
    kill_in_a_row(forks, scenario, make_home, clean_night_with_a_mail, seed, kills)


def test_a_night_killed_after_its_manifest_can_be_rolled_back_to(
    forks: Forks, copy_base: CopyBase, clean_night: Clean
) -> None:
    home = copy_base("unrecorded")
    kill = {"phase": "publish", "before": "os.rename *build.json"}
    found = strike(forks, good_night(), home, kill, clean_night)
    assert (found.is_dead, found.is_new, found.faults) == (True, True, ())
    warehouse = Warehouse(home.settings(NIGHTS[2]))
    manifest = warehouse.published_manifest()
    assert manifest is not None
    record = home.path / "builds" / manifest["build_id"] / "build.json"
    assert json.loads(record.read_bytes())["state"] == "audited"

    # A rollback ends what the dead publisher began, and so the build stays on the list.
    first, second, third = (each["build_id"] for each in warehouse.published_builds())
    assert third == manifest["build_id"]
    assert warehouse.rollback()["build_id"] == second
    assert json.loads(record.read_bytes())["state"] == "published"
    assert [each["build_id"] for each in warehouse.published_builds()] == [first, second, third]
    assert warehouse.rollback(third)["build_id"] == third
    assert warehouse.published_manifest() == {
        **manifest,
        "published_at": home.settings(NIGHTS[2]).now().isoformat(),
    }
    shutil.rmtree(home.path)


def test_a_clean_night_passes_through_every_phase(clean_night: Clean) -> None:
    assert {"extract", "load", "build", "audit", "publish", "ledger"} <= clean_night.calls.keys()


@pytest.mark.long
@pytest.mark.parametrize("name", ["compact", "backfill", "import", "replay", "rollback"])
def test_other_commands_killed_at_random_leave_all_that_was_there(
    name: str, base: Home, forks: Forks, copy_base: CopyBase, shared_folder: Path
) -> None:
    known = {each.name: each for each in commands(base, shared_folder / "history")}
    scenario = known[name]
    clean = run_clean(forks, scenario, copy_base(f"{name}-clean"))

    def make_home() -> Home:
        return copy_base(name)

    for seed in range(3):
        kill_in_a_row(forks, scenario, make_home, clean, seed, 4)
