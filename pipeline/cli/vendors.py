"""Commands about the vendors and what they sent: probe, budgets, replay."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Annotated, Any

import typer
from rich.markup import escape

from pipeline.cli import completion, console
from pipeline.cli.options import AnyFromDay, AsJson, ToDay, chosen_day, new_run_id
from pipeline.errors import ConfigurationError, SourceError
from pipeline.settings import load_settings

app = typer.Typer()

_VENDOR_KEYS = [
    "vendor",
    "calls_per_minute",
    "calls_this_month",
    "calls_per_month",
    "left_alone_until",
    "reason",
]


@app.command()
def replay(
    feed: Annotated[
        str | None,
        typer.Option(help="Only the sources of this feed.", autocompletion=completion.feeds),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="Only those of this dataset.", autocompletion=completion.datasets),
    ] = None,
    first: AnyFromDay = None,
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
    with console.working("reading what was landed") as show:
        reports = steps.replay(
            settings,
            {(source.dataset, source.name): source for source in chosen}.values(),
            first or date.min,
            chosen_day(last, settings),
            new_run_id(settings, "replay"),
            is_applied=apply,
            on_fetch=lambda text: show(f"reading {text}"),
        )
    names = ["dataset", "source", "fetches", "new", "revised", "unchanged", "missing"]
    if as_json:
        console.print_json([asdict(report) for report in reports])
        return
    console.print_rows(
        "Stored" if apply else "Would store; --apply does",
        names,
        [[getattr(report, name) for name in names] for report in reports],
        as_json=False,
    )
    for report in reports:
        for line in report.examples:
            console.out.print(f"{report.dataset} {escape(line)}", soft_wrap=True)
        for line in report.unreadable:
            console.out.print(f"{report.dataset} not read: {escape(line)}", soft_wrap=True)


@app.command()
def probe(
    vendor: Annotated[
        str | None,
        typer.Option(help="Only this vendor's endpoints.", autocompletion=completion.vendors),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask every endpoint once or a few times and show what works from here."""
    from pipeline.probe import failed_primaries, probed_sources, run_probe

    settings = load_settings()
    with console.working("probing") as show:
        results = run_probe(
            settings, probed_sources(vendor), on_source=lambda name: show(f"probing {name}")
        )
    names = ["feed", "source", "vendor", "outcome", "call_count", "detail"]
    console.print_rows(
        "Probed",
        ["feed", "source", "vendor", "outcome", "calls", "detail"],
        [[getattr(result, name) for name in names] for result in results],
        as_json,
    )
    if not as_json:
        console.out.print(f"shapes are in {settings.state_dir / 'probe'}", soft_wrap=True)
    failed = failed_primaries(results)
    if failed:
        raise SourceError(
            "no night can be published while "
            + "; ".join(f"{each.source} of {each.feed} is {each.outcome}" for each in failed)
        )


@app.command()
def vendors(
    reopen: Annotated[
        str | None,
        typer.Option(
            help="Ask this vendor again at once, however it refused us.",
            autocompletion=completion.vendors,
        ),
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
        console.out.print(
            f"{reopen} is asked again" if was_open else f"{reopen} was not left alone"
        )
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
    console.print_rows("Vendors", columns, rows, as_json, keys=_VENDOR_KEYS)
