"""Nights and commands that are killed at random, again and again; ``make chaos`` kills more."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kills import Clean, Forks, Scenario, draw_kill, recover, run_clean, running_forks, strike
from nights import NIGHTS, Home, copy_home
from scenarios import commands, good_night
from small_project import write_small_project

from pipeline.sandbox.server import Sandbox
from pipeline.settings import Settings

KILLS_IN_A_ROW = 5

CopyBase = Callable[[str], Home]


@pytest.fixture(scope="module")
def base(loaded_home: Path, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with a history and one night, on the few models of ``small_project``."""
    folder = tmp_path_factory.mktemp("chaos")
    write_small_project(Settings(_env_file=None).sql_dir, folder / "sql")
    home = copy_home(loaded_home, folder / "base", sandbox, sql_dir=folder / "sql", threads=1)
    home.refresh(NIGHTS[0])
    return home


@pytest.fixture(scope="module")
def forks(base: Home) -> Iterator[Forks]:
    """A process to fork commands from."""
    with running_forks(base.path.parent / "sql", base.path.parent / "log") as running:
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


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_nights_killed_at_random_leave_all_that_was_there_and_the_next_one_completes(
    seed: int, forks: Forks, copy_base: CopyBase, clean_night: Clean
) -> None:
    def make_home() -> Home:
        return copy_base(f"night-{seed}")

    kill_in_a_row(forks, good_night(), make_home, clean_night, seed, KILLS_IN_A_ROW)


def test_a_clean_night_passes_through_every_phase(clean_night: Clean) -> None:
    assert {"extract", "load", "build", "audit", "publish", "ledger"} <= clean_night.calls.keys()


@pytest.mark.slow
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
