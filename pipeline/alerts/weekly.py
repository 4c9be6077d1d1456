"""The weekly summary: levels, freshness, and what is open, from the published file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, get_args

from pipeline.alerts.compose import foot, published_as_of
from pipeline.alerts.digest import in_short
from pipeline.alerts.links import Link, Links
from pipeline.alerts.rendering import Mail, render
from pipeline.alerts.state import AlertState
from pipeline.settings import Settings, Weekday

if TYPE_CHECKING:
    import duckdb

WEEKDAYS = get_args(Weekday)[1:]
INDEX_IDS = ("top100", "large", "mid", "small")
DAYS = 7


@dataclass(frozen=True)
class LevelRow:
    """One index on the last day, in the words of the mail."""

    index_id: str
    level: str
    moves: tuple[str, ...]


@dataclass(frozen=True)
class FreshnessRow:
    """One feed and the source that should serve it, as ``quality.freshness`` says."""

    feed: str
    source: str
    newest_date: str
    note: str


@dataclass(frozen=True)
class OpenProblem:
    """One problem that is open, and where the runbook has it."""

    words: str
    what_to_do: Link


def is_due(settings: Settings, state: AlertState) -> bool:
    """Return whether the week's summary has not been composed yet, and its day has come."""
    if not settings.alert_weekly_day or state.last_weekly is None:
        return False
    if published_as_of(settings) is None or not settings.published_file.exists():
        return False
    today = settings.now().date()
    back = (today.weekday() - WEEKDAYS.index(settings.alert_weekly_day)) % DAYS
    return state.last_weekly < today - timedelta(days=back)


def compose_weekly(settings: Settings, state: AlertState) -> Mail:
    """Compose the summary of the seven days up to the newest published one.

    Args:
        settings: Where the published file is.
        state: What is open.
    """
    from pipeline.database import open_read_only

    with open_read_only(settings.published_file) as connection:
        ((last,),) = connection.execute("select market_date from main.about").fetchall()
        levels = _levels(connection, last)
        freshness = _freshness(connection, last)
        quarantined = _quarantined(connection, last)
        restated = _restated(connection)
    links = Links(settings)
    open_problems = [
        OpenProblem(in_short(record), links.of_problem(record.problem)[0])
        for record in state.open_records
    ]
    first = last - timedelta(days=DAYS - 1)
    count = len(open_problems)
    is_open = "nothing is open" if not count else f"{count} open problem{'s' * (count > 1)}"
    subject = f"[Tidemark] WEEKLY {first} to {last}: {_headline(levels)}; {is_open}"
    return render(
        "weekly",
        subject,
        first=first,
        last=last,
        levels=levels,
        freshness=freshness,
        quarantined=quarantined,
        restated=restated,
        open_problems=open_problems,
        links=links.of_run(),
        foot=foot(settings, None),
    )


def _headline(levels: Sequence[LevelRow]) -> str:
    return next(
        (f"{row.index_id} {row.level} ({row.moves[1]} in 7 days)" for row in levels), "no levels"
    )


def _move(fraction: float | None) -> str:
    return "-" if fraction is None else f"{fraction:+.2%}"


def _levels(connection: duckdb.DuckDBPyConnection, last: date) -> list[LevelRow]:
    rows = connection.execute(
        """
        select index_id, level, return_1d_fraction, return_7d_fraction, return_30d_fraction
        from indices.index_statistic_daily
        where profile = 'house' and market_date = ? and list_contains(?, index_id)
        order by list_position(?, index_id)
        """,
        [last, list(INDEX_IDS), list(INDEX_IDS)],
    ).fetchall()
    return [
        LevelRow(index_id, f"{level:,.2f}", tuple(_move(move) for move in moves))
        for index_id, level, *moves in rows
    ]


def _freshness(connection: duckdb.DuckDBPyConnection, last: date) -> list[FreshnessRow]:
    rows = connection.execute(
        """
        with served as (
            select
                feed,
                count(distinct market_date) filter (
                    where status in ('answered', 'fell_back', 'replayed')
                ) as night_count,
                count(distinct market_date) filter (where status = 'fell_back') as fallback_count
            from quality.source_health_daily
            where market_date > ? and market_date <= ?
            group by feed
        )
        select
            freshness.feed, freshness.source, freshness.newest_date, freshness.state,
            freshness.age_days, served.night_count, served.fallback_count
        from quality.freshness
        left join served on freshness.feed = served.feed
        where freshness.is_due
        order by freshness.feed
        """,
        [last - timedelta(days=DAYS), last],
    ).fetchall()
    return [
        FreshnessRow(
            feed,
            source,
            "none" if newest is None else str(newest),
            "; ".join([_state(state, age), _nights(night_count or 0, fallback_count or 0)]),
        )
        for feed, source, newest, state, age, night_count, fallback_count in rows
    ]


def _state(state: str, age_days: int | None) -> str:
    if not age_days:
        return "no row yet" if state == "never" else state
    return f"{state} by {age_days} day{'s' * (age_days > 1)}"


def _nights(served: int, fallback: int) -> str:
    told = f"served on {served} of {DAYS} nights"
    return told + (f", {fallback} from another source" if fallback else "")


def _quarantined(connection: duckdb.DuckDBPyConnection, last: date) -> list[str]:
    rows = connection.execute(
        """
        select dataset, sum(quarantined_count) as row_count
        from quality.load_result
        where market_date > ? and market_date <= ?
        group by dataset
        having sum(quarantined_count) > 0
        order by row_count desc, dataset
        """,
        [last - timedelta(days=DAYS), last],
    ).fetchall()
    return [f"{dataset}: {int(count):,} rows" for dataset, count in rows]


def _restated(connection: duckdb.DuckDBPyConnection) -> str:
    ((count, largest),) = connection.execute(
        "select count(*), max(abs(difference_fraction)) from indices.restatement"
    ).fetchall()
    if not count:
        return "No published level would be said differently today."
    level = "level" if count == 1 else "levels"
    return (
        f"{count:,} published {level} would be said differently today, by up to {largest:.3%}; "
        "the table indices.restatement has each."
    )
