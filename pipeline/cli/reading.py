"""Commands that read the published file: SQL, a level, the claims, a signal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from pipeline.cli import completion, console
from pipeline.cli.options import AsJson, Day, new_run_id
from pipeline.errors import ConfigurationError
from pipeline.settings import load_settings

app = typer.Typer()

ROWS_ON_A_TERMINAL = 500
EXPLANATION_MIN_WIDTH = 100
"""A narrower terminal has no room for where a price is from; --json always has it."""


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="One statement; `-` reads it from standard input.")],
    as_json: AsJson = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV that a spreadsheet can open safely.")
    ] = False,
    parquet: Annotated[
        Path | None, typer.Option(help="Write the rows, exactly, into this new file.")
    ] = None,
) -> None:
    """Run SQL on the published file, read-only."""
    import duckdb

    from pipeline.database import open_read_only
    from pipeline.exporting import csv_lines, table_rows, write_parquet

    if as_json + as_csv + (parquet is not None) > 1:
        raise ConfigurationError("choose one of --json, --csv and --parquet")
    if sql == "-":
        sql = sys.stdin.read()
    if not sql.strip(" \n\t;"):
        raise ConfigurationError("there is no SQL to run; `tidemark tables` shows what to ask for")
    with open_read_only(load_settings().published_file) as connection:
        try:
            # By way of Arrow: DuckDB's own rows of timestamps need a package that we do not.
            table = connection.execute(sql).to_arrow_table()
        except duckdb.Error as exc:
            raise ConfigurationError(f"DuckDB says: {exc}") from exc
    if as_csv:
        for line in csv_lines(table.column_names, table_rows(table)):
            typer.echo(line)
        return
    if parquet is not None:
        write_parquet(table, parquet)
        console.out.print(f"wrote {table.num_rows} rows into {escape(str(parquet))}")
        return
    columns = [[console.plain(value) for value in column.to_pylist()] for column in table.columns]
    rows = [list(row) for row in zip(*columns, strict=True)]
    title = f"{len(rows):,} row{'' if len(rows) == 1 else 's'}"
    if len(rows) > ROWS_ON_A_TERMINAL and console.out.is_terminal and not as_json:
        title = f"the first {ROWS_ON_A_TERMINAL} of {title}; --csv and --json print them all"
        rows = rows[:ROWS_ON_A_TERMINAL]
    console.print_rows(title, table.column_names, rows, as_json)


@app.command()
def report(
    is_opened: Annotated[
        bool, typer.Option("--open", help="Open the first page in the browser.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the pages about what is published, and say where they are."""
    from pipeline.lock import run_lock
    from pipeline.report.publishing import publish_report

    settings = load_settings()
    with (
        run_lock(settings.home, run_id=new_run_id(settings, "report")),
        console.working("writing the report") as show,
    ):
        show("report")
        page = publish_report(settings, again=True)
    if page is None:
        raise ConfigurationError(
            f"{settings.sql_dir} has no folder report; the shipped SQL has one: leave "
            "TIDEMARK_SQL_DIR empty"
        )
    if as_json:
        console.print_json({"page": str(page)})
    else:
        console.out.print(escape(str(page)), soft_wrap=True)
    if is_opened and typer.launch(page.as_uri()) != 0:
        raise ConfigurationError(f"no browser could be started here; open {page} yourself")


@app.command()
def explain(
    index_id: Annotated[
        str,
        typer.Argument(help="As large or small_capped.", autocompletion=completion.indices),
    ],
    market_date: Day,
    profile: Annotated[
        str, typer.Option(help="Set of rules.", autocompletion=completion.profiles)
    ] = "house",
    top: Annotated[int, typer.Option(min=1, help="Constituents to show.")] = 15,
    as_json: AsJson = False,
) -> None:
    """Show why a level is what it is: members, weights, prices, contributions, divisor, events."""
    from pipeline.database import reading
    from pipeline.explain import explain_level

    with reading(load_settings().published_file) as connection:
        found = explain_level(connection, profile, index_id, market_date)
    if as_json:
        console.print_json(found.to_dict())
        return
    level, event, checks = found.level, found.event, found.checks
    move = level["return_1d_fraction"]
    console.out.print(
        f"[bold]{escape(index_id)}[/] ({escape(profile)}) closed {level['market_date']} at "
        f"[bold]{level['level']:,.6f}[/]" + ("" if move is None else f", {move:+.4%} on the day")
    )
    console.out.print(
        f"= {level['market_value_usd']:,.2f} US dollars / divisor {level['divisor']:,.6f}; "
        f"{level['constituent_count']} constituents, {level['stale_count']} with a carried price, "
        f"coverage {level['coverage_fraction']:.2%}; rulebook {level['rulebook_version']}"
        + ("; reconstructed history" if level["is_reconstructed"] else "")
    )
    if level["level_as_published"] != level["level"]:
        console.out.print(f"published on its night as {level['level_as_published']:,.6f}")
    console.out.print(
        f"Basket since the close of {event['event_date']} ({event['event_kind']}): divisor "
        + ("none" if event["divisor_before"] is None else f"{event['divisor_before']:,.6f}")
        + f" -> {event['divisor_after']:,.6f}, level {event['level']:,.6f} on both sides"
    )
    heads = ["coin", "weight", "to the day", "price", "units", "carried days"]
    is_wide = console.out.width >= EXPLANATION_MIN_WIDTH
    console.print_rows(
        f"\nHeaviest {min(top, len(found.constituents))} of {len(found.constituents)}",
        [*heads, "sources", "known at"] if is_wide else heads,
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
                row["stale_days"],
                *([row["price_sources"], f"{row['known_at']:%Y-%m-%d %H:%M}"] if is_wide else []),
            ]
            for row in found.constituents[:top]
        ],
        as_json=False,
    )
    carried = [row for row in found.constituents if row["stale_days"]]
    if carried:
        console.out.print(
            "Carried: "
            + ", ".join(f"{escape(row['coin_id'])} ({row['stale_days']} d)" for row in carried)
        )
    contributed = checks["sum_of_contributions"]
    console.out.print(
        f"Check: units x price / divisor = {checks['units_times_price_over_divisor']:,.6f}; "
        f"weights add up to {checks['sum_of_weights']:.9f}"
        + ("" if contributed is None else f"; contributions to {contributed:+.4%}")
    )
    if found.events:
        console.print_rows(
            "\nEvents since the basket was struck",
            ["day", "event", "subject", "detail"],
            [list(row.values()) for row in found.events],
            as_json=False,
        )


@app.command()
def claims(
    verdict: Annotated[
        str | None,
        typer.Option(help="Only claims with this verdict.", autocompletion=completion.verdicts),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what became of every claim that the press made about the market."""
    from pipeline.claims import claims_view, read_claims, summary
    from pipeline.database import reading

    with reading(load_settings().published_file) as connection:
        rows = read_claims(connection, verdict)
    if as_json:
        console.print_json(rows)
        return
    console.out.print(claims_view(rows, console.out.width))
    console.out.print(summary(rows))


@app.command()
def signal(
    signal_id: Annotated[
        str,
        typer.Argument(
            help="Id or slug, as S03 or size_spread.", autocompletion=completion.signals
        ),
    ],
    entity: Annotated[str | None, typer.Option(help="Only this series.")] = None,
    top: Annotated[int, typer.Option(min=1, help="Series and tests to show.")] = 12,
    as_json: AsJson = False,
) -> None:
    """Show one signal: what it is, its last values and year, and what followed it."""
    from pipeline.database import reading
    from pipeline.models import load_project
    from pipeline.signal_page import read_signal
    from pipeline.signal_text import definition_lines, quality_view, values_view

    settings = load_settings()
    project = load_project(settings.sql_dir, settings.reference_dir)
    with reading(settings.published_file) as connection:
        page = read_signal(connection, project, signal_id, entity)
    if as_json:
        console.print_json(page.to_dict())
        return
    for line in definition_lines(page):
        console.out.print(line)
    console.out.print(values_view(page, top, console.out.width))
    console.out.print(quality_view(page, top, console.out.width))
