"""Who else on the machine may read our keys, or write in the home."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from pydantic import SecretStr

from pipeline.doctor.finding import Finding
from pipeline.settings import Settings

_OTHERS_READ = stat.S_IRWXG | stat.S_IRWXO


def permissions(settings: Settings, env_file: Path = Path(".env")) -> Iterator[Finding]:
    """May nobody else read the file with the keys, nor write in the home?"""
    told = []
    if env_file.is_file() and holds_a_secret(env_file.read_text(errors="replace")):
        mode = stat.S_IMODE(env_file.stat().st_mode)
        if mode & _OTHERS_READ:
            told.append(
                Finding(
                    "permissions",
                    "warn",
                    f"others may read {env_file.resolve()}, which has secrets (mode {mode:04o})",
                    f"`chmod 600 {env_file}`",
                )
            )
    root = settings.home.resolve()
    folders = [root, *sorted(root.iterdir())] if root.is_dir() else []
    open_to_all = [path for path in folders if path.lstat().st_mode & stat.S_IWOTH]
    open_to_all = [path for path in open_to_all if not path.is_symlink()]
    if open_to_all:
        told.append(
            Finding(
                "permissions",
                "warn",
                f"anybody on this machine may write in {', '.join(map(str, open_to_all))}",
                f"`chmod -R o-w {root}`",
            )
        )
    yield from told or [Finding("permissions", "ok", "no secret and no folder is open to others")]


def holds_a_secret(text: str) -> bool:
    """Return whether a file of settings sets one of those that are secret."""
    names = {
        f"TIDEMARK_{name.upper()}"
        for name, field in Settings.model_fields.items()
        if SecretStr in get_args(field.annotation)
    }
    lines = (line.strip().removeprefix("export ").partition("=") for line in text.splitlines())
    return any(name.strip() in names and value.strip(" '\"") for name, _, value in lines)
