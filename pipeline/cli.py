"""``tidemark``: the same steps as the nightly DAG, by hand."""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from pipeline import __version__
from pipeline.errors import ConfigurationError, QualityError, SourceError, TidemarkError
from pipeline.settings import Settings, load_settings

app = typer.Typer(
    no_args_is_help=True,
    help="Point-in-time crypto size indices and sentiment signals, on your own machine.",
    pretty_exceptions_enable=False,
)
sandbox_app = typer.Typer(no_args_is_help=True, help="A simulated market behind the vendors' APIs.")
app.add_typer(sandbox_app, name="sandbox")

out = Console()
err = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
MarketDate = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="UTC day; the last complete one by default."),
]
FromDay = Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First UTC day.")]
ToDay = Annotated[
    datetime | None,
    typer.Option(
        "--to", formats=["%Y-%m-%d"], help="Last UTC day; the last complete one by default."
    ),
]


def main() -> None:
    """Run the command line; a mistake or a bad night ends in a sentence, not a traceback."""
    try:
        app(standalone_mode=True)
    except (TidemarkError, OSError) as exc:
        text = "\n".join([str(exc), *getattr(exc, "__notes__", [])])
        err.print(f"[bold red]{type(exc).__name__}[/]: {escape(text)}")
        sys.exit(2 if isinstance(exc, ConfigurationError) else 1)


def _version(wanted: bool) -> None:
    if wanted:
        out.print(f"tidemark {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    del version
    logging.basicConfig(
        level=logging.INFO if verbose else logging.ERROR,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )


def _run_id(settings: Settings, command: str) -> str:
    return f"{command}-{settings.now().strftime('%Y%m%dT%H%M%SZ')}"


def _day(given: datetime | None, settings: Settings) -> date:
    return given.date() if given is not None else settings.default_market_date()


@contextmanager
def _working(text: str) -> Iterator[Callable[[str], None]]:
    """Show what is being done while the block runs; yields a function that changes the text."""
    with err.status(escape(text)) as status:
        yield lambda step: status.update(escape(step))


def _progress(unit: str) -> Progress:
    """Return a progress bar that says how much is left and how long it will take."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
        console=err,
        transient=True,
    )


def _print_rows(title: str, columns: list[str], rows: list[list[Any]], as_json: bool) -> None:
    if as_json:
        records = [dict(zip(columns, _finite(row), strict=True)) for row in rows]
        out.print_json(json.dumps(records, default=str))
        return
    out.print(title, soft_wrap=True)
    table = Table(header_style="bold", box=None, pad_edge=False)
    for index, column in enumerate(columns):
        is_number = any(isinstance(row[index], int | float) for row in rows)
        table.add_column(column, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    out.print(table)


def _plain(value: Any) -> Any:
    """Return a value of a query with decimals as the numbers that they are."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def _finite(value: Any) -> Any:
    """Return a value with NaN and infinity as null, which JSON has no other word for."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return value


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4f}" if abs(value) < 1000 else f"{value:,.2f}"
    return escape(str(value))


@app.command()
def refresh(market_date: MarketDate = None) -> None:
    """Run one night: extract, validate, load, build, audit, publish."""
    from pipeline import steps

    settings = load_settings()
    day = _day(market_date, settings)
    run_id = _run_id(settings, "refresh")
    try:
        with _working(f"refreshing {day}") as show:
            manifest = steps.refresh(settings, day, run_id, on_step=show)
    finally:
        for failure in steps.failures(settings, run_id):
            err.print(f"[bold]{escape(failure['step'])}[/]: {escape(failure['error'])}")
    out.print(
        f"published {settings.published_file} up to {manifest['market_date']}", soft_wrap=True
    )
    for sentence in steps.fallbacks(settings, run_id):
        out.print(escape(sentence), soft_wrap=True)


@app.command()
def backfill(
    feed: str,
    first: FromDay,
    last: ToDay = None,
    source: Annotated[
        str | None, typer.Option(help="Ask this source; the first that can be, by default.")
    ] = None,
    chunk_days: Annotated[
        int | None, typer.Option(min=1, help="Days that are asked for at once.")
    ] = None,
) -> None:
    """Fetch a range of days of a feed; the same command goes on where it was interrupted."""
    from pipeline import steps

    settings = load_settings()
    run_id = _run_id(settings, "backfill")
    with _progress("chunks") as progress:
        bar = progress.add_task(escape(feed), total=None)
        loaded = steps.backfill(
            settings,
            feed,
            first.date(),
            _day(last, settings),
            run_id,
            source=source,
            chunk_days=chunk_days,
            on_chunk=lambda chunk, done, total: progress.update(
                bar, completed=done, total=total, description=f"{escape(feed)} {chunk.last}"
            ),
        )
    _print_rows("Loaded", list(loaded), [list(loaded.values())], as_json=False)


@app.command()
def replay(
    feed: Annotated[str | None, typer.Option(help="Only the sources of this feed.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Only those of this dataset.")] = None,
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="First UTC day of the rows."),
    ] = None,
    last: ToDay = None,
    apply: Annotated[bool, typer.Option("--apply", help="Store what differs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read landed bytes again with today's parsers and show, or store, what differs."""
    from pipeline import steps
    from pipeline.sources.registry import SOURCES, get_feed, sources_for

    if feed is not None and dataset is not None:
        raise ConfigurationError("name a feed or a dataset, not both")
    settings = load_settings()
    chosen = SOURCES if dataset is None else sources_for(dataset)
    if feed is not None:
        chosen = get_feed(feed).sources
    with _working("reading what was landed") as show:
        reports = steps.replay(
            settings,
            {(source.dataset, source.name): source for source in chosen}.values(),
            date.min if first is None else first.date(),
            _day(last, settings),
            _run_id(settings, "replay"),
            is_applied=apply,
            on_fetch=lambda text: show(f"reading {text}"),
        )
    names = ["dataset", "source", "fetches", "new", "revised", "unchanged", "missing"]
    if as_json:
        out.print_json(json.dumps([asdict(report) for report in reports]))
        return
    _print_rows(
        "Stored" if apply else "Would store; --apply does",
        names,
        [[getattr(report, name) for name in names] for report in reports],
        as_json=False,
    )
    for report in reports:
        for line in report.examples:
            out.print(f"{report.dataset} {escape(line)}", soft_wrap=True)
        for line in report.unreadable:
            out.print(f"{report.dataset} not read: {escape(line)}", soft_wrap=True)


@app.command()
def probe(
    vendor: Annotated[str | None, typer.Option(help="Only this vendor's endpoints.")] = None,
    as_json: AsJson = False,
) -> None:
    """Ask every endpoint once or a few times and show what works from here."""
    from pipeline.probe import failed_primaries, probed_sources, run_probe

    settings = load_settings()
    with _working("probing") as show:
        results = run_probe(
            settings, probed_sources(vendor), on_source=lambda name: show(f"probing {name}")
        )
    names = ["feed", "source", "vendor", "outcome", "call_count", "detail"]
    _print_rows(
        "Probed",
        ["feed", "source", "vendor", "outcome", "calls", "detail"],
        [[getattr(result, name) for name in names] for result in results],
        as_json,
    )
    if not as_json:
        out.print(f"shapes are in {settings.state_dir / 'probe'}", soft_wrap=True)
    failed = failed_primaries(results)
    if failed:
        raise SourceError(
            "no night can be published while "
            + "; ".join(f"{each.source} of {each.feed} is {each.outcome}" for each in failed)
        )


@app.command()
def vendors(
    reopen: Annotated[
        str | None, typer.Option(help="Ask this vendor again at once, however it refused us.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show every vendor's call budget, and which are left alone until when."""
    from pipeline.sources.circuit import Circuit
    from pipeline.sources.pacing import Pacer
    from pipeline.sources.vendors import VENDORS, get_vendor

    settings = load_settings()
    if reopen is not None:
        was_open = Circuit(settings.state_dir, get_vendor(reopen).name).clear()
        out.print(f"{reopen} is asked again" if was_open else f"{reopen} was not left alone")
        return
    rows: list[list[Any]] = []
    for vendor in VENDORS.values():
        opening = Circuit(settings.state_dir, vendor.name).opening()
        used = Pacer(settings.state_dir, vendor, settings.vendor_pace or 1.0).calls_this_month()
        rows.append(
            [
                vendor.name,
                vendor.calls_per_minute,
                used,
                vendor.calls_per_month,
                None if opening is None else f"{opening.until:%Y-%m-%d %H:%M} UTC",
                None if opening is None else opening.reason,
            ]
        )
    columns = ["vendor", "calls a minute", "calls this month", "of", "left alone until", "reason"]
    _print_rows("Vendors", columns, rows, as_json)


@app.command("import")
def import_history(
    folder: Annotated[Path, typer.Argument(help="Holds <dataset>*.parquet or .csv files.")],
    as_json: AsJson = False,
) -> None:
    """Load your own history, through the same gate as live data."""
    from pipeline.importing import find_files, import_file

    settings = load_settings()
    files = find_files(folder, settings.sql_dir)
    run_id = _run_id(settings, "import")
    reports = []
    with _progress("rows") as progress:
        bar = progress.add_task("", total=sum(file.row_count for file in files))
        for file in files:
            progress.update(bar, description=escape(file.path.name))
            reports.append(
                import_file(
                    settings, file, run_id, on_rows=lambda rows: progress.advance(bar, rows)
                )
            )
    _print_rows(
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
        list[str] | None, typer.Option(help="Build this model and its parents, unpublished.")
    ] = None,
    publish: Annotated[bool, typer.Option(help="Audit and publish the build.")] = True,
) -> None:
    """Build the warehouse from the raw archive, audit it and publish it."""
    from pipeline import steps
    from pipeline.lock import run_lock

    settings = load_settings()
    run_id = _run_id(settings, "build")
    with (
        _working("building") as show,
        run_lock(settings.home, run_id=run_id, wait_seconds=settings.lock_timeout_seconds),
    ):
        built = steps.build(
            settings,
            settings.default_market_date(),
            run_id,
            only=only or (),
            on_model=lambda name: show(f"building {name}"),
        )
        if only:
            file = settings.builds_dir / built["build_id"] / "build.duckdb"
        elif publish or built["is_unchanged"]:
            show("auditing")
            steps.audit(settings, built)
            show("publishing")
            steps.publish(settings, built)
            file = settings.published_file
        else:
            file = settings.builds_dir / built["build_id"] / "build.duckdb"
    if built["is_unchanged"]:
        out.print(f"nothing new since build {built['build_id']}; {file} stays as it is")
    elif only:
        out.print(f"built {', '.join(only)} and what it reads into {file}")
    else:
        out.print(f"built {file} up to {built['market_date']}")


@app.command()
def rollback(
    build_id: Annotated[str | None, typer.Argument(help="The one before, by default.")] = None,
) -> None:
    """Publish an earlier build again."""
    from pipeline.lock import run_lock
    from pipeline.warehouse import Warehouse

    settings = load_settings()
    with run_lock(settings.home, run_id=_run_id(settings, "rollback")):
        manifest = Warehouse(settings).rollback(build_id)
    out.print(
        f"published build {manifest['build_id']} again, up to {manifest['market_date']}; the next "
        "build replaces it"
    )


@app.command()
def compact() -> None:
    """Fold the many small raw files of many nights into few; no row changes."""
    from pipeline.datasets import DATASETS
    from pipeline.lock import run_lock
    from pipeline.raw_store import RawStore

    settings = load_settings()
    store = RawStore(settings.raw_dir, settings.threads)
    with run_lock(settings.home, run_id=_run_id(settings, "compact")):
        store.recover()
        folded = sum(store.compact(dataset) for dataset in DATASETS.values())
    out.print(f"folded {folded} files")


@app.command()
def query(sql: str, as_json: AsJson = False) -> None:
    """Run SQL on the published file, read-only."""
    import duckdb

    from pipeline.database import open_read_only

    if not sql.strip(" \n\t;"):
        raise ConfigurationError("there is no SQL to run; try 'show all tables'")
    with open_read_only(load_settings().published_file) as connection:
        try:
            # By way of Arrow: DuckDB's own rows of timestamps need a package that we do not.
            table = connection.execute(sql).to_arrow_table()
        except duckdb.Error as exc:
            raise ConfigurationError(f"DuckDB says: {exc}") from exc
    columns = [[_plain(value) for value in column.to_pylist()] for column in table.columns]
    rows = [list(row) for row in zip(*columns, strict=True)]
    _print_rows(f"{len(rows)} rows", table.column_names, rows, as_json)


@app.command()
def explain(
    index_id: str,
    market_date: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"])],
    profile: str = "house",
    top: Annotated[int, typer.Option(min=1, help="Constituents to show.")] = 15,
    as_json: AsJson = False,
) -> None:
    """Show why a level is what it is: members, weights, prices, contributions, divisor, events."""
    from pipeline.database import open_read_only
    from pipeline.explain import explain_level

    with open_read_only(Settings().published_file) as connection:
        found = explain_level(connection, profile, index_id, market_date.date())
    if as_json:
        out.print_json(json.dumps(found.to_dict(), default=str))
        return
    level, event, checks = found.level, found.event, found.checks
    move = level["return_1d_fraction"]
    out.print(
        f"[bold]{escape(index_id)}[/] ({escape(profile)}) closed {level['market_date']} at "
        f"[bold]{level['level']:,.6f}[/]" + ("" if move is None else f", {move:+.4%} on the day")
    )
    out.print(
        f"= {level['market_value_usd']:,.2f} US dollars / divisor {level['divisor']:,.6f}; "
        f"{level['constituent_count']} constituents, {level['stale_count']} with a carried price, "
        f"coverage {level['coverage_fraction']:.2%}; rulebook {level['rulebook_version']}"
        + ("; reconstructed history" if level["is_reconstructed"] else "")
    )
    if level["level_as_published"] != level["level"]:
        out.print(f"published on its night as {level['level_as_published']:,.6f}")
    out.print(
        f"Basket since the close of {event['event_date']} ({event['event_kind']}): divisor "
        + ("none" if event["divisor_before"] is None else f"{event['divisor_before']:,.6f}")
        + f" -> {event['divisor_after']:,.6f}, level {event['level']:,.6f} on both sides"
    )
    _print_rows(
        f"\nHeaviest {min(top, len(found.constituents))} of {len(found.constituents)}",
        ["coin", "weight", "to the day", "price", "units", "sources", "known at", "carried days"],
        [
            [
                row["coin_id"]
                if row["priced_coin_id"] == row["coin_id"]
                else f"{row['coin_id']} (as {row['priced_coin_id']})",
                f"{row['weight_fraction']:.3%}",
                "-"
                if row["contribution_1d_fraction"] is None
                else f"{row['contribution_1d_fraction']:+.4%}",
                f"{row['price_usd']:,.6g}",
                f"{row['units']:,.6g}",
                row["price_sources"],
                f"{row['known_at']:%Y-%m-%d %H:%M}",
                row["stale_days"],
            ]
            for row in found.constituents[:top]
        ],
        as_json=False,
    )
    carried = [row for row in found.constituents if row["stale_days"]]
    if carried:
        out.print(
            "Carried: "
            + ", ".join(f"{escape(row['coin_id'])} ({row['stale_days']} d)" for row in carried)
        )
    contributed = checks["sum_of_contributions"]
    out.print(
        f"Check: units x price / divisor = {checks['units_times_price_over_divisor']:,.6f}; "
        f"weights add up to {checks['sum_of_weights']:.9f}"
        + ("" if contributed is None else f"; contributions to {contributed:+.4%}")
    )
    if found.events:
        _print_rows(
            "\nEvents since the basket was struck",
            ["day", "event", "subject", "detail"],
            [list(row.values()) for row in found.events],
            as_json=False,
        )


@app.command()
def claims(
    verdict: Annotated[str | None, typer.Option(help="Only claims with this verdict.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what became of every claim that the press made about the market."""
    from pipeline.claims import claims_table, read_claims, summary
    from pipeline.database import open_read_only

    with open_read_only(load_settings().published_file) as connection:
        rows = read_claims(connection, verdict)
    if as_json:
        out.print_json(json.dumps(_finite(rows), default=str))
        return
    out.print(claims_table(rows))
    out.print(summary(rows))


@app.command()
def signal(
    signal_id: Annotated[str, typer.Argument(help="Id or slug, as S03 or size_spread.")],
    entity: Annotated[str | None, typer.Option(help="Only this series.")] = None,
    top: Annotated[int, typer.Option(min=1, help="Series and tests to show.")] = 12,
    as_json: AsJson = False,
) -> None:
    """Show one signal: what it is, its last values and year, and what followed it."""
    from pipeline.database import open_read_only
    from pipeline.models import load_project
    from pipeline.signal_page import definition_lines, quality_table, read_signal, values_table

    settings = load_settings()
    project = load_project(settings.sql_dir, settings.reference_dir)
    with open_read_only(settings.published_file) as connection:
        page = read_signal(connection, project, signal_id, entity)
    if as_json:
        out.print_json(json.dumps(_finite(page.to_dict()), default=str))
        return
    for line in definition_lines(page):
        out.print(line, soft_wrap=True)
    out.print(values_table(page, top))
    out.print(quality_table(page, top) if page.quality else "no test of what followed it")


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
        out.print_json(json.dumps(facts))
        return
    _print_rows("Published", ["fact", "value"], [[k, v] for k, v in facts.items()], as_json=False)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where to put the demo's data.")] = Path("demo"),
    nights: Annotated[int, typer.Option(min=1, max=30)] = 2,
) -> None:
    """Run the real DAG for a few nights, offline, on a simulated market."""
    from pipeline.demo import run_demo

    run_demo(folder.resolve(), nights, out)


FirstDay = Annotated[
    datetime, typer.Option(formats=["%Y-%m-%d"], help="First day of the simulated market.")
]
_FIRST_DAY = datetime(2022, 1, 1, tzinfo=UTC)


@sandbox_app.command("serve")
def sandbox_serve(
    host: str = "127.0.0.1",
    port: int = 8089,
    seed: int = 7,
    first_day: FirstDay = _FIRST_DAY,
    coins: Annotated[int, typer.Option(help="Coins listed on the first day.")] = 300,
) -> None:
    """Speak the vendors' wire formats from a simulated market."""
    from pipeline.sandbox.server import Sandbox, run_forever

    def announce(sandbox: Sandbox) -> None:
        out.print(f"the sandbox answers at {sandbox.base_url}; point the pipeline at it with")
        out.print(f"  export TIDEMARK_VENDOR_ROOT_URL={sandbox.url()} TIDEMARK_VENDOR_PACE=0")
        out.print("stop it with Ctrl-C")

    run_forever(host, port, seed, first_day.date(), coins, on_ready=announce)


@sandbox_app.command("export")
def sandbox_export(
    folder: Path,
    seed: int = 7,
    first_day: FirstDay = _FIRST_DAY,
    last_day: MarketDate = None,
    coins: Annotated[int, typer.Option(help="Coins listed on the first day.")] = 300,
) -> None:
    """Write the simulated market's history as files that `tidemark import` reads."""
    from pipeline.sandbox.history import export_history
    from pipeline.sandbox.market import SimulatedMarket

    last = _day(last_day, load_settings())
    first = first_day.date()
    market = SimulatedMarket(seed, first, last, coins)
    folder.mkdir(parents=True, exist_ok=True)
    for path in export_history(market, folder, first, last):
        out.print(f"wrote {path}")


if __name__ == "__main__":
    main()
