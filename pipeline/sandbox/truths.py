"""What is planted in a simulated market, for tests of the signals to find again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from pipeline.sandbox.cast import NEVER, Scenario
from pipeline.sandbox.derivatives import TILT_SLOPE, VENUE_LOG_OFFSET, Derivatives
from pipeline.sandbox.factors import LEAD_SESSIONS
from pipeline.sandbox.flows import Flows, Spell
from pipeline.sessions import is_session


@dataclass(frozen=True)
class Streak:
    """Sessions in a row on which RUT returns more than SPX; not on the one before or after."""

    first_session: date
    last_session: date
    session_count: int


@dataclass(frozen=True)
class FlowSpell:
    """Days on which an exchange's units of a token change by a known share a day.

    Negative: coins leave the exchange, as they do when they are accumulated.
    """

    coin_id: str
    token_symbol: str
    first_day: date
    last_day: date
    daily_change_fraction: float


@dataclass(frozen=True)
class Truths:
    """The planted truths.

    Args:
        crash_day: The market-wide crash; long positions are liquidated on it.
        tilt_slope: Slope of the log long/short account ratio on the log of market cap.
        flat_days: First and last day on which that slope is 0.
        lead_sessions: RUT is this many sessions ahead of the crypto market.
        lead_coefficient: Share of the crypto market's log return in RUT's earlier one.
        size_break_day: Day from which small coins fall behind large ones, if any.
        streaks: Winning streaks of RUT over SPX.
        accumulation: Tokens that leave the exchange.
        distribution: Tokens that come to the exchange.
        reclassification: Steps of a balance that are no flow.
        venue_log_offset: What a venue's log long/short ratio is above Binance's.
        multipliers: Coins in a contract unit, by perpetual, where that is not 1.
        false_friends: Perpetuals whose name looks as if they had a multiplier.
        delisted_perps: Day from which a perpetual is gone although its coin is not.
    """

    crash_day: date
    tilt_slope: float
    flat_days: tuple[date, date]
    lead_sessions: int
    lead_coefficient: float
    size_break_day: date | None
    streaks: tuple[Streak, ...]
    accumulation: tuple[FlowSpell, ...]
    distribution: tuple[FlowSpell, ...]
    reclassification: tuple[FlowSpell, ...]
    venue_log_offset: dict[str, float]
    multipliers: dict[str, int]
    false_friends: tuple[str, ...]
    delisted_perps: dict[str, date]


def _streaks(first_day: date, scenario: Scenario) -> tuple[Streak, ...]:
    streaks = []
    for index, session_count in scenario.streaks:
        sessions: list[date] = []
        day = first_day + timedelta(days=index)
        while len(sessions) < session_count:
            sessions += [day] if is_session(day) else []
            day += timedelta(days=1)
        streaks.append(Streak(sessions[0], sessions[-1], session_count))
    return tuple(streaks)


def collect_truths(
    first_day: date,
    scenario: Scenario,
    derivatives: Derivatives,
    flows: Flows,
    gone: dict[str, int],
) -> Truths:
    """Return what is planted.

    Args:
        first_day: The epoch.
        scenario: The planted events.
        derivatives: The perpetuals.
        flows: The balances with their spells.
        gone: Index of the first day without a coin, by coin id.
    """

    def day_of(index: int) -> date:
        return first_day + timedelta(days=index)

    def dated(spell: Spell) -> FlowSpell:
        return FlowSpell(
            spell.coin_id,
            spell.token_symbol,
            day_of(spell.first_index),
            day_of(spell.last_index),
            spell.daily_change_fraction,
        )

    spells = [dated(spell) for spell in flows.spells]
    lasting = [spell for spell in spells if spell.first_day < spell.last_day]
    perps = derivatives.perps
    first_behind, _ = scenario.size_break
    return Truths(
        crash_day=day_of(scenario.crash_index),
        tilt_slope=TILT_SLOPE,
        flat_days=(day_of(scenario.flat_positioning[0]), day_of(scenario.flat_positioning[1])),
        lead_sessions=LEAD_SESSIONS,
        lead_coefficient=scenario.lead_coefficient,
        size_break_day=day_of(first_behind) if first_behind < NEVER else None,
        streaks=_streaks(first_day, scenario),
        accumulation=tuple(s for s in lasting if s.daily_change_fraction < 0),
        distribution=tuple(s for s in lasting if s.daily_change_fraction > 0),
        reclassification=tuple(s for s in spells if s.first_day == s.last_day),
        venue_log_offset=dict(VENUE_LOG_OFFSET),
        multipliers={p.symbol: p.multiplier for p in perps if p.multiplier > 1},
        false_friends=tuple(
            p.symbol for p in perps if p.multiplier == 1 and p.base_asset.startswith("1000")
        ),
        delisted_perps={
            p.symbol: day_of(p.delisting_index)
            for p in perps
            if p.delisting_index < gone[p.coin_id]
        },
    )
