"""``tidemark doctor``: is everything in order?"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from pipeline.cli import console
from pipeline.cli.options import AsJson
from pipeline.settings import load_settings

app = typer.Typer()

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
    from pipeline.text import visible

    settings = load_settings()
    with console.working("looking"):
        found = looking.examine(settings, is_online=online)
    status = looking.worst(found)
    if as_json:
        content = {"status": status, "findings": [asdict(finding) for finding in found]}
        console.out.print_json(json.dumps(content))
    else:
        table = Table(header_style="bold", box=None, pad_edge=False)
        for column in ("", "part", "found", "next"):
            table.add_column(column, overflow="fold")
        for finding in found:
            style = _STYLES[finding.status]
            words = (finding.part, finding.detail, finding.next_step)
            table.add_row(
                f"[{style}]{finding.status}[/]", *(escape(visible(word)) for word in words)
            )
        console.out.print(table)
    if mail:
        steps.watch_nights(settings)
    if send_test and not compose_test(settings):
        console.err.print("nobody is set to get the test mail: TIDEMARK_ALERT_TO is empty")
    if mail or send_test:
        steps.deliver_alerts(settings)
    if status == "fail":
        raise typer.Exit(1)
