"""Killing a command at random, and what has to be true of the home afterwards."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from nights import Home
from post import Post
from wreckage import Contents, faults_after_a_kill, faults_after_recovery, read_contents

CHAOS = Path(__file__).parent
_KILLED = -9


class Forks:
    """A process that runs ``tidemark`` commands in forks of itself; see ``fork_server``."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process, self._log = process, log

    def run(
        self, home: Home, night: date, argv: Sequence[str], kill: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run a command at a home, an hour after a night's close, and return how it ended."""
        settings = home.environment(night)
        job = {
            "argv": list(argv),
            "environment": {k: v for k, v in settings.items() if k.startswith("TIDEMARK_")},
            "log": str(self._log),
            "kill": kill,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def said(self) -> str:
        """Return the end of what the commands wrote."""
        return self._log.read_text(errors="replace")[-2_000:] if self._log.exists() else ""


@contextmanager
def running_forks(sql_dir: Path, log: Path) -> Iterator[Forks]:
    """Run a fork server until the block ends."""
    with subprocess.Popen(
        [sys.executable, str(CHAOS / "fork_server.py"), str(sql_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    ) as process:
        yield Forks(process, log)
        assert process.stdin is not None
        process.stdin.close()


@dataclass(frozen=True)
class Scenario:
    """A command, and a home in which it has something to do."""

    name: str
    argv: tuple[str, ...]
    night: date
    prepare: Callable[[Home], None] = lambda home: None
    faults: Mapping[str, str] = field(default_factory=dict)
    post: Post | None = None

    def run(
        self, forks: Forks, home: Home, kill: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the command while the vendors suffer the faults."""
        assert home.sandbox is not None
        mail = {} if self.post is None else self.post.mailbox.settings
        at_home = replace(home, overrides={**home.overrides, **mail})
        home.sandbox.faults.update(self.faults)
        try:
            return forks.run(at_home, self.night, self.argv, kill)
        finally:
            for key in self.faults:
                del home.sandbox.faults[key]


@dataclass(frozen=True)
class Clean:
    """A command that nobody killed: how long it ran, its calls by phase, what it left and told."""

    seconds: float
    calls: Mapping[str, int]
    before: Contents
    after: Contents
    told: tuple[str, ...] = ()


@dataclass(frozen=True)
class Strike:
    """One kill: where it hit, whether it came in time, and what was wrong afterwards."""

    scenario: str
    kill: Mapping[str, Any]
    phase: str
    call: str
    is_dead: bool
    is_new: bool
    faults: tuple[str, ...]

    def __str__(self) -> str:
        said = "; ".join(self.faults) or "well"
        return (
            f"{self.scenario} {dict(self.kill)} in {self.phase}, {self.call or 'no call'}: {said}"
        )


def run_clean(forks: Forks, scenario: Scenario, home: Home) -> Clean:
    """Run a scenario to its end in a home of its own."""
    scenario.prepare(home)
    before = read_contents(home)
    ended = scenario.run(forks, home)
    if ended["status"] != 0:
        raise RuntimeError(f"{scenario.name} fails without a kill: {forks.said()}")
    told = () if scenario.post is None else tuple(scenario.post.subjects())
    return Clean(ended["seconds"], ended["calls"], before, read_contents(home), told)


def draw_kill(dice: random.Random, clean: Clean) -> dict[str, Any]:
    """Draw the moment of a kill.

    Half of them by the clock, uniform over the length of a clean run; a quarter before any of
    its calls, and a quarter before any call of any phase, so that short phases are hit too.
    """
    if dice.random() < 0.5:
        return {"seconds": dice.uniform(0, clean.seconds)}
    phases = sorted(clean.calls)
    if dice.random() < 0.5:
        phase = dice.choice(phases)
    else:
        phase = dice.choices(phases, [clean.calls[name] for name in phases])[0]
    return {"phase": phase, "call": dice.randint(1, clean.calls[phase])}


def strike(
    forks: Forks, scenario: Scenario, home: Home, kill: Mapping[str, Any], clean: Clean
) -> Strike:
    """Run a scenario, kill it, and look at what is left."""
    ended = scenario.run(forks, home, kill)
    found = read_contents(home)
    faults = list(faults_after_a_kill(home, clean.before, clean.after, found))
    if scenario.post is not None:
        faults += scenario.post.look(home)
    return Strike(
        scenario.name,
        kill,
        ended["phase"],
        ended["call"],
        is_dead=ended["status"] == _KILLED,
        is_new=found.figures != clean.before.figures,
        faults=tuple(faults),
    )


def recover(forks: Forks, scenario: Scenario, home: Home, clean: Clean) -> list[str]:
    """Run what completes the work, and return what is not as if nobody had been killed."""
    ended = scenario.run(forks, home)
    if ended["status"] != 0:
        return [f"the next run ended with {ended['status']}: {forks.said()}"]
    faults = faults_after_recovery(home, clean.after, read_contents(home))
    if scenario.post is not None:
        faults += scenario.post.look_at_the_end(home, list(clean.told))
    return faults
