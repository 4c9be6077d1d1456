"""One writer at a time in one home."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.errors import LockedError
from pipeline.files import replacing
from pipeline.lock import run_lock

HOLD = """
import sys
from pathlib import Path
from pipeline.lock import run_lock
with run_lock(Path(sys.argv[1]), run_id="night-of-the-other"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_elsewhere(home: Path) -> Iterator[subprocess.Popen[str]]:
    """Hold the lock in another process for the length of the block."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_lock_tells_a_second_process_who_writes_since_when_and_what_to_do(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path) as other:
        since = json.loads((tmp_path / ".lock.json").read_text())["since"]
        with pytest.raises(LockedError) as raised, run_lock(tmp_path, run_id="mine"):
            pytest.fail("two writers at a time")
    message = str(raised.value)
    assert "night-of-the-other" in message
    assert f"process {other.pid}" in message
    assert since in message
    assert "wait until it has ended" in message


def test_lock_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path) as other:
        other.kill()
        other.wait()
        with run_lock(tmp_path, run_id="mine"):
            assert json.loads((tmp_path / ".lock.json").read_text())["run_id"] == "mine"


def test_lock_after_a_killed_process_clears_its_temporary_files(tmp_path: Path) -> None:
    folder = tmp_path / "quarantine" / "market_daily"
    folder.mkdir(parents=True)
    with held_elsewhere(tmp_path) as other, replacing(folder / "file") as mine:
        mine.touch()
        left = mine.with_name(mine.name.replace(f"-{os.getpid()}-", f"-{other.pid}-"))
        left.touch()
        other.kill()
        other.wait()
        with run_lock(tmp_path, run_id="next"):
            assert list(folder.iterdir()) == [mine]
        # Nobody was killed since, so nobody looks.
        left.touch()
        with run_lock(tmp_path, run_id="last"):
            assert left.exists()


def test_lock_waits_as_long_as_it_is_told(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path) as other:
        assert other.stdin is not None
        threading.Timer(0.3, other.stdin.close).start()
        with run_lock(tmp_path, run_id="mine", wait_seconds=30):
            pass


def test_lock_is_shared_by_the_blocks_of_one_thread(tmp_path: Path) -> None:
    with run_lock(tmp_path, run_id="outer"):
        with run_lock(tmp_path, run_id="inner"):
            pass
        assert json.loads((tmp_path / ".lock.json").read_text())["run_id"] == "outer"


def test_lock_keeps_two_threads_apart(tmp_path: Path) -> None:
    refused: list[BaseException] = []

    def try_to_write() -> None:
        try:
            with run_lock(tmp_path, run_id="second"):
                pass
        except LockedError as exc:
            refused.append(exc)

    with run_lock(tmp_path, run_id="first"):
        thread = threading.Thread(target=try_to_write)
        thread.start()
        thread.join()
    assert len(refused) == 1


def test_lock_is_free_again_after_a_block_that_failed(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), run_lock(tmp_path, run_id="first"):
        raise ZeroDivisionError
    assert not (tmp_path / ".lock.json").exists()
    with run_lock(tmp_path, run_id="second"):
        pass


def test_lock_of_one_home_does_not_lock_another(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path / "one"), run_lock(tmp_path / "two", run_id="mine"):
        pass


def test_lock_names_nobody_when_the_note_of_the_holder_is_unreadable(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path):
        (tmp_path / ".lock.json").write_text("{")
        with (
            pytest.raises(LockedError, match="another run is writing"),
            run_lock(tmp_path, run_id="mine"),
        ):
            pass
