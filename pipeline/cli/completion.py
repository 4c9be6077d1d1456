"""What a shell offers after a Tab for the words that only Tidemark knows.

Typer makes the completion of commands and options for bash, zsh and fish itself. These
functions add the values: they read no more than names, and offer nothing where they cannot.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from functools import wraps

from pipeline.settings import Settings

Offer = tuple[str, str]
"""A word and what it means."""


def _offered(find: Callable[[], Iterable[Offer]]) -> Callable[[str], list[Offer]]:
    """Return a completion that keeps what begins as typed, and is silent about errors.

    A shell shows whatever a completion prints into the line that somebody is typing.
    """

    @wraps(find)
    def complete(incomplete: str) -> list[Offer]:
        try:
            return [offer for offer in find() if offer[0].startswith(incomplete)]
        except Exception:
            return []

    complete.__annotations__ = {"incomplete": str}
    del complete.__wrapped__
    return complete


def _reference(table: str) -> list[dict[str, str]]:
    file = Settings().sql_dir / "reference" / f"{table}.csv"
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _distinct(table: str, column: str) -> list[Offer]:
    return [(name, "") for name in dict.fromkeys(row[column] for row in _reference(table))]


@_offered
def signals() -> Iterable[Offer]:
    """Offer the ids of signals with their titles."""
    return [(row["signal_id"], row["title"]) for row in _reference("signal_definition")]


@_offered
def indices() -> Iterable[Offer]:
    """Offer the ids of indices."""
    return _distinct("index_definition", "index_id")


@_offered
def profiles() -> Iterable[Offer]:
    """Offer the sets of rules."""
    return _distinct("rulebook", "profile")


@_offered
def verdicts() -> Iterable[Offer]:
    """Offer what a claim may have turned out to be."""
    from pipeline.claims import VERDICTS

    return [(verdict, "") for verdict in VERDICTS]


@_offered
def feeds() -> Iterable[Offer]:
    """Offer what a night or a backfill may fetch."""
    from pipeline.sources.registry import FEEDS

    return [(feed.name, "") for feed in FEEDS]


@_offered
def datasets() -> Iterable[Offer]:
    """Offer the raw datasets."""
    from pipeline.datasets import DATASETS

    return [(name, "") for name in DATASETS]


@_offered
def vendors() -> Iterable[Offer]:
    """Offer whom we ask."""
    from pipeline.sources.vendors import VENDORS

    return [(name, "") for name in VENDORS]


@_offered
def chores() -> Iterable[Offer]:
    """Offer the chores of upkeep."""
    from pipeline.upkeep import CHORES

    return [(name, "") for name in CHORES]


@_offered
def models() -> Iterable[Offer]:
    """Offer every table that a build makes."""
    folder = Settings().sql_dir
    found = {path.relative_to(folder).with_suffix("") for path in folder.glob("*/*.yml")}
    return [
        (f"{path.parent.name}.{path.name}", "")
        for path in sorted(found)
        if path.parent.name not in {"audits", "report"}
    ]


@_offered
def builds() -> Iterable[Offer]:
    """Offer the kept builds with their last days, the newest first."""
    kept = sorted(Settings().builds_dir.glob("*/manifest.json"), reverse=True)
    return [(file.parent.name, f"up to {_market_date(file.read_bytes())}") for file in kept]


@_offered
def published_and_builds() -> Iterable[Offer]:
    """Offer what two published files are named by."""
    return [("published", "what readers open"), *builds("")]


@_offered
def published_tables() -> Iterable[Offer]:
    """Offer the tables that are published."""
    manifest = json.loads((Settings().published_dir / "manifest.json").read_bytes())
    return [(table, "") for table in manifest["row_counts"]]


@_offered
def last_days() -> Iterable[Offer]:
    """Offer the last day that is published."""
    manifest = Settings().published_dir / "manifest.json"
    return [(_market_date(manifest.read_bytes()), "the last one that is published")]


def _market_date(manifest: bytes) -> str:
    return str(json.loads(manifest)["market_date"])
