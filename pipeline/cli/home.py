"""Commands about the home as a whole: what is published, going back, tidying."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.markup import escape

from pipeline.cli import completion, console
from pipeline.cli.options import AsJson, new_run_id
from pipeline.errors import ConfigurationError
from pipeline.settings import Settings, load_settings

app = typer.Typer()

_JOURNAL_FILES_WORTH_IT = 8


@app.command()
def rollback(
    build_id: Annotated[
        str | None,
        typer.Argument(help="The one before, by default.", autocompletion=completion.builds),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Publish an earlier build again."""
    from pipeline.lock import run_lock
    from pipeline.report.publishing import publish_report
    from pipeline.warehouse import Warehouse

    settings = load_settings()
    with run_lock(settings.home, run_id=new_run_id(settings, "rollback")):
        manifest = Warehouse(settings).rollback(build_id)
        if settings.report_enabled:
            publish_report(settings)
    if as_json:
        console.print_json({key: manifest[key] for key in ("build_id", "market_date")})
        return
    console.out.print(
        f"published build {manifest['build_id']} again, up to {manifest['market_date']}; the next "
        "build replaces it"
    )


@app.command()
def compact(as_json: AsJson = False) -> None:
    """Fold the many small files of many nights, raw and journal, into few; no row changes."""
    from pipeline.datasets import DATASETS
    from pipeline.journal import fold_journal
    from pipeline.lock import run_lock
    from pipeline.raw_store import RawStore

    settings = load_settings()
    store = RawStore(settings.raw_dir, settings.threads)
    with run_lock(settings.home, run_id=new_run_id(settings, "compact")):
        store.recover()
        folded = sum(store.compact(dataset) for dataset in DATASETS.values())
        folded += fold_journal(settings, at_least=_JOURNAL_FILES_WORTH_IT)
    if as_json:
        console.print_json({"folded_files": folded})
    else:
        console.out.print(f"folded {folded} files")


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show what is published and how the last build went."""
    from pipeline.warehouse import Warehouse

    settings = load_settings()
    manifest = Warehouse(settings).published_manifest()
    if manifest is None:
        raise ConfigurationError(
            f"nothing is published in {settings.home} yet; `make demo` shows a simulated market, "
            "`tidemark import DIR` and `tidemark build` use your own history"
        )
    facts = {key: value for key, value in manifest.items() if key != "files"}
    facts["file"] = str(settings.published_file)
    if as_json:
        console.print_json(facts)
        return
    for name, said in _told(manifest, settings):
        console.out.print(f"{name:<16} {escape(said)}", soft_wrap=True)


def _told(manifest: Mapping[str, Any], settings: Settings) -> list[tuple[str, str]]:
    """Return what a person wants to know of a published build, in words."""
    from pipeline.text import visible

    published_at = datetime.fromisoformat(manifest["published_at"])
    hours = (settings.now() - published_at).total_seconds() / 3600
    counts = manifest["row_counts"]
    page = settings.published_dir / "report" / "index.html"
    missing = ", ".join(manifest["degraded_feeds"]) or "none"
    return [
        ("last day", manifest["market_date"]),
        ("published", f"{published_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC, {_ago(hours)}"),
        ("degraded feeds", visible(missing)),
        ("tables", f"{len(counts)} with {sum(counts.values()):,} rows"),
        ("file", str(settings.published_file)),
        ("report", str(page) if page.exists() else "none; `tidemark report` writes it"),
        ("build", f"{manifest['build_id']} by run {visible(manifest['run_id'])}"),
        (
            "versions",
            f"Tidemark {manifest['tidemark_version']}, tables {manifest['schema_version']}, "
            f"inputs {manifest['input_digest'][:12]}",
        ),
    ]


def _ago(hours: float) -> str:
    if hours < 1:
        return f"{max(hours, 0) * 60:.0f} minutes ago"
    return f"{hours:.0f} hours ago" if hours < 72 else f"{hours / 24:.0f} days ago"
