"""Commands of the simulated market: the demo, the emulated vendors, their history."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import console
from pipeline.cli.options import FirstDay, MarketDate, chosen_day
from pipeline.settings import load_settings

app = typer.Typer()
sandbox_app = typer.Typer(no_args_is_help=True, help="A simulated market behind the vendors' APIs.")
app.add_typer(sandbox_app, name="sandbox")


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where to put the demo's data.")] = Path("demo"),
    nights: Annotated[
        int, typer.Option(min=0, max=30, help="0 loads the history only, without Airflow.")
    ] = 2,
) -> None:
    """Run the real DAG for a few nights, offline, on a simulated market."""
    from pipeline.demo import run_demo

    run_demo(folder.resolve(), nights, console.out)


_FIRST_DAY = date(2022, 1, 1)


@sandbox_app.command("serve")
def sandbox_serve(
    host: str = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any free port.")] = 8089,
    seed: int = 7,
    first_day: FirstDay = _FIRST_DAY,
    coins: Annotated[int, typer.Option(help="Coins listed on the first day.")] = 300,
) -> None:
    """Speak the vendors' wire formats from a simulated market."""
    from pipeline.sandbox.server import Sandbox, run_forever

    def announce(sandbox: Sandbox) -> None:
        console.out.print(
            f"the sandbox answers at {sandbox.base_url}; point the pipeline at it with"
        )
        console.out.print(
            f"  export TIDEMARK_VENDOR_ROOT_URL={sandbox.url()} TIDEMARK_VENDOR_PACE=0"
        )
        console.out.print("stop it with Ctrl-C")

    run_forever(host, port, seed, first_day, coins, on_ready=announce)


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

    last = chosen_day(last_day, load_settings())
    first = first_day
    market = SimulatedMarket(seed, first, last, coins)
    folder.mkdir(parents=True, exist_ok=True)
    for path in export_history(market, folder, first, last):
        console.out.print(f"wrote {path}")


@sandbox_app.command("fill")
def sandbox_fill(
    seed: int = 7,
    first_day: FirstDay = _FIRST_DAY,
    coins: Annotated[int, typer.Option(help="Coins listed on the first day.")] = 300,
) -> None:
    """Give a home that asks the sandbox the market's history, unless it has published."""
    from pipeline.sandbox.filling import fill_home

    if not fill_home(load_settings(), seed, first_day, coins, console.out.print):
        console.out.print("the home has published; it is left as it is")
