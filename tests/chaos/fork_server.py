"""Run ``tidemark`` commands in forks of a process that has imported everything, and kill them.

``python fork_server.py SQL_DIR`` reads one job a line from standard input and answers with
one line, both JSON. A job has ``argv`` and ``environment`` of the command, ``log`` (where its
output goes) and ``kill``: null, ``{"seconds": s}``, ``{"phase": p, "call": n}`` or
``{"phase": p, "before": "os.rename *.json"}``. The answer has the exit ``status`` (negative: the
signal that ended it), ``seconds``, ``cpu_seconds``, the ``phase`` and the last ``call`` it was in,
and how many ``calls`` it had made in each phase.

A command dies by SIGKILL, from outside after some seconds, or by its own hand just before the
n-th call of a phase that changes something outside of the process: opening a file for writing,
fsync, rename, remove, mkdir, rmdir, connect. Nothing of this is known to the pipeline.
"""

from __future__ import annotations

import functools
import importlib
import json
import mmap
import os
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

_WRAPPED = (
    ("extract", "pipeline.steps", "extract"),
    ("load", "pipeline.steps", "validate_and_load"),
    ("build", "pipeline.steps", "build"),
    ("audit", "pipeline.steps", "audit"),
    ("publish", "pipeline.steps", "publish"),
    ("ledger", "pipeline.ledger", "Ledger.record"),
    ("notify", "pipeline.steps", "notify"),
    ("deliver", "pipeline.steps", "deliver_alerts"),
    ("work", "pipeline.steps", "backfill"),
    ("work", "pipeline.steps", "replay"),
    ("work", "pipeline.importing", "import_file"),
    ("work", "pipeline.raw_store", "RawStore.compact"),
    ("work", "pipeline.warehouse", "Warehouse.rollback"),
)
PHASES = ("start", *dict.fromkeys(phase for phase, _, _ in _WRAPPED), "end")
_PRELOADED = (
    "pipeline.alerts.compose",
    "pipeline.alerts.delivery",
    "pipeline.cli",
    "pipeline.steps",
    "pipeline.fetching",
    "pipeline.importing",
    "pipeline.loading",
    "pipeline.quality.engine",
    "pipeline.quality.suites",
    "pipeline.replay",
    "pipeline.warehouse",
    "pipeline.sources.registry",
)
_CHANGES = frozenset(
    {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "socket.connect"}
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_POLL_SECONDS = 0.005
_COUNTS, _COUNTS_START = f"<{len(PHASES)}q", 8
_TEXT_START, _TEXT_BYTES = 1024, 512


class Board:
    """What a command says about itself in memory that it shares with the server."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 4096)

    def clear(self) -> None:
        self._memory[:] = bytes(4096)

    @property
    def phase(self) -> str:
        return PHASES[self._memory[0]]

    @phase.setter
    def phase(self, name: str) -> None:
        self._memory[0] = PHASES.index(name)

    @property
    def calls(self) -> dict[str, int]:
        counts = struct.unpack_from(_COUNTS, self._memory, _COUNTS_START)
        return {phase: count for phase, count in zip(PHASES, counts, strict=True) if count}

    @property
    def call(self) -> str:
        text = self._memory[_TEXT_START : _TEXT_START + _TEXT_BYTES]
        return text.rstrip(b"\0").decode(errors="replace")

    def count(self, call: str) -> int:
        """Note a call that is about to be made, and return which of its phase it is, from 1."""
        number = self.calls.get(self.phase, 0) + 1
        start = _COUNTS_START + 8 * PHASES.index(self.phase)
        struct.pack_into("<q", self._memory, start, number)
        text = call.encode(errors="replace")[:_TEXT_BYTES]
        self._memory[_TEXT_START : _TEXT_START + _TEXT_BYTES] = text.ljust(_TEXT_BYTES, b"\0")
        return number


def note_phases(board: Board) -> None:
    """Have the steps say on the board when they run."""

    def in_phase(phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            before, board.phase = board.phase, phase
            try:
                return function(*args, **kwargs)
            finally:
                board.phase = "end" if phase == "notify" else before

        return run

    for phase, module_name, path in _WRAPPED:
        holder: Any = importlib.import_module(module_name)
        *outer, name = path.split(".")
        for part in outer:
            holder = getattr(holder, part)
        setattr(holder, name, in_phase(phase, getattr(holder, name)))


def count_calls(board: Board, kill: dict[str, Any]) -> None:
    """Count the calls that change something outside, and die before the chosen one."""
    own = os.getpid()

    def made(call: str) -> None:
        number = board.count(call)
        is_chosen = number == kill.get("call") or fnmatch(call, kill.get("before", ""))
        if is_chosen and board.phase == kill["phase"]:
            os.kill(own, signal.SIGKILL)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _CHANGES:
            made(f"{event} {arguments[event == 'os.rename']}")
        elif event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING:
            made(f"open {arguments[0]}")

    sync = os.fsync

    def fsync(descriptor: Any) -> None:
        made(f"fsync {Path(f'/proc/self/fd/{descriptor}').readlink()}")
        sync(descriptor)

    os.fsync = fsync
    sys.addaudithook(hook)


def run_command(job: dict[str, Any], board: Board) -> int:
    """Be ``tidemark``, in the fork; return its exit status."""
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for name in [name for name in os.environ if name.startswith("TIDEMARK_")]:
        del os.environ[name]
    os.environ.update(job["environment"])
    sys.argv = ["tidemark", *job["argv"]]
    from pipeline.cli import main

    note_phases(board)
    count_calls(board, job["kill"] or {})
    try:
        main()
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    return 0


def supervise(process: int, seconds: float | None) -> dict[str, float]:
    """Wait for a command, killing it after some seconds; return how it ended and what it cost."""
    started = time.monotonic()
    is_killed = False
    while True:
        ended, status, usage = os.wait4(process, 0 if is_killed else os.WNOHANG)
        elapsed = time.monotonic() - started
        if ended:
            return {
                "status": os.waitstatus_to_exitcode(status),
                "seconds": elapsed,
                "cpu_seconds": usage.ru_utime + usage.ru_stime,
            }
        if seconds is not None and elapsed >= seconds:
            os.kill(process, signal.SIGKILL)
            is_killed = True
        else:
            time.sleep(_POLL_SECONDS)


def preload(sql_dir: Path) -> None:
    """Import what a night imports and parse its SQL, which together take longer than the night."""
    for module in _PRELOADED:
        importlib.import_module(module)
    from pipeline.quality.engine import quiet

    with quiet():
        importlib.import_module("great_expectations.expectations")
        importlib.import_module("scipy.stats")
    importlib.import_module("pipeline.models").load_project(sql_dir)


def serve() -> None:
    """Answer jobs until standard input ends."""
    preload(Path(sys.argv[1]))
    # The allocators' own threads know how to be forked; any other would be missing.
    if threading.active_count() > 1:
        sys.exit("a thread runs before the fork; a fork would not have it")
    board = Board()
    for line in sys.stdin:
        job = json.loads(line)
        board.clear()
        Path(job["log"]).parent.mkdir(parents=True, exist_ok=True)
        process = os.fork()
        if process == 0:
            status = 70
            try:
                status = run_command(job, board)
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        answer = {
            **supervise(process, (job["kill"] or {}).get("seconds")),
            "phase": board.phase,
            "call": board.call,
            "calls": board.calls,
        }
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
