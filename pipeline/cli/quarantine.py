"""Commands of the quarantine: what is kept out, in full, and letting reviewed rows in."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from pipeline.cli import completion, console
from pipeline.cli.options import AsJson, OfDay, new_run_id
from pipeline.errors import ConfigurationError
from pipeline.settings import Settings, load_settings
from pipeline.text import visible

if TYPE_CHECKING:
    from pipeline.quality.held import HeldRow

app = typer.Typer()
quarantine_app = typer.Typer(
    no_args_is_help=True, help="Rows that a rule kept out: list, show, let in after a review."
)
app.add_typer(quarantine_app, name="quarantine")

RowIds = Annotated[list[str] | None, typer.Argument(help="Ids of rows, as `show` prints them.")]
OfDataset = Annotated[
    str | None,
    typer.Option(
        "--dataset", help="Only rows of this dataset.", autocompletion=completion.datasets
    ),
]
OfRule = Annotated[str | None, typer.Option("--rule", help="Only rows that this rule kept out.")]
OfStatus = Annotated[
    str | None, typer.Option("--status", help="Only these: open, released or superseded.")
]
_LINEAGE = ("row_id", "dataset", "status", "rule_id", "reason")
_ORIGIN = ("gate_market_date", "run_id", "served_by", "payload_refs", "quarantined_at", "vintage")


def _find(
    settings: Settings,
    row_ids: Sequence[str] | None,
    dataset: str | None,
    day: date | None,
    rule: str | None,
    status: str | None,
) -> list[HeldRow]:
    from pipeline.quality.held import held_rows

    if status not in (None, "open", "released", "superseded"):
        raise ConfigurationError(f"--status is open, released or superseded, not {status}")
    return held_rows(
        settings,
        dataset=dataset,
        day=day,
        rule=rule,
        row_ids=row_ids or (),
        status=status,  # type: ignore[arg-type]
    )


@quarantine_app.command("list")
def list_rows(
    dataset: OfDataset = None,
    day: OfDay = None,
    rule: OfRule = None,
    status: OfStatus = None,
    as_json: AsJson = False,
) -> None:
    """Count what is in quarantine by dataset, day, rule and what became of it."""
    rows = _find(load_settings(), None, dataset, day, rule, status)
    counts = Counter((row.dataset, row.row_date, row.rule_id, row.status) for row in rows)
    console.print_rows(
        f"{len(rows)} rows in quarantine",
        ["dataset", "day", "rule", "rows", "status"],
        [
            [name, when, rule_id, count, became]
            for (name, when, rule_id, became), count in sorted(
                counts.items(), key=lambda item: tuple(str(part) for part in item[0])
            )
        ],
        as_json,
    )


@quarantine_app.command("show")
def show_rows(
    row_ids: RowIds = None,
    dataset: OfDataset = None,
    day: OfDay = None,
    rule: OfRule = None,
    status: OfStatus = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows to print.")] = 20,
    as_json: AsJson = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV that no spreadsheet runs as a formula.")
    ] = False,
) -> None:
    """Show rows in full: values, the rule, the reason, the run and where the bytes are."""
    if as_json and as_csv:
        raise ConfigurationError("choose --json or --csv, not both")
    rows = _find(load_settings(), row_ids, dataset, day, rule, status)
    if as_json or as_csv:
        _print_machine_readable([_record(row) for row in rows], as_csv)
        return
    for row in rows[:limit]:
        console.out.print(f"[bold]{row.row_id}[/] {escape(_headline(row))}", soft_wrap=True)
        for name, value in _record(row).items():
            if name not in _LINEAGE:
                shown = "-" if value is None else escape(visible(str(value)))
                console.out.print(f"  {name}: {shown}", soft_wrap=True)
    if len(rows) > limit:
        console.out.print(f"and {len(rows) - limit} more; --limit shows them, --csv gives them all")
    if not rows:
        console.out.print("no such row is in quarantine")


def _headline(row: HeldRow) -> str:
    return visible(f"{row.dataset} {row.status}: {row.rule_id}: {row.reason}")


def _record(row: HeldRow) -> dict[str, Any]:
    """Return a row flat: what became of it, its values, where it comes from."""
    return (
        {name: getattr(row, name) for name in _LINEAGE}
        | row.values
        | {name: getattr(row, name) for name in _ORIGIN}
    )


def _print_machine_readable(records: list[dict[str, Any]], as_csv: bool) -> None:
    if not as_csv:
        # Not by way of rich, which would write control characters as they are.
        typer.echo(json.dumps(console.finite(records), default=str, indent=2))
        return
    from pipeline.exporting import csv_lines

    columns = list(dict.fromkeys(name for record in records for name in record))
    for line in csv_lines(columns, ([record.get(name) for name in columns] for record in records)):
        typer.echo(line)


@quarantine_app.command()
def release(
    reason: Annotated[str, typer.Option(help="Why the rows are right, in words.")],
    reviewer: Annotated[str, typer.Option(help="Who looked at them.")],
    row_ids: RowIds = None,
    dataset: OfDataset = None,
    day: OfDay = None,
    rule: OfRule = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put reviewed rows into the raw archive as a revision, and record who said so and why."""
    from pipeline.quality.release import choose_rows, release_rows

    if not (row_ids or day or rule):
        raise ConfigurationError(
            "say which rows: by id, --day or --rule; `tidemark quarantine show` lists them"
        )
    settings = load_settings()
    found = _find(settings, row_ids, dataset, day, rule, None)
    rows = choose_rows(found, row_ids or ())
    passed_over = Counter(row.status for row in found if row.status != "open")
    for status, count in sorted(passed_over.items()):
        console.err.print(f"{count} rows are {status} already and stay as they are")
    if not rows and passed_over:
        return
    for row in rows[:5]:
        console.err.print(escape(f"{row.row_id} {_headline(row)}"), soft_wrap=True)
    question = f"Release {len(rows)} rows as reviewed by {visible(reviewer)}?"
    if rows and not yes and not typer.confirm(question, err=True):
        raise typer.Exit(1)
    done = release_rows(
        settings, rows, run_id=new_run_id(settings, "release"), reviewer=reviewer, reason=reason
    )
    names = ["run_id", "added", "revised", "unchanged"]
    values = done.to_dict()
    console.print_rows(
        "Released; `tidemark build` publishes them",
        names,
        [[values[name] for name in names]],
        as_json,
    )
