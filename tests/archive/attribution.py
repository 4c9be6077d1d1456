"""How the five-year returns move with each rule, beside the figures of the press.

Rebuilds ``mv_compat`` over the market archive with one rule changed at a time, in memory, and
writes what it finds between the markers of docs/attribution.md::

    make attribution
"""

from __future__ import annotations

import csv
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pandas as pd
from archive_home import ABSENT, ARCHIVE, CALIBRATION, bring, settings_of

from pipeline.database import open_scratch
from pipeline.datasets import DATASETS
from pipeline.ledger import LEDGER_TABLES, Ledger
from pipeline.models import load_project, run_models
from pipeline.raw_store import RawStore
from pipeline.settings import Settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "attribution.md"
BEGIN = "<!-- {name}: written by make attribution -->"
END = "<!-- end of {name} -->"

PROFILE = "mv_compat"
FROM_DATE = date(2020, 11, 16)
TO_DATE = date(2025, 11, 16)
DAY = timedelta(days=1)
SEGMENTS = ("large", "small")
DAILY_CLOSES_A_MONTH = 20
PROFILES_A_BUILD = 3
THREADS = 2

Rule = tuple[str, str, str]


@dataclass(frozen=True)
class Variant:
    """A change of the rules, or of the coins that are offered.

    ``sets`` are rules with their value and first effective date ("" for always) that take
    the place of the rules of these names; ``drops`` are rules to leave out.
    """

    rule: str
    change: str
    sets: tuple[Rule, ...] = ()
    drops: tuple[str, ...] = ()
    is_daily_only: bool = False

    @property
    def profile(self) -> str:
        """The name under which the variant is built."""
        return f"{self.rule}: {self.change}"


@dataclass(frozen=True)
class Outcome:
    """What a build says about one profile."""

    levels: Mapping[tuple[str, date], float]
    additions: Mapping[str, float]

    def growth(self, index_id: str, from_date: date = FROM_DATE, to_date: date = TO_DATE) -> float:
        """Return the level of ``to_date`` over that of ``from_date``."""
        return self.levels[index_id, to_date] / self.levels[index_id, from_date]


@dataclass(frozen=True)
class Corrections:
    """Factors by which carried prices can have moved the growth of ``small``."""

    carried: float
    deleted: float


@dataclass(frozen=True)
class Findings:
    """Everything that the page shows."""

    base: Outcome
    outcomes: Mapping[Variant, Outcome]
    others: Mapping[str, Outcome] = field(default_factory=dict)
    corrections: Corrections | None = None


def shipped_rules(sql_dir: Path) -> list[dict[str, str]]:
    with (sql_dir / "reference" / "rulebook.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def published_facts(sql_dir: Path) -> dict[str, float]:
    """Return the published figures by fact_id."""
    with (sql_dir / "reference" / "published_fact.csv").open(encoding="utf-8", newline="") as lines:
        return {row["fact_id"]: float(row["value"]) for row in csv.DictReader(lines)}


def variants(sql_dir: Path) -> tuple[tuple[Variant, ...], tuple[Variant, ...]]:
    """Return the changes to try alone, and those to try one on top of the other."""
    rules = shipped_rules(sql_dir)
    house = {row["rule"]: row["value"] for row in rules if row["profile"] == "house"}
    excluded = tuple(
        row["rule"]
        for row in rules
        if row["profile"] == PROFILE and row["rule"].startswith("exclude_class.")
    )

    def always(**values: object) -> tuple[Rule, ...]:
        return tuple((name.replace("__", "."), str(value), "") for name, value in values.items())

    def of_house(*names: str) -> tuple[Rule, ...]:
        return tuple((name, house[name], "") for name in names)

    def cuts(fraction: float) -> tuple[Rule, ...]:
        return always(buffer_fraction__large=fraction, buffer_fraction__mid=fraction)

    staked = tuple(f"exclude_class.{name}" for name in ("liquid_staked", "receipt"))
    alone = (
        Variant("ranking", "median cap of 30 days, not the last", always(rank_window_days=30)),
        Variant("cut-off", "on the weighting date", always(cutoff_days_before_month_end=0)),
        Variant("buffer at 20 and 50", "none", cuts(0)),
        Variant("buffer at 20 and 50", "10 %", cuts(0.1)),
        Variant("buffer at 20 and 50", "25 %", cuts(0.25)),
        Variant("buffer at 100", "none", always(buffer_fraction__small=0)),
        Variant("buffer at 100", "10 %", always(buffer_fraction__small=0.1)),
        Variant("exclusions", "none ever", drops=excluded),
        Variant("exclusions", "always", tuple((rule, "1", "") for rule in excluded)),
        Variant("exclusions", "staked tokens and receipts stay", drops=staked),
        Variant(
            "traded value",
            "asked as in house",
            of_house("min_median_volume_usd", "sitting_volume_fraction", "min_turnover_ratio"),
        ),
        Variant(
            "age",
            "asked as in house",
            of_house("min_age_days", "fast_entry_age_days", "fast_entry_rank"),
        ),
        Variant(
            "change of supply", "confirmed as in house", of_house("supply_change_gate_fraction")
        ),
        Variant(
            "carried prices",
            "5 nights, not 35, then out",
            always(stale_remove_days_reconstructed=5),
        ),
        Variant("coins offered", "only those with daily closes", is_daily_only=True),
    )
    steps = (
        Variant("1", "only coins with daily closes", is_daily_only=True),
        Variant("2", "no buffer at 20 and 50", cuts(0), is_daily_only=True),
    )
    return alone, steps


def write_overlay(folder: Path, sql_dir: Path, chosen: Sequence[Variant]) -> None:
    """Write a rulebook that adds a profile for each variant to the shipped ones."""
    shipped = shipped_rules(sql_dir)
    with (folder / "rulebook.csv").open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, list(shipped[0]))
        writer.writeheader()
        for variant in chosen:
            changed = {rule for rule, _, _ in variant.sets} | set(variant.drops)
            writer.writerows(
                row | {"profile": variant.profile}
                for row in shipped
                if row["profile"] == PROFILE and row["rule"] not in changed
            )
            writer.writerows(
                {
                    "profile": variant.profile,
                    "rule": rule,
                    "value": value,
                    "effective_from": effective_from,
                    "effective_to": "",
                    "version": shipped[0]["version"],
                }
                for rule, value, effective_from in variant.sets
            )


def open_archive(
    settings: Settings, *, is_daily_only: bool = False, threads: int = THREADS
) -> duckdb.DuckDBPyConnection:
    """Open the raw archive of a home beside an empty warehouse in memory.

    ``is_daily_only`` keeps a coin in the months for which there are daily closes of it.
    """
    connection = open_scratch(threads)
    for catalog in ("raw", "ledger", "tidemark"):
        connection.execute(f"attach ':memory:' as {catalog}")
    connection.execute("use tidemark")
    store = RawStore(settings.raw_dir, threads)
    for dataset in DATASETS.values():
        connection.execute(f"create table raw.main.{dataset.name} as {store.select(dataset)}")
    for table in LEDGER_TABLES:
        connection.execute(
            f"create table ledger.main.{table} as {Ledger(settings.ledger_dir).select(table)}"
        )
    if is_daily_only:
        connection.execute(
            """
            delete from raw.main.market_daily as market_daily
            where not exists (
                select 1
                from (
                    select coin_id, date_trunc('month', market_date) as month_date
                    from raw.main.market_daily
                    where source != 'cmc'
                    group by coin_id, date_trunc('month', market_date)
                    having count(distinct market_date) >= ?
                ) as followed
                where
                    followed.coin_id = market_daily.coin_id
                    and followed.month_date = date_trunc('month', market_daily.market_date)
            )
            """,
            [DAILY_CLOSES_A_MONTH],
        )
    return connection


def build(settings: Settings, chosen: Sequence[Variant], only: Sequence[str]) -> Build:
    """Build the shipped profiles and the variants, which all have the same coins."""
    (is_daily_only,) = {variant.is_daily_only for variant in chosen} or {False}
    connection = open_archive(settings, is_daily_only=is_daily_only)
    with tempfile.TemporaryDirectory() as folder:
        write_overlay(Path(folder), settings.sql_dir, chosen)
        project = load_project(settings.sql_dir, Path(folder))
        run_models(connection, project.ordered(only), with_comments=False)
    return Build(connection)


class Build:
    """A warehouse in memory."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def outcome(self, profile: str) -> Outcome:
        """Return what the build says about a profile."""
        levels = self.connection.execute(
            "select index_id, market_date, level from indices.index_level_daily where profile = ?",
            [profile],
        ).fetchall()
        additions = self.connection.execute(
            """
            select index_id, avg(addition_count) from indices.review
            where profile = ? and status = 'effective'
            and effective_date between '2020-11-01' and '2022-08-31' group by index_id
            """,
            [profile],
        ).fetchall()
        return Outcome(
            {(index_id, day): level for index_id, day, level in levels},
            {index_id: float(mean) for index_id, mean in additions},
        )

    def carried_factor(self, day: date) -> float:
        """Return what ``small`` would be worth had carried prices moved with the others."""
        ((factor,),) = self.connection.execute(
            """
            with members as (
                select * from indices.constituent_daily
                where profile = $profile and index_id = 'small' and market_date = $day
            ),

            spans as (select distinct stale_days from members where stale_days > 0),

            moves as (
                select
                    spans.stale_days,
                    sum(fresh.units * fresh.price_usd)
                    / sum(fresh.units * earlier.price_usd) as move
                from spans
                cross join members as fresh
                inner join indices.constituent_price_daily as earlier
                    on
                        fresh.coin_id = earlier.coin_id
                        and earlier.market_date = $day - cast(spans.stale_days as integer)
                where fresh.stale_days = 0 and earlier.stale_days = 0
                group by spans.stale_days
            )

            select 1 + coalesce(sum(members.weight_fraction * (moves.move - 1)), 0)
            from members
            left join moves on members.stale_days = moves.stale_days
            """,
            {"profile": PROFILE, "day": day},
        ).fetchall()
        return float(factor)

    def deleted_factor(self) -> float:
        """Return what ``small`` would be worth had coins that left it unpriced been smaller.

        Each is counted at no more than the cap of the smallest coin of the next list of 200.
        """
        ((factor,),) = self.connection.execute(
            """
            with lists as (
                select market_date, min(market_cap_usd) as least_cap_usd
                from staging.market_observation
                where source = 'cmc'
                group by market_date
                having count(*) >= 190
            ),

            removed as (
                select deletion.*, position.weight_fraction, position.units,
                    (
                        select min(lists.market_date) from lists
                        where lists.market_date > deletion.last_observed_date
                    ) as list_date
                from indices.deletion
                inner join indices.constituent_daily as position
                    on
                        deletion.profile = position.profile
                        and deletion.coin_id = position.coin_id
                        and deletion.deletion_date = position.market_date
                where
                    position.index_id = 'small' and deletion.profile = $profile
                    and deletion.reason = 'no longer priced'
                    and deletion.deletion_date between $first and $last
            )

            select coalesce(product(
                1 + removed.weight_fraction * (
                    least(1, lists.least_cap_usd / (removed.units * removed.last_price_usd)) - 1
                )
            ), 1)
            from removed
            inner join lists on removed.list_date = lists.market_date
            """,
            {"profile": PROFILE, "first": FROM_DATE, "last": TO_DATE},
        ).fetchall()
        return float(factor)


LEVELS = ("indices.index_level_daily", "indices.review")
DETAIL = (*LEVELS, "indices.constituent_daily", "indices.deletion")


def measure(settings: Settings) -> Findings:
    """Build everything that the page shows, one build at a time."""
    alone, steps = variants(settings.sql_dir)
    first = build(settings, (), DETAIL)
    base = first.outcome(PROFILE)
    others = {name: first.outcome(name) for name in ("cmc100_compat", "house")}
    corrections = Corrections(
        first.carried_factor(TO_DATE) / first.carried_factor(FROM_DATE), first.deleted_factor()
    )
    first.connection.close()
    outcomes: dict[Variant, Outcome] = {}
    for is_daily_only in (False, True):
        wanted = [v for v in (*alone, *steps) if v.is_daily_only is is_daily_only]
        for start in range(0, len(wanted), PROFILES_A_BUILD):
            chosen = wanted[start : start + PROFILES_A_BUILD]
            made = build(settings, chosen, LEVELS)
            outcomes |= {variant: made.outcome(variant.profile) for variant in chosen}
            made.connection.close()
    return Findings(base, outcomes, others, corrections)


def percent(growth: float) -> str:
    return f"{100 * (growth - 1):+.0f} %"


def points(growth: float, base: float) -> str:
    return f"{100 * (growth - base):+.0f}"


def base_row(base: Outcome) -> str:
    """Return the row that every other one is compared with."""
    return (
        f"| **{PROFILE}** | as shipped | {percent(base.growth('large'))} "
        f"| {percent(base.growth('small'))} | | | {base.additions['large']:.1f} / "
        f"{base.additions['small']:.1f} |"
    )


def rule_rows(findings: Findings, alone: Sequence[Variant]) -> Iterator[str]:
    yield "| rule | change | large | small | large, points | small, points | additions a review |"
    yield "|---|---|---|---|---|---|---|"
    yield base_row(findings.base)
    named = [(v.rule, v.change, findings.outcomes[v]) for v in alone]
    named += [("all of them", name, outcome) for name, outcome in findings.others.items()]
    for rule, change, outcome in named:
        growths = [outcome.growth(index_id) for index_id in SEGMENTS]
        moves = [
            points(outcome.growth(index_id), findings.base.growth(index_id))
            for index_id in SEGMENTS
        ]
        added = " / ".join(f"{outcome.additions[index_id]:.1f}" for index_id in SEGMENTS)
        yield (
            f"| {rule} | {change} | {' | '.join(map(percent, growths))} "
            f"| {' | '.join(moves)} | {added} |"
        )


def window_rows(base: Outcome) -> Iterator[str]:
    yield "| window or weights | large | small | large, points | small, points |"
    yield "|---|---|---|---|---|"
    shifts = [
        ("begins a day earlier", -DAY, 0 * DAY),
        ("begins a day later", DAY, 0 * DAY),
        ("ends a day earlier", 0 * DAY, -DAY),
        ("ends a day later", 0 * DAY, DAY),
        ("both a day later", DAY, DAY),
    ]
    for name, start, end in shifts:
        growths = {i: base.growth(i, FROM_DATE + start, TO_DATE + end) for i in SEGMENTS}
        moves = " | ".join(points(growths[i], base.growth(i)) for i in SEGMENTS)
        yield f"| {name} | {' | '.join(map(percent, growths.values()))} | {moves} |"
    for large, small in (("large_capped", "small_capped"), ("large_ex_btc", "small_equal")):
        growths = {"large": base.growth(large), "small": base.growth(small)}
        moves = " | ".join(points(growths[i], base.growth(i)) for i in SEGMENTS)
        yield (f"| `{large}`, `{small}` | {' | '.join(map(percent, growths.values()))} | {moves} |")


def step_rows(
    findings: Findings, steps: Sequence[Variant], facts: Mapping[str, float]
) -> Iterator[str]:
    yield "| step | large | small | large, points | small, points |"
    yield "|---|---|---|---|---|"
    path = [("`mv_compat` as shipped", findings.base, 0 * DAY)]
    path += [(f"{v.rule}. {v.change}", findings.outcomes[v], 0 * DAY) for v in steps]
    path.append(("4. both days a day later", findings.outcomes[steps[-1]], DAY))
    before: dict[str, float] = {}
    for name, outcome, shift in path:
        now = {i: outcome.growth(i, FROM_DATE + shift, TO_DATE + shift) for i in SEGMENTS}
        moves = [points(now[i], before[i]) if before else "" for i in SEGMENTS]
        shown = " | ".join(percent(now[i]) for i in SEGMENTS)
        yield f"| {name} | {shown} | {' | '.join(moves)} |"
        before = now
    article = {i: 1 + facts[f"article_{i}_5y"] for i in SEGMENTS}
    moves = [points(article[i], before[i]) for i in SEGMENTS]
    shown = " | ".join(percent(article[i]) for i in SEGMENTS)
    yield f"| the press | {shown} | {' | '.join(moves)} |"


def span(findings: Findings, index_id: str) -> str:
    growths = [outcome.growth(index_id) for outcome in findings.outcomes.values()]
    growths += [findings.base.growth(index_id), findings.others["house"].growth(index_id)]
    return f"{percent(min(growths))} to {percent(max(growths))}"


def read_cci30() -> pd.Series:
    """Return the daily closes of the CCi30, oldest first."""
    frame = pd.read_csv(CALIBRATION / "cci30_daily_2015_2022.csv", parse_dates=["Date"])
    return frame.set_index("Date")["Close"].sort_index()


def beside_cci30(levels: pd.Series, cci30: pd.Series) -> pd.DataFrame:
    """Return our level and theirs on the days that both have."""
    return pd.DataFrame({"ours": levels}).join(cci30.rename("theirs"), how="inner")


@dataclass(frozen=True)
class Likeness:
    """How the daily returns of two indices go together."""

    correlation: float
    tracking_error: float
    beta: float


def likeness(both: pd.DataFrame) -> Likeness:
    """Measure ``ours`` against ``theirs``; a year has 365 days."""
    returns = both.pct_change().dropna()
    return Likeness(
        correlation=float(returns["ours"].corr(returns["theirs"])),
        tracking_error=float((returns["ours"] - returns["theirs"]).std() * 365**0.5),
        beta=float(returns.cov().loc["ours", "theirs"] / returns["theirs"].var()),
    )


def cci30_rows(house: Outcome, cci30: pd.Series) -> Iterator[str]:
    yield (
        "| house | correlation of daily returns | tracking error a year | beta "
        "| 2020 from 31 January | 2021 |"
    )
    yield "|---|---|---|---|---|---|"
    spans = (("2020-01-31", "2020-12-31"), ("2020-12-31", "2021-12-31"))
    for index_id in ("top100", "large", "large_capped"):
        days = {day: level for (name, day), level in house.levels.items() if name == index_id}
        levels = pd.Series(days.values(), index=pd.to_datetime(list(days))).sort_index()
        both = beside_cci30(levels, cci30)
        found = likeness(both)
        grown = [percent(both["ours"][last] / both["ours"][first]) for first, last in spans]
        yield (
            f"| `{index_id}` | {found.correlation:.3f} | {100 * found.tracking_error:.0f} % "
            f"| {found.beta:.2f} | {' | '.join(grown)} |"
        )
    grown = [percent(cci30[last] / cci30[first]) for first, last in spans]
    yield f"| the CCi30 itself | | | | {' | '.join(grown)} |"


def render(findings: Findings, sql_dir: Path) -> dict[str, str]:
    """Return what stands between the markers of each name."""
    return {
        "five years": render_five_years(findings, sql_dir),
        "cci30": "\n".join(cci30_rows(findings.others["house"], read_cci30())),
    }


def render_five_years(findings: Findings, sql_dir: Path) -> str:
    alone, steps = variants(sql_dir)
    facts = published_facts(sql_dir)
    assert findings.corrections is not None
    small = findings.base.growth("small")
    carried, deleted = findings.corrections.carried, findings.corrections.deleted
    published = " / ".join(f"{facts[f'turnover_{i}_additions']:.1f}" for i in SEGMENTS)
    closest = findings.outcomes[steps[-1]]
    last_turnover = " / ".join(f"{closest.additions[i]:.1f}" for i in SEGMENTS)
    paragraphs = [
        f"Growth from {FROM_DATE} to {TO_DATE}, one rule changed at a time. Additions are the "
        "mean per review of large / small from November 2020 to August 2022; the provider's "
        f"own reports give {published}.",
        "\n".join(rule_rows(findings, alone)),
        "The same build over other days, and with other weights:",
        "\n".join(window_rows(findings.base)),
        "What the holes of the archive can do to `small`: had carried prices moved with the "
        "members that were priced, at both ends, it would show "
        f"{percent(small * carried)} ({points(small * carried, small)} points). Had the coins "
        "that left it unpriced been worth what the smallest coin of the next list of 200 was, "
        f"it would show {percent(small * deleted)} ({points(small * deleted, small)} points).",
        "One path to the figures of the press, each step on top of the one before:",
        "\n".join(step_rows(findings, steps, facts)),
        f"Over all builds `large` shows {span(findings, 'large')} and `small` "
        f"{span(findings, 'small')}. The path ends at {last_turnover} additions a review, "
        f"against the {published} that the provider reported: its last rule is not the "
        "provider's, so what it takes off `small` stays unexplained.",
    ]
    return "\n\n".join(paragraphs)


def split_page(page: str, name: str) -> tuple[str, str, str]:
    """Return the page before, between and after the markers of a name."""
    head, begin, rest = page.partition(BEGIN.format(name=name))
    between, end, tail = rest.partition(END.format(name=name))
    if not (begin and end):
        raise ValueError(f"{PAGE.name} has no markers for {name}")
    return head + begin, between.strip(), end + tail


def write_page(blocks: Mapping[str, str]) -> None:
    """Put new content between the markers."""
    page = PAGE.read_text(encoding="utf-8")
    for name, content in blocks.items():
        head, _, tail = split_page(page, name)
        page = f"{head}\n\n{content}\n\n{tail}"
    PAGE.write_text(page, encoding="utf-8")


def main() -> int:
    if not ARCHIVE.is_dir():
        print(f"docs/attribution.md is left as it is: it {ABSENT}")
        return 0
    with tempfile.TemporaryDirectory(prefix="tidemark-attribution-") as folder:
        settings = settings_of(Path(folder) / "home")
        bring(settings, lambda file: file.target_name == "market_daily")
        write_page(render(measure(settings), settings.sql_dir))
    print(f"wrote {PAGE.relative_to(PAGE.parents[1])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
