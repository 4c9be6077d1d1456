"""``tidemark doctor``: is everything in order?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from pipeline.cli import console
from pipeline.cli.options import AsJson
from pipeline.settings import load_settings
from pipeline.text import visible

if TYPE_CHECKING:
    from pipeline.doctor.finding import Finding

app = typer.Typer()

TABLE_MIN_WIDTH = 110

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


@app.command()
def doctor(
    online: Annotated[
        bool, typer.Option("--online", help="Hold the clock against a vendor's, too.")
    ] = False,
    send_test: Annotated[
        bool, typer.Option("--send-test", help="Send a test mail to every recipient.")
    ] = False,
    mail: Annotated[
        bool, typer.Option("--mail", help="Mail when last night did not happen; for a crontab.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look at paths, versions, keys, mail, lock and nights; say what is wrong and what to do."""
    from pipeline import doctor as looking
    from pipeline import steps
    from pipeline.doctor.mail import compose_test

    settings = load_settings()
    with console.working("looking"):
        found = looking.examine(settings, is_online=online)
    status = looking.worst(found)
    if as_json:
        content = {"status": status, "findings": [asdict(finding) for finding in found]}
        console.print_json(content)
    else:
        if console.out.width < TABLE_MIN_WIDTH:
            console.out.print(Group(*map(_lines, found)))
        else:
            console.out.print(_table(found))
    if mail:
        steps.watch_nights(settings)
    if send_test and not compose_test(settings):
        console.err.print("nobody is set to get the test mail: TIDEMARK_ALERT_TO is empty")
    if mail or send_test:
        steps.deliver_alerts(settings)
    if status == "fail":
        raise typer.Exit(1)


def _table(found: Sequence[Finding]) -> Table:
    table = Table(header_style="bold", box=None, pad_edge=False)
    for column in ("", "part", "found", "next"):
        table.add_column(column, overflow="fold")
    for finding in found:
        words = (finding.part, finding.detail, finding.next_step)
        table.add_row(_status(finding), *(escape(visible(word)) for word in words))
    return table


def _lines(finding: Finding) -> RenderableType:
    said = f"{_status(finding)} [bold]{escape(visible(finding.part))}[/]: "
    said += escape(visible(finding.detail))
    if finding.next_step:
        said += f"\n-> {escape(visible(finding.next_step))}"
    return said


def _status(finding: Finding) -> str:
    style = _STYLES[finding.status]
    return f"[{style}]{finding.status:<4}[/]"
