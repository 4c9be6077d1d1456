"""A warehouse of a few models, for nights that only have to be whole nights and cheap."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from pipeline.models import Project, load_project

KEPT = (
    "indices.index_level_daily",
    "indices.constituent_daily",
    "indices.restatement",
    "staging.equity_close_daily",
    "staging.sentiment_daily",
    "staging.coin_price_daily",
    "signals.external_sentiment_daily",
    "main.about",
)

LEFT_OUT = {"quality.column_lineage"}
"""Tracing every column takes longer than the rest of such a night."""


def write_small_project(sql_dir: Path, target: Path, kept: Sequence[str] = KEPT) -> Project:
    """Copy some models, what they read and what the pipeline fills, with the audits.

    Args:
        sql_dir: The whole SQL folder.
        target: A folder that does not exist yet.
        kept: The models that somebody looks at.

    Returns:
        The small project. Its SQL is that of the whole one; nothing in it is simplified.
    """
    whole = load_project(sql_dir)
    filled = [name for name in whole.models if name.startswith("quality.") and name not in LEFT_OUT]
    names = {model.name for model in whole.ordered([*kept, *filled])}
    paths = [model.path for name, model in whole.models.items() if name in names]
    # An import of reference tables knows them by their files.
    paths += sorted((sql_dir / "reference").glob("*.csv"))
    for audit in whole.audits:
        path = sql_dir / "audits" / f"{audit.name.removeprefix('audits.')}.sql"
        if not path.exists():
            # Made from the models, however few they are.
            paths.append(path.with_suffix(".yml"))
        elif set(audit.parents) <= names | {"raw.market_daily"}:
            paths.append(path)
    for path in sorted(set(paths)):
        copy = target / path.relative_to(sql_dir)
        copy.parent.mkdir(parents=True, exist_ok=True)
        for file in {path, path.with_suffix(".yml")}:
            shutil.copyfile(file, copy.with_suffix(file.suffix))
    return load_project(target)
