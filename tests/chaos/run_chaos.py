"""Kill nights and commands at random, many times, and report: ``make chaos``.

``python tests/chaos/run_chaos.py [--kills N] [--seed S] [--whole]``. Every kill is followed by
a look at the home, by the next run, and by another look. Ends with 1 when anything was amiss.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from kills import (
    Clean,
    Forks,
    Scenario,
    Strike,
    draw_kill,
    recover,
    run_clean,
    running_forks,
    strike,
)
from nights import COIN_COUNT, FIRST_DAY, NIGHTS, SEED, Home, copy_home, load_history
from post import running_post
from scenarios import commands, good_night, troubled_night
from small_project import write_small_project

from pipeline.sandbox.server import Sandbox, create_server
from pipeline.settings import Settings

NIGHT_SHARES = (0.4, 0.3)
"""Of the kills, in good nights and in those with a mail; the others hit the commands in turn."""


def make_base(folder: Path, sandbox: Sandbox, *, is_whole: bool) -> Home:
    """Make a home with a history, a first build and one night."""
    sql_dir = Settings(_env_file=None).sql_dir
    if not is_whole:
        write_small_project(sql_dir, folder / "sql")
        sql_dir = folder / "sql"
    home = Home(folder / "home", sandbox, {"sql_dir": sql_dir, "threads": 1})
    load_history(sandbox, home, folder / "history")
    home.refresh(NIGHTS[0])
    return home


def run(folder: Path, kill_count: int, seed: int, strikes: list[Strike], *, is_whole: bool) -> None:
    """Kill, look, recover, look again; add every strike with what was amiss to ``strikes``."""
    dice = random.Random(seed)
    with (
        create_server(SEED, first_day=FIRST_DAY, coin_count=COIN_COUNT) as sandbox,
        running_post() as post,
    ):
        nights = (good_night(), troubled_night(post))
        base = make_base(folder, sandbox, is_whole=is_whole)
        others = commands(base, folder / "history")
        sql_dir = Path(str(base.overrides["sql_dir"]))
        with running_forks(sql_dir, folder / "log") as forks:
            clean = {
                each.name: run_clean(forks, each, _copy(base, folder / "clean"))
                for each in (*nights, *others)
            }
            for name, each in clean.items():
                print(f"{name}: {each.seconds:.1f} s, calls {dict(each.calls)}", flush=True)
            while len(strikes) < kill_count:
                number = len(strikes)
                (scenario,) = dice.choices(
                    (*nights, others[number % len(others)]), (*NIGHT_SHARES, 1 - sum(NIGHT_SHARES))
                )
                found = _kill_once(forks, base, folder, scenario, clean[scenario.name], dice)
                if found.is_dead:
                    strikes.append(found)
                    print(f"{len(strikes)}: {found}", flush=True)


def _kill_once(
    forks: Forks, base: Home, folder: Path, scenario: Scenario, clean: Clean, dice: random.Random
) -> Strike:
    home = _copy(base, folder / "victim")
    scenario.prepare(home)
    found = strike(forks, scenario, home, draw_kill(dice, clean), clean)
    amiss = recover(forks, scenario, home, clean)
    return Strike(**{**found.__dict__, "faults": (*found.faults, *amiss)})


def _copy(base: Home, target: Path) -> Home:
    shutil.rmtree(target, ignore_errors=True)
    return copy_home(base.path, target, base.sandbox, **base.overrides)


def report(strikes: Sequence[Strike]) -> None:
    """Print how many kills hit which phase of what, and what was wrong."""
    hits = Counter((each.scenario, each.phase) for each in strikes)
    for (scenario, phase), count in sorted(hits.items()):
        print(f"{count:5d}  {scenario}, {phase}")
    clocked = sum("seconds" in each.kill for each in strikes)
    new = sum(each.is_new for each in strikes)
    wrong = [each for each in strikes if each.faults]
    print(
        f"{len(strikes)} kills ({clocked} by the clock, {len(strikes) - clocked} before a call); "
        f"{new} left the new figures, {len(strikes) - new} the old; {len(wrong)} left a fault"
    )


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--whole", action="store_true", help="all models, not the few cheap ones")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it")
    options = parser.parse_args()
    print(f"{options.kills} kills with seed {options.seed}", flush=True)
    strikes: list[Strike] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            run(folder, options.kills, options.seed, strikes, is_whole=options.whole)
        except KeyboardInterrupt:
            print("interrupted; this is what there was until then")
    report(strikes)
    sys.exit(len(strikes) < options.kills or any(each.faults for each in strikes))


if __name__ == "__main__":
    main()
