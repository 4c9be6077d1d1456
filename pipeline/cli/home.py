"""Commands about the home as a whole: what is published, going back, tidying."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli import console
from pipeline.cli.options import AsJson, new_run_id
from pipeline.errors import ConfigurationError
from pipeline.settings import load_settings

app = typer.Typer()

_JOURNAL_FILES_WORTH_IT = 8


@app.command()
def rollback(
    build_id: Annotated[str | None, typer.Argument(help="The one before, by default.")] = None,
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
    console.out.print(
        f"published build {manifest['build_id']} again, up to {manifest['market_date']}; the next "
        "build replaces it"
    )


@app.command()
def compact() -> None:
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
    console.print_rows(
        "Published", ["fact", "value"], [[k, v] for k, v in facts.items()], as_json=False
    )
