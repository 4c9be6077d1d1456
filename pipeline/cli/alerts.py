"""Commands of the alerts: what is open, what was mailed, sending what waits."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape

from pipeline.cli import console
from pipeline.cli.options import AsJson
from pipeline.errors import ConfigurationError
from pipeline.settings import load_settings

app = typer.Typer()
alerts_app = typer.Typer(
    no_args_is_help=True, help="What is wrong and who was told: list, show, send."
)
app.add_typer(alerts_app, name="alerts")

_PROBLEM = ("severity", "kind", "subject", "since", "nights", "mailed", "sentence")
_ENTRY_KEYS = ("id", "composed", "kind", "sent", "waiting", "given_up", "subject")
_ENTRY = ("id", "composed", "kind", "sent", "waiting", "given up", "subject")


@alerts_app.command("list")
def list_alerts(as_json: AsJson = False) -> None:
    """List the open problems, and the alerts that were composed lately."""
    from pipeline.alerts.compose import read_state
    from pipeline.alerts.outbox import Outbox
    from pipeline.text import visible

    settings = load_settings()
    problems: list[list[Any]] = [
        [
            r.problem.severity,
            r.problem.kind,
            visible(r.problem.subject),
            str(r.first_seen),
            r.nights,
            None if r.mailed_on is None else str(r.mailed_on),
            visible(r.problem.sentence),
        ]
        for r in read_state(settings).open_records
    ]
    entries: list[list[Any]] = []
    for entry in Outbox(settings).entries()[-20:]:
        by_status = [d.status for d in entry.deliveries.values()]
        counts = [by_status.count(status) for status in ("sent", "waiting", "given up")]
        composed = f"{entry.created_at:%Y-%m-%d %H:%M}"
        entries.append([entry.entry_id, composed, entry.kind, *counts, visible(entry.subject)])
    if as_json:
        content = {
            "problems": [dict(zip(_PROBLEM, row, strict=True)) for row in problems],
            "alerts": [dict(zip(_ENTRY_KEYS, row, strict=True)) for row in entries],
        }
        console.print_json(content)
        return
    if problems:
        console.print_rows("Open problems", list(_PROBLEM), problems, as_json=False)
    else:
        console.out.print("no problem is open")
    if entries:
        console.print_rows("\nAlerts, the last one below", list(_ENTRY), entries, as_json=False)
    else:
        console.out.print("no alert was composed yet")


@alerts_app.command("show")
def show_alert(
    entry_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="As `list` prints it; the last by default.")
    ] = None,
    as_html: Annotated[bool, typer.Option("--html", help="Print the page instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print an alert as it was mailed, and who has it."""
    from pipeline.alerts.outbox import Outbox

    if as_html and as_json:
        raise ConfigurationError("choose --html or --json, not both")
    entries = Outbox(load_settings()).entries()
    found = [e for e in entries if entry_id is None or e.entry_id.startswith(entry_id)]
    if not found:
        raise ConfigurationError(
            "no alert was composed yet" if entry_id is None else f"there is no alert {entry_id}"
        )
    entry = found[-1]
    if as_json:
        deliveries = [
            {"to": name, "status": each.status, "tries": each.attempts, "error": each.error}
            for name, each in entry.deliveries.items()
        ]
        console.print_json(
            {
                "id": entry.entry_id,
                "subject": entry.subject,
                "text": entry.text,
                "deliveries": deliveries,
            }
        )
        return
    if as_html:
        typer.echo(entry.html)
        return
    typer.echo(f"Subject: {entry.subject}")
    for name, delivery in entry.deliveries.items():
        why = f" ({delivery.error})" if delivery.error else ""
        typer.echo(f"To: {name}, {delivery.status}, {delivery.attempts} tries{why}")
    typer.echo(f"\n{entry.text}")


@alerts_app.command("send")
def send_alerts(as_json: AsJson = False) -> None:
    """Send every alert that waits, to everybody who has not got it."""
    from pipeline.alerts.delivery import deliver

    with console.working("sending alerts"):
        accepted = deliver(load_settings())
    if as_json:
        console.print_json({"accepted": accepted})
        return
    console.out.print(
        escape(f"{accepted} deliveries were accepted" if accepted else "no alert was waiting")
    )
