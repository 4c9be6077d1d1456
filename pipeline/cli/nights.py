"""Commands that write: a night, a range of days, your own history, a build."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from pipeline.cli import completion, console
from pipeline.cli.options import AsJson, FromDay, MarketDate, ToDay, chosen_day, new_run_id
from pipeline.errors import ConfigurationError, QualityError, TidemarkError
from pipeline.settings import load_settings

app = typer.Typer()

INTERRUPTED_STATUS = 130
"""What a shell says of a command that Ctrl-C has ended."""


@app.command()
def refresh(market_date: MarketDate = None, as_json: AsJson = False) -> None:
    """Run one night: extract, validate, load, build, audit, publish."""
    from pipeline import steps

    settings = load_settings()
    day = chosen_day(market_date, settings)
    run_id = new_run_id(settings, "refresh")
    try:
        with console.working(f"refreshing {day}") as show:
            manifest = steps.refresh(settings, day, run_id, on_step=show)
    finally:
        for failure in steps.failures(settings, run_id):
            console.err.print(f"[bold]{escape(failure['step'])}[/]: {escape(failure['error'])}")
    fallbacks = steps.fallbacks(settings, run_id)
    if as_json:
        console.print_json(
            {
                "build_id": manifest["build_id"],
                "market_date": manifest["market_date"],
                "file": str(settings.published_file),
                "fallbacks": fallbacks,
            }
        )
        return
    console.out.print(
        f"published {settings.published_file} up to {manifest['market_date']}", soft_wrap=True
    )
    for sentence in fallbacks:
        console.out.print(escape(sentence), soft_wrap=True)


@app.command()
def backfill(
    feed: Annotated[
        str,
        typer.Argument(
            help="A chain of sources, as docs/sources.md lists them.",
            autocompletion=completion.feeds,
        ),
    ],
    first: FromDay,
    last: ToDay = None,
    source: Annotated[
        str | None, typer.Option(help="Ask this source; the first that can be, by default.")
    ] = None,
    chunk_days: Annotated[
        int | None, typer.Option(min=1, help="Days that are asked for at once.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch a range of days of a feed; the same command goes on where it was interrupted."""
    from pipeline import steps

    settings = load_settings()
    run_id = new_run_id(settings, "backfill")
    last_day = chosen_day(last, settings)
    if first > last_day:
        raise ConfigurationError(f"there is no day from {first} to {last_day}; --from comes first")
    try:
        with console.progress("chunks") as progress:
            bar = progress.add_task(escape(feed), total=None)
            loaded = steps.backfill(
                settings,
                feed,
                first,
                last_day,
                run_id,
                source=source,
                chunk_days=chunk_days,
                on_plan=lambda done, total: progress.update(bar, completed=done, total=total),
                on_chunk=lambda chunk, done, total: progress.update(
                    bar, completed=done, total=total, description=f"{escape(feed)} {chunk.last}"
                ),
            )
    except KeyboardInterrupt:
        # As asked, with the days spelt out: the same command tomorrow may mean another range.
        again = ["tidemark", "backfill", feed, "--from", str(first), "--to", str(last_day)]
        again += ["--source", source] if source is not None else []
        again += ["--chunk-days", str(chunk_days)] if chunk_days is not None else []
        console.err.print(
            "interrupted; what is landed and every chunk that is stored is kept. Go on with "
            f"`{escape(shlex.join(again))}`",
            soft_wrap=True,
        )
        raise typer.Exit(INTERRUPTED_STATUS) from None
    if as_json:
        console.print_json(loaded)
    else:
        console.print_rows("Loaded", list(loaded), [list(loaded.values())], as_json=False)


@app.command("import")
def import_history(
    folder: Annotated[Path, typer.Argument(help="Holds <dataset>*.parquet or .csv files.")],
    as_json: AsJson = False,
) -> None:
    """Load your own history, through the same gate as live data."""
    from pipeline.importing import find_files, import_file

    settings = load_settings()
    files = find_files(folder, settings.sql_dir)
    run_id = new_run_id(settings, "import")
    reports = []
    with console.progress("rows") as progress:
        bar = progress.add_task("", total=sum(file.row_count for file in files))
        for file in files:
            progress.update(bar, description=escape(file.path.name))
            reports.append(
                import_file(
                    settings, file, run_id, on_rows=lambda rows: progress.advance(bar, rows)
                )
            )
    console.print_rows(
        "Imported",
        ["file", "new", "revised", "known", "quarantined", "outcome"],
        [
            [
                r.file,
                r.added,
                r.revised,
                r.unchanged,
                r.quarantined,
                "stopped" if r.error else "imported before" if r.is_known else "imported",
            ]
            for r in reports
        ],
        as_json,
    )
    stopped = [report for report in reports if report.error]
    if stopped:
        raise QualityError("; ".join(f"{report.file}: {report.error}" for report in stopped))


@app.command()
def build(
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="Build this model and its parents, unpublished.",
            autocompletion=completion.models,
        ),
    ] = None,
    publish: Annotated[bool, typer.Option(help="Audit and publish the build.")] = True,
    accept_shrink: Annotated[
        list[str] | None,
        typer.Option(
            help="This table may have fewer rows than the published one, this once.",
            autocompletion=completion.models,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Build the warehouse from the raw archive, audit it and publish it."""
    from pipeline import steps
    from pipeline.lock import run_lock
    from pipeline.models import load_project
    from pipeline.shrink_audit import accepted_tables

    settings = load_settings()
    project = load_project(settings.sql_dir, settings.reference_dir)
    model_count = len(project.ordered(only or ()))
    accepted_tables(project.models, accept_shrink or ())
    run_id = new_run_id(settings, "build")
    warnings: list[str] = []
    with (
        console.counting("building") as show,
        run_lock(settings.home, run_id=run_id, wait_seconds=settings.lock_timeout_seconds),
    ):
        built = steps.build(
            settings,
            settings.default_market_date(),
            run_id,
            only=only or (),
            on_model=lambda name: show(name, model_count),
        )
        if only:
            file = settings.builds_dir / built["build_id"] / "build.duckdb"
        elif publish or built["is_unchanged"]:
            show("auditing")
            audited = steps.audit(settings, built, accept_shrink=accept_shrink or ())
            warnings = audited["warnings"]
            show("publishing")
            steps.publish(settings, built)
            file = settings.published_file
            show("writing the report")
            try:
                steps.report(settings, built)
            except (TidemarkError, OSError) as exc:
                warnings = [*warnings, f"the figures are published, their report is not: {exc}"]
        else:
            file = settings.builds_dir / built["build_id"] / "build.duckdb"
    if as_json:
        console.print_json(
            {
                "build_id": built["build_id"],
                "market_date": None if only else built["market_date"],
                "file": str(file),
                "is_unchanged": built["is_unchanged"],
                "warnings": warnings,
            }
        )
        return
    if built["is_unchanged"]:
        console.out.print(f"nothing new since build {built['build_id']}; {file} stays as it is")
    elif only:
        console.out.print(f"built {', '.join(only)} and what it reads into {file}")
    else:
        console.out.print(f"built {file} up to {built['market_date']}")
    for sentence in warnings:
        console.err.print(f"[bold]warning[/]: {escape(sentence)}", soft_wrap=True)
