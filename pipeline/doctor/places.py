"""The home: is it there, may we write, is there room, who holds its lock?"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.doctor.finding import Finding
from pipeline.settings import Settings

FREE_BYTES_FAIL = 1024**3
FREE_BYTES_WARN = 10 * 1024**3
NETWORK_FILESYSTEMS = frozenset(
    {"9p", "afs", "ceph", "cifs", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs"}
    | {"glusterfs", "lustre", "nfs", "nfs4", "smb3", "smbfs"}
)


def home(settings: Settings) -> Iterator[Finding]:
    """Is there a home, and may we read and write each of its folders?"""
    root = settings.home.resolve()
    if not root.exists():
        yield Finding(
            "home",
            "fail",
            f"{root} is not there",
            "set TIDEMARK_HOME, mount it, or load something: `tidemark import DIR`",
        )
        return
    folders = [root, *(path for path in sorted(root.iterdir()) if path.is_dir())]
    closed = [str(path) for path in folders if not os.access(path, os.R_OK | os.W_OK | os.X_OK)]
    if closed:
        yield Finding(
            "home",
            "fail",
            f"this user may not read and write {', '.join(closed)}",
            "give the folders to the user that runs Airflow or the crontab",
        )
        return
    yield Finding("home", "ok", str(root))


def disk(settings: Settings) -> Iterator[Finding]:
    """Is there room for a few more builds?"""
    usage = shutil.disk_usage(_existing(settings.home))
    free, share = usage.free, usage.free / usage.total
    detail = f"{free / 1024**3:,.1f} GiB free, {share:.0%} of the disk"
    step = "lower TIDEMARK_BUILDS_KEPT or enlarge the disk; never delete raw/ or ledger/"
    if free < FREE_BYTES_FAIL:
        yield Finding("disk", "fail", detail, step)
    elif free < FREE_BYTES_WARN:
        yield Finding("disk", "warn", detail, step)
    else:
        yield Finding("disk", "ok", detail)


def filesystem(settings: Settings, mounts: Path = Path("/proc/mounts")) -> Iterator[Finding]:
    """Is the home on a local disk, where locks hold and renames are atomic?"""
    if not mounts.exists():
        yield Finding("filesystem", "ok", "which it is cannot be told on this system")
        return
    kind = filesystem_of(settings.home, mounts.read_text())
    if kind in NETWORK_FILESYSTEMS:
        yield Finding(
            "filesystem",
            "warn",
            f"the home is on {kind}, over the network, where locks may not hold and a rename may "
            "not be atomic",
            "move TIDEMARK_HOME to a local disk and copy published/ from there",
        )
    else:
        yield Finding("filesystem", "ok", f"the home is on {kind or 'an unknown one'}")


def filesystem_of(path: Path, mounts: str) -> str:
    """Return the type of the filesystem that holds a path, from the text of ``/proc/mounts``."""
    target = _existing(path)
    best: tuple[int, str] = (-1, "")
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(fields[1].encode().decode("unicode_escape"))
        if target.is_relative_to(point) and len(point.parts) >= best[0]:
            best = (len(point.parts), fields[2])
    return best[1]


def lock(settings: Settings) -> Iterator[Finding]:
    """Is somebody writing, and who?"""
    path = settings.home / ".lock"
    if not path.exists():
        yield Finding("lock", "ok", "free")
        return
    held = FileLock(path, timeout=0)
    try:
        held.acquire()
    except Timeout:
        who = _holder(settings.home / ".lock.json")
        yield Finding("lock", "ok", f"held by {who}", "wait until it has ended before you write")
        return
    held.release()
    yield Finding("lock", "ok", "free")


def _holder(path: Path) -> str:
    try:
        who = json.loads(path.read_text())
        return f"run {who['run_id']}, process {who['pid']} on {who['host']} since {who['since']}"
    except (OSError, ValueError, KeyError):
        return "a run that has not said its name"


def _existing(path: Path) -> Path:
    """Return the nearest folder above a path that exists."""
    found = path.resolve()
    while not found.exists():
        found = found.parent
    return found
