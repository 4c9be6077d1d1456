"""``tidemark``: the same steps as the nightly DAG, by hand. One module per group of commands."""

from __future__ import annotations

import logging
import sys
from typing import Annotated, Any

import typer
from rich.markup import escape
from typer.core import TyperGroup

from pipeline import __version__
from pipeline.cli import (
    alerts,
    archives,
    catalogue,
    console,
    diff,
    doctor,
    home,
    nights,
    quarantine,
    reading,
    sandbox,
    vendors,
)
from pipeline.cli.nights import INTERRUPTED_STATUS
from pipeline.errors import ConfigurationError, TidemarkError
from pipeline.log_context import LogFormat, make_handler
from pipeline.settings import load_settings

__all__ = ["app", "main"]


class _Commands(TyperGroup):
    """The commands, which say where things stand when they are stopped by hand."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            console.stop_writing()
        except KeyboardInterrupt:
            console.err.print(
                "interrupted; what was published and stored before is as it was. The same "
                "command starts again",
                soft_wrap=True,
            )
            raise typer.Exit(INTERRUPTED_STATUS) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    help="Point-in-time crypto size indices and sentiment signals, on your own machine.",
    pretty_exceptions_enable=False,
)
for _group in (
    nights,
    vendors,
    home,
    archives,
    quarantine,
    alerts,
    doctor,
    reading,
    catalogue,
    diff,
    sandbox,
):
    app.add_typer(_group.app)


def main() -> None:
    """Run the command line; a mistake or a bad night ends in a sentence, not a traceback."""
    try:
        app(standalone_mode=True)
    except (TidemarkError, OSError) as exc:
        text = "\n".join([str(exc), *getattr(exc, "__notes__", [])])
        if isinstance(exc, PermissionError | FileNotFoundError | NotADirectoryError):
            text += "; `tidemark doctor` looks at every path that the settings name"
        console.err.print(f"[bold red]{type(exc).__name__}[/]: {escape(text)}")
        sys.exit(2 if isinstance(exc, ConfigurationError) else 1)


def _version(wanted: bool) -> None:
    if wanted:
        console.out.print(f"tidemark {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    del version
    level = logging.INFO if verbose else logging.ERROR
    logging.basicConfig(level=level, handlers=[make_handler(_log_format())])


def _log_format() -> LogFormat:
    """Return the chosen format; a wrong setting is told by the command that reads them all."""
    try:
        return load_settings().log_format
    except ConfigurationError:
        return "text"
