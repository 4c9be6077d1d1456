"""Why a level is what it is: everything behind one index on one day, from the published file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigurationError
from pipeline.text import did_you_mean

if TYPE_CHECKING:
    import duckdb

Row = dict[str, Any]


@dataclass(frozen=True)
class Explanation:
    """Everything behind one level.

    ``level`` is one row; ``constituents`` one per coin, heaviest first, with price, where it
    came from and when it was known; ``event`` the divisor's last change; ``events`` what
    happened in the profile from the day that the basket was struck on; ``checks`` the sums
    that must hold.
    """

    level: Row
    constituents: list[Row]
    event: Row
    events: list[Row]
    checks: Row

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation in plain types."""
        return asdict(self)


def explain_level(
    connection: duckdb.DuckDBPyConnection, profile: str, index_id: str, market_date: date
) -> Explanation:
    """Collect what is behind a level.

    Args:
        connection: The published file, open for reading.
        profile: Set of rules.
        index_id: Index.
        market_date: UTC day.

    Returns:
        The explanation.

    Raises:
        ConfigurationError: There is no such level; the message lists what there is.
    """
    key = {"profile": profile, "index_id": index_id, "market_date": market_date}
    found = _rows(
        connection,
        """
        select
            level.market_date, level.profile, level.index_id, level.level,
            level.level_as_published, statistic.return_1d_fraction,
            level.market_value_usd, level.divisor, level.basket_date, level.effective_date,
            level.constituent_count, level.stale_count, level.coverage_fraction,
            level.is_reconstructed, level.rulebook_version
        from indices.index_level_daily as level
        inner join indices.index_statistic_daily as statistic
            using (market_date, profile, index_id)
        where level.profile = $profile and level.index_id = $index_id
            and level.market_date = $market_date
        """,
        key,
    )
    if not found:
        raise ConfigurationError(_no_such_level(connection, profile, index_id, market_date))
    level = found[0]
    constituents = _rows(
        connection,
        """
        select
            today.coin_id, coin.symbol, coin.name, today.units, today.price_usd,
            today.weight_fraction, today.contribution_1d_fraction, today.stale_days,
            price.priced_coin_id, price.price_sources, price.known_at
        from indices.constituent_daily as today
        inner join indices.constituent_price_daily as price
            on today.coin_id = price.coin_id and today.market_date = price.market_date
        left join staging.coin as coin on today.coin_id = coin.coin_id
        where today.profile = $profile and today.index_id = $index_id
            and today.market_date = $market_date
        order by today.weight_fraction desc, today.coin_id
        """,
        key,
    )
    event = _rows(
        connection,
        """
        select * from indices.divisor_ledger
        where profile = $profile and index_id = $index_id and event_date = $basket_date
        """,
        {"profile": profile, "index_id": index_id, "basket_date": level["basket_date"]},
    )[0]
    events = _rows(
        connection,
        """
        select event_date, event_kind, subject, detail from indices.event_log
        where profile = $profile and event_date between $basket_date and $market_date
        order by event_date, event_kind, subject
        """,
        {"profile": profile, "basket_date": level["basket_date"], "market_date": market_date},
    )
    return Explanation(level, constituents, event, events, _checks(level, constituents))


def _checks(level: Row, constituents: list[Row]) -> Row:
    value = sum(row["units"] * row["price_usd"] for row in constituents)
    contributions = [row["contribution_1d_fraction"] for row in constituents]
    return {
        "units_times_price_over_divisor": value / level["divisor"],
        "sum_of_weights": sum(row["weight_fraction"] for row in constituents),
        "sum_of_contributions": (
            None if None in contributions else sum(value for value in contributions)
        ),
    }


def _no_such_level(
    connection: duckdb.DuckDBPyConnection, profile: str, index_id: str, market_date: date
) -> str:
    rows = connection.execute(
        """
        select profile, min(market_date), max(market_date),
            string_agg(distinct index_id, ', ' order by index_id)
        from indices.index_level_daily group by profile order by profile
        """
    ).fetchall()
    known = {name: (first, last, ids) for name, first, last, ids in rows}
    if not known:
        return "no index has a level yet: reviews need 90 days of history; `tidemark import DIR`"
    if profile not in known:
        return (
            f"there is no profile {profile}{did_you_mean(profile, known)}; there are: "
            f"{', '.join(known)}"
        )
    first, last, ids = known[profile]
    if index_id not in ids.split(", "):
        close = did_you_mean(index_id, ids.split(", "))
        return f"there is no index {index_id}{close}; there are: {ids}"
    return f"{index_id} has levels from {first} to {last}, and none on {market_date}"


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, parameters: dict[str, Any]) -> list[Row]:
    found = connection.execute(sql, parameters)
    columns = [str(column[0]) for column in found.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
