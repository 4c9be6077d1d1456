"""The manifest of what is published: what the file holds, written last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.errors import PublishError


def read_manifest(published_dir: Path) -> dict[str, Any] | None:
    """Return the manifest of the published build, or None before the first.

    Raises:
        PublishError: It is damaged; the message says what to do.
    """
    path = published_dir / "manifest.json"
    if not path.exists():
        return None
    try:
        manifest = json.loads(path.read_bytes())
    except ValueError as exc:
        raise PublishError(_damaged(path, str(exc))) from exc
    if not isinstance(manifest, dict) or "build_id" not in manifest:
        raise PublishError(_damaged(path, "it names no build"))
    return manifest


def _damaged(path: Path, why: str) -> str:
    return (
        f"{path} is damaged: {why}. Remove it and run `tidemark build`, which writes it anew; the "
        "archives are not touched"
    )
