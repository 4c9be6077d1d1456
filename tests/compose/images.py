"""Which images the tests run: the official ones where they can be had, else local stand-ins."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STAND_INS = Path(__file__).resolve().parent / "stand_ins"
# Variables of docker-compose.yml, and what stands in: an image that is here, or a target to build.
LOCAL_BASE = "python:3.11-slim-bookworm"
TARGETS = {"SITE_IMAGE": "site", "MAIL_IMAGE": "mail", "REDIS_IMAGE": "redis"}


class NoImagesError(RuntimeError):
    """Neither the images nor stand-ins can be had on this machine."""


def _docker(*arguments: str, seconds: float = 300) -> bool:
    try:
        done = subprocess.run(
            ["docker", *arguments], capture_output=True, check=False, timeout=seconds
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def has_engine() -> bool:
    """Return whether a Docker engine with Compose answers."""
    return _docker("compose", "version", seconds=30) and _docker("info", seconds=30)


def _is_here(image: str) -> bool:
    return _docker("image", "inspect", image)


def list_image_lines() -> list[str]:
    """Get every image, and return the lines of ``.env`` that name those which stand in.

    Raises:
        NoImagesError: One cannot be had, nor be stood in for.
    """
    text = (ROOT / "docker-compose.yml").read_text()
    wanted = dict(re.findall(r"\$\{([A-Z]+_IMAGE):-([^}]+)\}", text))
    lines = []
    for name, image in wanted.items():
        if name == "SUPERSET_IMAGE" or _is_here(image) or _docker("pull", "--quiet", image):
            continue
        stand_in = LOCAL_BASE if name == "BASE_IMAGE" else f"tidemark-stand-in-{name[:4].lower()}"
        if name in TARGETS and _is_here(LOCAL_BASE):
            target = f"--target={TARGETS[name]}"
            if _docker("buildx", "build", "-q", target, "-t", stand_in, str(STAND_INS)):
                lines.append(f"{name}={stand_in}")
                continue
        elif name == "BASE_IMAGE" and _is_here(LOCAL_BASE):
            lines.append(f"{name}={stand_in}")
            continue
        raise NoImagesError(f"{image} cannot be had, and nothing stands in for it")
    return lines
