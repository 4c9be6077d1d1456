"""Edge cases of the rulebook that random markets seldom meet, one market each."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from harness import Result, Row, observed, run_market, seen_at, series, small_baskets

from pipeline.errors import ConfigurationError

START = date(2024, 1, 29)
LAST_DAY = date(2024, 4, 2)
LEAP_DAY = date(2024, 2, 29)
MARCH = date(2024, 3, 1)
APRIL = date(2024, 4, 1)
DAYS = (LAST_DAY - START).days + 1
DAYS_WITH_LEVELS = DAYS - 2
RULES = small_baskets(2, 3, 4)


def steady(coin_id: str, cap: float, days: int = DAYS, **overrides: Any) -> list[Row]:
    """Return a coin at one dollar, from the first day on for so many days."""
    return series(coin_id, START, [1.0] * days, cap, **overrides)


def family(*caps: float) -> list[Row]:
    """Return steady coins c0, c1, ... of these caps."""
    return [row for number, cap in enumerate(caps) for row in steady(f"c{number}", cap)]


def segments(market: Result, effective_date: date = MARCH) -> dict[str, str | None]:
    return {
        row["coin_id"]: row["segment"]
        for row in market.rows("indices.review_decision", effective_date=effective_date)
    }


def migration(day: date, ratio: float = 10.0, **overrides: Any) -> tuple[list[Row], Row]:
    """Return a coin that is renamed on ``day``: old until then, new from then on."""
    before = (day - START).days
    rows = [
        *steady("old", 3.5e6, before),
        *series("new", day, [1 / ratio] * (DAYS - before), 3.5e6 * ratio, **overrides),
    ]
    link = {
        "predecessor_coin_id": "old",
        "successor_coin_id": "new",
        "units_per_predecessor": ratio,
        "effective_date": day,
        "kind": "migration",
    }
    return rows, link


@pytest.mark.parametrize("day", [date(2024, 2, 20), date(2024, 2, 24), date(2024, 2, 27)])
def test_successor_stays_though_it_was_seen_on_few_days(day: date) -> None:
    rows, link = migration(day)
    screens = {"min_observed_fraction": "0.9", "min_age_days": "20", "rank_window_days": "30"}
    rules = RULES | {("house", rule): value for rule, value in screens.items()}
    others = family(5e6, 4e6, 3e6, 2e6)
    with run_market([*others, *rows], rulebook_overrides=rules, links=[link]) as market:
        assert segments(market)["new"] == "mid"
        assert list(market.levels().values()) == [pytest.approx(1000)] * DAYS_WITH_LEVELS


def test_successor_ranks_by_its_predecessors_days_too() -> None:
    """A spike in the last days before the cut-off buys no rank, migration or not."""
    day = date(2024, 2, 20)
    rows, link = migration(day)
    spiked = [
        row | {"price_usd": row["price_usd"] * 3, "market_cap_usd": row["market_cap_usd"] * 3}
        if row["market_date"] >= day
        else row
        for row in rows
    ]
    rules = RULES | {("house", "rank_window_days"): "30"}
    others = family(5e6, 4e6, 3e6, 2e6)
    with run_market([*others, *spiked], rulebook_overrides=rules, links=[link]) as market:
        assert segments(market)["new"] == "mid"


def test_row_told_after_the_review_does_not_hide_what_was_seen_of_the_old_form() -> None:
    """On the cut-off both forms trade, the old one higher; the new one's row comes weeks later."""
    cut_off = LEAP_DAY
    rows, link = migration(date(2024, 2, 20))
    both = observed(cut_off, "old", 2.0, 3.5e6)
    late = [
        row | {"known_at": seen_at(cut_off, days=20)} if row["market_date"] == cut_off else row
        for row in rows
    ]
    without = [row for row in rows if row["market_date"] != cut_off]
    others = family(5e6, 4e6, 3e6, 2e6)
    for told in (late, without):
        with run_market([*others, *told, both], rulebook_overrides=RULES, links=[link]) as market:
            assert segments(market)["new"] == "large"


def test_collapse_in_one_night_costs_the_whole_weight_though_no_price_follows() -> None:
    """A coin at 80 is at 0.0002 the next day, and then its one source stops."""
    day = date(2024, 2, 10)
    before = (day - START).days
    luna = series("luna", START, [80.0] * before + [0.0002], 1e6)
    others = family(5e7, 3e7, 1e7)
    with run_market([*others, *luna], rulebook_overrides=RULES) as market:
        levels = market.levels("large")
    # luna weighs 80 of 130 in large
    assert levels[day - timedelta(days=1)] == pytest.approx(1000)
    assert levels[date(2024, 2, 28)] == pytest.approx(1000 * 50 / 130, rel=1e-3)


def test_collapse_is_followed_down_and_never_comes_back() -> None:
    day = date(2024, 2, 10)
    before = (day - START).days
    path = [20.0, 2.5, 0.3, 0.04, 0.005, 0.0006, 0.0002, 0.0002]
    luna = series("luna", START, [80.0] * before + path + [0.0002] * (DAYS - before - 8), 1e6)
    with run_market([*family(5e7, 3e7, 1e7), *luna], rulebook_overrides=RULES) as market:
        levels = market.levels("large")
        (removal,) = market.rows("indices.deletion", effective_date=date(2024, 2, 1))
    assert removal["reason"] == "collapsed"
    assert levels[date(2024, 2, 28)] == pytest.approx(1000 * 50 / 130, rel=1e-3)
    assert levels[LAST_DAY] == pytest.approx(1000 * 50 / 130, rel=1e-3)


@pytest.mark.parametrize("rank_window_days", ["1", "30"])
def test_dead_coin_does_not_come_back_at_the_next_review(rank_window_days: str) -> None:
    dead = steady("dead", 3.5e6, days=18)  # last priced on 15 February
    rules = RULES | {("house", "rank_window_days"): rank_window_days}
    with run_market([*family(5e6, 4e6, 3e6, 2e6), *dead], rulebook_overrides=rules) as market:
        assert [row["coin_id"] for row in market.rows("indices.deletion")] == ["dead"]
        assert segments(market)["dead"] is None


def test_last_member_that_goes_does_not_break_its_index() -> None:
    """``mid`` is one coin, which stops being priced; the next review fills the seat."""
    dead = steady("dead", 3.5e6, days=18)
    rules = RULES | {("house", "min_observed_fraction"): "0.9"}
    with run_market([*family(5e6, 4e6, 3e6, 2e6), *dead], rulebook_overrides=rules) as market:
        levels = market.levels("mid")
    assert levels[LAST_DAY] == pytest.approx(1000)


def test_last_member_that_goes_at_zero_does_not_stop_the_build() -> None:
    path = [1.0] * 12 + [0.2, 0.03, 0.005]
    dead = series("dead", START, path, 3.5e6)
    with run_market([*family(5e6, 4e6, 3e6, 2e6), *dead], rulebook_overrides=RULES) as market:
        assert market.levels("large")[LAST_DAY] == pytest.approx(1000)


def test_segment_that_loses_its_members_at_a_review_does_not_go_on_with_the_old_ones() -> None:
    """Nobody trades the only small coin any more, so that ``small`` is left empty."""
    days = [1e9] * 20 + [0.0] * (DAYS - 20)
    idle = [
        row | {"volume_24h_usd": volume}
        for row, volume in zip(steady("idle", 1e6), days, strict=True)
    ]
    rules = RULES | {("house", "min_median_volume_usd"): "1000"}
    with run_market([*family(5e6, 4e6, 3e6), *idle], rulebook_overrides=rules) as market:
        assert segments(market, date(2024, 4, 1))["idle"] is None
        assert market.run_audit("segments_add_up_to_the_top100") == []


def test_unclassified_coin_near_the_top_blocks_the_review_and_not_the_levels() -> None:
    classes = [{"coin_id": f"c{n}", "asset_class": "coin"} for n in range(4)]
    newcomer = series("new", date(2024, 2, 10), [1.0] * 53, 9e6)
    rules = RULES | {("house", "unclassified_block_rank"): "4"}
    rows = [*family(5e6, 4e6, 3e6, 2e6), *newcomer]
    with run_market(rows, rulebook_overrides=rules, asset_classes=classes) as market:
        statuses = {
            row["effective_date"]: row["status"] for row in market.rows("indices.review_status")
        }
        assert statuses[date(2024, 2, 1)] == "effective"
        assert statuses[MARCH] == "blocked"
        assert set(market.levels()) == {
            date(2024, 1, 31) + timedelta(days=n) for n in range((LAST_DAY - START).days - 1)
        }
        assert set(market.members()) == {date(2024, 2, 1)}


def test_history_that_came_later_makes_no_coin_older_in_a_past_review() -> None:
    young = series("young", date(2024, 2, 15), [1.0] * 48, 9e6)
    late = observed(date(2024, 1, 30), "young", 1.0, 9e6, known_at=seen_at(date(2024, 3, 20)))
    rules = RULES | {("house", "min_age_days"): "20"}
    for more in ([], [late]):
        rows = [*family(5e6, 4e6, 3e6, 2e6), *young, *more]
        with run_market(rows, rulebook_overrides=rules) as market:
            assert segments(market)["young"] is None
            assert segments(market, date(2024, 4, 1))["young"] == "large"


def test_successor_is_no_older_than_its_own_prices_before_the_day_of_the_link() -> None:
    """The new coin trades from the middle of February, and the old one until 10 March."""
    day = date(2024, 3, 10)
    old = steady("old", 3.5e6, days=(day - START).days)
    new = series("new", date(2024, 2, 15), [1.0] * 48, 9e6)
    link = migration(day, ratio=1.0)[1]
    rules = RULES | {("house", "min_age_days"): "20"}
    rows = [*family(5e6, 4e6, 3e6, 2e6), *old, *new]
    with run_market(rows, rulebook_overrides=rules, links=[link]) as market:
        reasons = {
            (row["effective_date"], row["coin_id"]): row["reason"]
            for row in market.rows("indices.review_decision")
        }
    assert reasons[MARCH, "new"] == "too young"
    assert reasons[MARCH, "old"] == "stays by rank"
    assert reasons[date(2024, 4, 1), "new"] == "moves from mid"
    assert reasons[date(2024, 4, 1), "old"] == "migrated to a successor"


@pytest.mark.parametrize(
    ("others", "units"),
    [
        ([1.52e6, 1.9e6], 1.52e6),  # 1.50 and 1.52 agree, one of them the median
        ([1.35e6, 1.45e6], 1.45e6),  # 1.45 and 1.50 do
        ([1.3e6, 1.7e6], 1e6),  # nobody is within 5 % of the median
        ([1.3e6, 1.31e6, 1.6e6], 1e6),  # two agree, but both say less than the median
    ],
)
def test_two_sources_that_agree_confirm_a_supply_whatever_a_third_says(
    others: list[float], units: float
) -> None:
    """A source sees 1.5 million on the weighting date, where there was one before."""
    supplies = [1e6 if START + timedelta(days=n) < LEAP_DAY else 1.5e6 for n in range(DAYS)]
    rows = [*family(5e6, 4e6, 3e6), *series("jumpy", START, [1.0] * DAYS, supplies)]
    for number, supply in enumerate(others):
        rows.append(observed(LEAP_DAY, "jumpy", 1.0, supply, source=f"another-{number}"))
    with run_market(rows, rulebook_overrides=RULES) as market:
        (row,) = market.rows("indices.review_supply", effective_date=MARCH, coin_id="jumpy")
    assert (row["units"], row["is_held_back"]) == (units, units == 1e6)


def test_two_sources_that_part_on_a_coins_first_day_are_both_kept() -> None:
    rows = [*family(5e6, 4e6, 3e6, 2e6), observed(START, "c0", 2.0, 5e6, source="another")]
    with run_market(rows, rulebook_overrides=RULES) as market:
        (row,) = market.rows("staging.coin_price_daily", market_date=START, coin_id="c0")
    assert (row["price_usd"], row["price_sources"]) == (1.5, "another, vendor")


# Reviews at the ends of February and March, each with a cut-off four days before, and no screen
# against a coin that is silent by then.
CUT_OFF, WEIGHTING = date(2024, 3, 27), date(2024, 3, 31)
FOUR_DAYS = small_baskets(2, 3, 4, cutoff_days_before_month_end=4, max_stale_days_at_cutoff=99)


def silent(coin_id: str, cap: float, last_day: date, back_on: date | None = None) -> list[Row]:
    """Return a coin that is priced until ``last_day``, and again from ``back_on``."""
    return [
        row
        for row in steady(coin_id, cap)
        if row["market_date"] <= last_day or (back_on and row["market_date"] >= back_on)
    ]


def decisions(market: Result, effective_date: date = APRIL) -> dict[str, tuple[str | None, str]]:
    return {
        row["coin_id"]: (row["segment"], row["reason"])
        for row in market.rows("indices.review_decision", effective_date=effective_date)
    }


@pytest.mark.parametrize("last_day", [date(2024, 3, 22), date(2024, 3, 25)])
def test_member_deleted_between_cut_off_and_weighting_leaves_its_seat_empty(
    last_day: date,
) -> None:
    """The sixth night missed is the first after the cut-off, or the weighting date itself."""
    rows = [*family(5e6, 4e6, 3e6, 2e6), *silent("dying", 4.5e6, last_day)]
    with run_market(rows, rulebook_overrides=FOUR_DAYS) as market:
        assert decisions(market)["dying"] == (None, "withdrawn: no longer priced")
        # Nobody moves up: c0 alone is large, and c3 stays outside.
        assert {coin: segment for coin, (segment, _) in decisions(market).items()} == {
            "c0": "large",
            "c1": "mid",
            "c2": "small",
            "c3": None,
            "dying": None,
        }
        (removal,) = market.rows("indices.deletion")
        assert removal["deletion_date"] == last_day + timedelta(days=6)
        events = {
            (row["event_kind"], row["event_date"])
            for row in market.rows("indices.event_log", subject="dying")
        }
        assert events == {("withdrawal", WEIGHTING), ("deletion", removal["deletion_date"])}
        assert set(market.members()[MARCH]) == {"c0", "c1", "c2", "dying"}
        assert set(market.members()[APRIL]) == {"c0", "c1", "c2"}
        assert list(market.levels().values()) == [pytest.approx(1000)] * 34
        for audit in ("every_candidate_has_a_decision", "divisor_leaves_the_level_unchanged"):
            assert market.run_audit(audit) == []


def test_newcomer_that_dies_before_the_weighting_date_does_not_enter() -> None:
    """It has collapsed by the second close after the cut-off."""
    born = date(2024, 3, 10)
    path = [1.0] * (CUT_OFF - born).days + [1.0, 0.3, 0.004, 0.004, 0.003]
    doomed = series("doomed", born, path, 9e6)
    with run_market([*family(5e6, 4e6, 3e6, 2e6), *doomed], rulebook_overrides=FOUR_DAYS) as market:
        assert decisions(market)["doomed"] == (None, "withdrawn: collapsed")
        assert market.rows("indices.deletion") == []


def test_member_that_is_priced_again_after_the_cut_off_stays() -> None:
    back_on = CUT_OFF + timedelta(days=1)
    rows = [*family(5e6, 4e6, 3e6, 2e6), *silent("ill", 4.5e6, date(2024, 3, 22), back_on)]
    with run_market(rows, rulebook_overrides=FOUR_DAYS) as market:
        assert decisions(market)["ill"] == ("large", "stays by rank")


@pytest.mark.parametrize(
    ("hours", "expected"), [(47.9, "stays by rank"), (48.1, "withdrawn: no longer priced")]
)
def test_seat_is_taken_by_what_was_known_within_two_days(hours: float, expected: str) -> None:
    """The prices that the coin seemed to lack are told late."""
    told_at = seen_at(WEIGHTING, hours=hours - 24)
    rows = [
        row | {"known_at": told_at} if row["market_date"] > date(2024, 3, 22) else row
        for row in steady("late", 4.5e6)
        if row["market_date"] <= WEIGHTING
    ]
    rows += series("late", APRIL, [1.0] * 2, 4.5e6)
    with run_market([*family(5e6, 4e6, 3e6, 2e6), *rows], rulebook_overrides=FOUR_DAYS) as market:
        assert decisions(market)["late"][1] == expected
        assert market.rows("indices.deletion") == []


def test_withdrawn_coin_is_priced_through_its_successor() -> None:
    """The old coin falls silent before the cut-off and the link takes effect after it."""
    rows, link = migration(date(2024, 3, 29))
    rows = [r for r in rows if r["coin_id"] == "new" or r["market_date"] <= date(2024, 3, 24)]
    with run_market(
        [*family(5e6, 4e6, 3e6, 2e6), *rows], rulebook_overrides=FOUR_DAYS, links=[link]
    ) as market:
        assert decisions(market)["old"] == ("mid", "stays by rank")


def test_worthless_member_leaves_at_zero_at_the_close_of_the_weighting_date() -> None:
    """A price of a thousandth counts from the 25th; the sixth night missed is the 31st."""
    path = [1.0] * (date(2024, 3, 23) - START).days + [0.3, 0.001]
    dead = series("dead", START, path, 4.5e6)
    with run_market([*family(5e6, 4e6, 3e6, 2e6), *dead], rulebook_overrides=FOUR_DAYS) as market:
        (removal,) = market.rows("indices.deletion")
        levels, before = market.levels("large"), WEIGHTING - timedelta(days=1)
        kinds = {
            row["event_date"]: row["event_kind"]
            for row in market.rows("indices.divisor_ledger", index_id="large")
        }
        assert market.run_audit("contributions_explain_the_move") == []
    assert (removal["deletion_date"], removal["removal_price_usd"]) == (WEIGHTING, 0)
    assert levels[before] == pytest.approx(1000 * (5e6 + 4.5e3) / 9.5e6)
    assert levels[WEIGHTING] == pytest.approx(1000 * 5e6 / 9.5e6)
    assert kinds == {LEAP_DAY: "base", WEIGHTING: "review"}


@pytest.mark.parametrize("lowest", [2, 3])
def test_small_with_too_few_members_is_an_event_and_a_warning(lowest: int) -> None:
    """Of three members of ``small`` one falls silent in March."""
    rules = small_baskets(1, 2, 5, min_small_member_count=lowest)
    dying = silent("dying", 2.5e6, date(2024, 3, 12))
    rows = [*family(5e6, 4e6, 3e6, 2e6, 1e6), *dying]
    with run_market(rows, rulebook_overrides=rules) as market:
        found = [
            (row["event_date"], row["subject"], row["detail"])
            for row in market.rows("indices.event_log", event_kind="extraordinary review due")
        ]
    expected = (date(2024, 3, 18), "small", "2 members left, at least 3 asked for")
    assert found == ([expected] if lowest == 3 else [])


@pytest.mark.parametrize("day", [LEAP_DAY, date(2024, 3, 10)])
def test_value_beyond_all_measure_stops_the_build_and_names_coin_and_day(day: date) -> None:
    """The price is believed because two sources say so."""
    rows = family(5e6, 4e6, 3e6, 2e6)
    rows += [observed(day, "c1", 1e20, 4e6, source=source) for source in ("one", "two")]
    message = f"c1 would be worth 4e\\+26 US dollars on {day}"
    with pytest.raises(ConfigurationError, match=message):
        run_market(rows, rulebook_overrides=RULES)


def test_index_that_lost_everything_goes_on_at_the_review_that_fills_it() -> None:
    """``large`` is one coin that falls silent; another one is large from the end of March on."""
    rules = small_baskets(1, 3, 4)
    dying = silent("dying", 9e6, date(2024, 3, 5))
    rising = series("rising", START, [1.0 + 0.01 * n for n in range(DAYS)], 6e6)
    with run_market([*family(3e6, 2e6, 1e6), *dying, *rising], rulebook_overrides=rules) as market:
        levels = market.levels("large")
        refilled = market.rows("indices.divisor_ledger", index_id="large")[-1]
        audits = ("divisor_leaves_the_level_unchanged", "contributions_explain_the_move")
        assert [market.run_audit(audit) for audit in audits] == [[], []]
    assert date(2024, 3, 11) in levels
    assert date(2024, 3, 12) not in levels
    assert (refilled["event_date"], refilled["event_kind"]) == (date(2024, 3, 31), "review")
    assert levels[date(2024, 3, 31)] == pytest.approx(1000)
    grown = (1 + 0.01 * (DAYS - 1)) / (1 + 0.01 * (DAYS - 3))
    assert levels[LAST_DAY] == pytest.approx(1000 * grown)


def test_index_that_ended_at_zero_begins_at_the_base_level_again() -> None:
    rules = small_baskets(1, 3, 4)
    dead = series("dead", START, [1.0] * 34 + [0.2, 0.03, 0.005], 9e6)
    with run_market([*family(5e6, 4e6, 3e6, 2e6), *dead], rulebook_overrides=rules) as market:
        (removal,) = market.rows("indices.deletion", coin_id="dead")
        assert removal["removal_price_usd"] == 0
        kinds = [
            (row["event_kind"], row["divisor_before"], row["level"])
            for row in market.rows("indices.divisor_ledger", index_id="large")
        ]
        assert kinds[-1] == ("base", None, pytest.approx(1000))
        assert market.levels("large")[LAST_DAY] == pytest.approx(1000)


def test_successor_without_a_supply_of_its_own_has_its_old_forms() -> None:
    rows, link = migration(date(2024, 2, 10))
    rows = [
        row | {"circulating_supply": None, "market_cap_usd": None}
        if row["coin_id"] == "new"
        else row
        for row in rows
    ]
    others = family(5e6, 4e6, 3e6, 2e6)
    with run_market([*others, *rows], rulebook_overrides=RULES, links=[link]) as market:
        assert market.members()[MARCH]["new"] == 3.5e7
        assert list(market.levels().values()) == [pytest.approx(1000)] * DAYS_WITH_LEVELS


def test_two_sources_of_one_coin_that_part_keep_the_nearer_to_yesterday() -> None:
    day = date(2024, 2, 10)
    rows = family(5e6, 4e6, 3e6, 2e6)
    other = observed(day, "c0", 5.0, 5e6, source="another")
    with run_market([*rows, other], rulebook_overrides=RULES) as market:
        assert market.levels()[day] == pytest.approx(1000)


def test_night_without_a_source_counts_against_no_coin() -> None:
    hole = [date(2024, 2, 10) + timedelta(days=n) for n in range(9)]
    rows = [row for row in family(5e6, 4e6, 3e6, 2e6) if row["market_date"] not in hole]
    with run_market(rows, rulebook_overrides=RULES) as market:
        assert market.rows("indices.deletion") == []
        assert list(market.levels().values()) == [pytest.approx(1000)] * DAYS_WITH_LEVELS
        assert market.run_audit("index_days_have_no_gap") == []


def test_supply_jump_waits_for_the_next_review_to_see_it_again() -> None:
    supplies = [1e6 if START + timedelta(days=n) < MARCH else 2e6 for n in range(DAYS)]
    supplies[(date(2024, 2, 29) - START).days] = 2e6
    jumpy = series("jumpy", START, [1.0] * DAYS, supplies)
    rows = [*family(5e6, 4e6, 3e6), *jumpy]
    with run_market(rows, rulebook_overrides=RULES) as market:
        units = {day: basket["jumpy"] for day, basket in market.members().items()}
    assert units == {date(2024, 2, 1): 1e6, MARCH: 1e6, date(2024, 4, 1): 2e6}


def test_published_level_stays_beside_the_restated_one() -> None:
    day = date(2024, 2, 10)
    said = {
        "market_date": day,
        "profile": "house",
        "index_id": "top100",
        "level": 990.0,
        "is_reconstructed": False,
        "rulebook_version": "1.0.0",
        "published_at": seen_at(day, hours=2),
        "build_id": "b",
        "tidemark_version": "0",
    }
    with run_market(
        family(5e6, 4e6, 3e6, 2e6),
        rulebook_overrides=RULES,
        ledger={"index_level_daily": [said]},
    ) as market:
        (row,) = market.rows("indices.index_level_daily", market_date=day, index_id="top100")
        assert (row["level"], row["level_as_published"]) == (1000.0, 990.0)
        (restated,) = market.rows("indices.restatement")
        assert restated["difference_fraction"] == pytest.approx(10 / 990)
