"""Commands about the archives as a whole: backing them up, putting them back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from pipeline.cli import completion, console
from pipeline.cli.options import AsJson, new_run_id
from pipeline.errors import TidemarkError
from pipeline.settings import load_settings

app = typer.Typer()


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="Holds the backups; best on another disk.")],
    keep: Annotated[
        int | None, typer.Option(min=1, help="Delete older backups beyond so many.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Read every file of it back, also those it shares.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Copy what cannot be made again; what the last backup has already is only linked."""
    from pipeline.backup import check_backup, make_backup

    settings = load_settings()
    with console.progress("files") as progress:
        bar = progress.add_task("copying", total=None)
        made = make_backup(
            settings,
            target,
            new_run_id(settings, "backup"),
            keep=keep,
            on_file=lambda done, total: progress.update(bar, completed=done, total=total),
        )
        if check:
            reading = progress.add_task("checking", total=len(made.files))
            check_backup(made, lambda done, _: progress.update(reading, completed=done))
    if as_json:
        console.print_json(
            {
                "backup_id": made.backup_id,
                "folder": str(made.folder),
                "files": len(made.files),
                "bytes": made.byte_count,
                "is_checked": check,
            }
        )
        return
    console.out.print(
        f"backed up {len(made.files):,} files, {made.byte_count / 1e6:,.1f} MB, to "
        f"{escape(str(made.folder))}" + (", and read them back" if check else ""),
        soft_wrap=True,
    )


@app.command()
def upkeep(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="This chore.", autocompletion=completion.chores)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compact, prune what is old, check the ledger, back up; what the settings ask for."""
    from pipeline import steps
    from pipeline.upkeep import CHORES

    settings = load_settings()
    run_id = new_run_id(settings, "upkeep")
    rows, failed = [], []
    for chore in only or CHORES:
        with console.working(chore):
            try:
                done = steps.do_chore(settings, chore, run_id, is_dry_run=dry_run)
            except TidemarkError as exc:
                failed.append(exc)
                done = {"chore": chore, "file_count": 0, "byte_count": 0, "sentence": str(exc)}
        rows.append([done["chore"], done["file_count"], done["byte_count"], done["sentence"]])
    title = "What would be done" if dry_run else "Upkeep"
    console.print_rows(title, ["chore", "files", "bytes", "said"], rows, as_json)
    if failed:
        raise failed[0]


@app.command()
def restore(
    source: Annotated[
        Path, typer.Argument(help="What `tidemark backup` was given, or one of the backups in it.")
    ],
    as_json: AsJson = False,
) -> None:
    """Put a backup, the newest by default, into an empty home."""
    from pipeline.backup import find_backup
    from pipeline.restoring import restore_backup

    settings = load_settings()
    chosen = find_backup(source)
    with console.progress("files") as progress:
        bar = progress.add_task("restoring", total=len(chosen.files))
        count = restore_backup(
            settings,
            chosen,
            new_run_id(settings, "restore"),
            on_file=lambda done, _: progress.update(bar, completed=done),
        )
    if as_json:
        console.print_json({"backup_id": chosen.backup_id, "files": count})
        return
    console.out.print(
        f"restored {count:,} files of backup {chosen.backup_id} into "
        f"{escape(str(settings.home))}; `tidemark build` makes the published file of them",
        soft_wrap=True,
    )
