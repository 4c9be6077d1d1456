"""The command that compares two published files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from pipeline.cli import completion, console
from pipeline.cli.options import AsJson
from pipeline.settings import load_settings

if TYPE_CHECKING:
    from pipeline.diff import ColumnChange

app = typer.Typer()

_FILE = "A file, the id of a kept build, the last day of one, or 'published'."


@app.command()
def diff(
    old: Annotated[str, typer.Argument(help=_FILE, autocompletion=completion.published_and_builds)],
    new: Annotated[
        str, typer.Argument(help=_FILE, autocompletion=completion.published_and_builds)
    ] = "published",
    limit: Annotated[int, typer.Option(min=1, help="Examples of each kind.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Show what differs between two published files: schema, rows, figures, constituents."""
    from pipeline.diff import diff_files, find_file
    from pipeline.models import load_project

    settings = load_settings()
    project = load_project(settings.sql_dir, settings.reference_dir)
    grains = {model.name: model.doc.grain for model in project.models.values()}
    with console.working("comparing"):
        found = diff_files(find_file(settings, old), find_file(settings, new), grains, limit)
    if as_json:
        console.print_json(found.to_dict())
        return
    if found.old_schema_version != found.new_schema_version:
        console.out.print(
            f"the contract with readers was {found.old_schema_version or 'not told'} and is "
            f"{found.new_schema_version or 'not told'}"
        )
    for table in found.added_tables:
        console.out.print(f"{escape(table)} is new")
    for table in found.removed_tables:
        console.out.print(f"{escape(table)} is gone")
    console.print_rows(
        f"{len(found.tables)} tables differ, {len(found.same_tables)} are the same",
        ["table", "rows before", "rows now", "added", "removed", "changed figures"],
        [
            [
                each.table,
                each.old_count,
                each.new_count,
                each.added_count,
                each.removed_count,
                sum(change.changed_count - change.rounding_count for change in each.changes),
            ]
            for each in found.tables
        ],
        as_json=False,
    )
    for each in found.tables:
        for sentence in each.columns:
            console.out.print(f"{escape(each.table)}: {escape(sentence)}", soft_wrap=True)
        for change in each.changes:
            console.print_rows(
                f"\n{escape(each.table)}.{escape(change.column)}: {change.changed_count} changed"
                + _how_far(change),
                [*each.key, "old", "new"],
                [_cells(example) for example in change.examples],
                as_json=False,
            )
    if found.constituents:
        console.print_rows(
            "\nConstituents of the last day",
            ["change", "profile", "index", "coin"],
            [_cells(row) for row in found.constituents],
            as_json=False,
        )


def _cells(row: Mapping[str, Any]) -> list[Any]:
    """Return what a row shows, with an old and a new figure as long as it takes to differ."""
    old, new = row.get("old"), row.get("new")
    if not (isinstance(old, float) and isinstance(new, float) and old != new):
        return list(row.values())
    digits = next(n for n in range(4, 18) if f"{old:.{n}g}" != f"{new:.{n}g}")
    told = {"old": f"{old:.{digits}g}", "new": f"{new:.{digits}g}"}
    return [told.get(name, value) for name, value in row.items()]


def _how_far(change: ColumnChange) -> str:
    if change.largest_difference is None:
        return ""
    told = f", by {change.largest_difference:.4g} at most"
    if change.rounding_count == change.changed_count:
        return f"{told}: the last digits only"
    return told + (
        f", {change.rounding_count} in the last digits only" if change.rounding_count else ""
    )
