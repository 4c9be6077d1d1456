"""Files that are replaced: the old one or the new one, never half of one."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.files import (
    FOREIGN_LEFTOVER_SECONDS,
    clear_leftovers,
    folder_name,
    name_part,
    replacing,
    sha256_of,
    write_bytes_atomically,
    write_in_order,
)


def test_replacing_puts_the_new_content_in_place_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "down" / "file.json"
    write_bytes_atomically(target, b"old")
    write_bytes_atomically(target, b"new")
    assert target.read_bytes() == b"new"
    assert list(target.parent.iterdir()) == [target]


def test_replacing_leaves_the_old_file_when_the_block_fails(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), replacing(target) as temporary:
        temporary.write_bytes(bytes(1 // (len(b"half") - 4)))
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_replacing_without_writing_is_an_error_and_changes_nothing(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")
    with pytest.raises(FileNotFoundError), replacing(target):
        pass
    assert target.read_bytes() == b"old"


def test_replacing_writes_beside_the_target_under_a_hidden_name(tmp_path: Path) -> None:
    with replacing(tmp_path / "file.parquet") as temporary:
        temporary.write_bytes(b"new")
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".")
        assert temporary.suffix == ".tmp"


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done to the disk, in order."""
    steps: list[str] = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        steps.append("sync folder" if path.is_dir() else "sync file")
        real_fsync(descriptor)

    def replace(source: str, target: str) -> None:
        steps.append("rename")
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    return steps


def test_replacing_syncs_the_content_before_the_rename_and_the_folder_after_it(
    tmp_path: Path, steps: list[str]
) -> None:
    write_bytes_atomically(tmp_path / "file", b"new")
    assert steps == ["sync file", "rename", "sync folder"]


def test_files_in_order_are_all_on_the_disk_before_the_first_is_renamed(
    tmp_path: Path, steps: list[str]
) -> None:
    files = [(tmp_path / "body", b"one"), (tmp_path / "sidecar", b"two")]
    write_in_order(files)
    assert steps == ["sync file", "sync file", "rename", "rename", "sync folder"]
    assert [path.read_bytes() for path, _ in files] == [b"one", b"two"]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_new_folder_is_synced_into_the_one_above_it(tmp_path: Path, steps: list[str]) -> None:
    write_bytes_atomically(tmp_path / "deep" / "down" / "file", b"new")
    assert steps == ["sync folder", "sync folder", "sync file", "rename", "sync folder"]


def test_files_in_order_leave_nothing_behind_when_one_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "blocker").write_bytes(b"")
    first, second = tmp_path / "first", tmp_path / "blocker" / "second"
    with pytest.raises(OSError):
        write_in_order([(first, b"one"), (second, b"two")])
    assert [path.name for path in tmp_path.iterdir()] == ["blocker"]


def test_leftovers_of_the_dead_are_cleared_and_those_of_the_living_are_not(tmp_path: Path) -> None:
    deep = tmp_path / "deep" / "down"
    deep.mkdir(parents=True)
    killed = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, sys, pathlib, signal\n"
            "from pipeline.files import replacing\n"
            "with replacing(pathlib.Path(sys.argv[1])) as temporary:\n"
            "    temporary.touch()\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n",
            str(deep / "file"),
        ],
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    (left,) = deep.iterdir()
    others = [deep / "file.tmp", deep / ".hidden", deep / ".notes.tmp", deep / ".a.b-1-c.tmp"]
    for other in others:
        other.touch()
    with replacing(deep / "file") as temporary:
        temporary.touch()
        os.utime(temporary, (0, 0))
        assert clear_leftovers([tmp_path], is_deep=False) == 0
        assert clear_leftovers([tmp_path, tmp_path / "not there"]) == 1
        assert sorted(deep.iterdir()) == sorted([temporary, *others])
    assert not left.exists()


@pytest.mark.parametrize("owner", ["", f"{'0' * 8}-1-"])
def test_a_leftover_of_another_machine_is_cleared_after_a_day(tmp_path: Path, owner: str) -> None:
    left = tmp_path / f".file.json.{owner}0123abcd.tmp"
    left.touch()
    assert clear_leftovers([tmp_path]) == 0
    old = time.time() - FOREIGN_LEFTOVER_SECONDS - 60
    os.utime(left, (old, old))
    assert clear_leftovers([tmp_path]) == 1


def test_sha256_of_is_the_digest_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    assert sha256_of(tmp_path / "file") == hashlib.sha256(b"content").hexdigest()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("scheduled__2026-03-19T01:00:00+00:00", "scheduled__2026-03-19T01-00-00-00-00"),
        ("a -- b", "a-b"),
        ("../../etc/passwd", "etc-passwd"),
        ("柴犬", ""),
        ("x" * 99, "x" * 80),
    ],
)
def test_part_of_a_name_is_what_archives_already_hold(text: str, name: str) -> None:
    assert name_part(text, 80) == name


@pytest.mark.parametrize(
    ("text", "name"), [("a/b", "a-b"), ("..", "-.."), ("", "-"), ("run 1:x+y", "run-1:x+y")]
)
def test_name_of_a_folder_is_what_archives_already_hold(text: str, name: str) -> None:
    assert folder_name(text) == name
