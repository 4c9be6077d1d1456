"""A venue that serves the running day and stands still is told by the night before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fake_vendor import as_json, date_to_seconds, milliseconds, night_of, settings_at

from pipeline import fetching
from pipeline.errors import NotYetAvailableError
from pipeline.landing import LandedPayload, Landing
from pipeline.replay import replay_source
from pipeline.settings import Settings
from pipeline.sources.base import Source, close_of
from pipeline.sources.gate import GateLiquidations, GatePositioning
from pipeline.sources.http import HttpResponse
from pipeline.sources.okx import Okx

DAY = date(2026, 7, 10)
BEFORE, AFTER = DAY - timedelta(days=1), DAY + timedelta(days=1)
Bodies = Sequence[tuple[str, bytes]]


def okx(ratios: dict[date, str], currency: str = "BTC") -> tuple[str, bytes]:
    bars = [
        [str(milliseconds(day - timedelta(days=1), 16)), ratio] for day, ratio in ratios.items()
    ]
    return f"ratio-{currency}", as_json({"code": "0", "msg": "", "data": bars})


def gate(ratios: dict[date, float], long_usd: float = 0.0) -> tuple[str, bytes]:
    entries = [
        {
            "time": date_to_seconds(day),
            "long_liq_usd": long_usd,
            "short_liq_usd": 0,
            "lsr_account": ratio,
            "top_lsr_account": 1,
            "top_lsr_size": 1,
            "lsr_taker": 1,
        }
        for day, ratio in ratios.items()
    ]
    return "stats-BTC_USDT", as_json(entries)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_at(night_of(DAY), tmp_path)


def land(
    settings: Settings, source: Source, bodies: Bodies, day: date, fetched_at: datetime
) -> list[LandedPayload]:
    return [
        Landing(settings.landing_dir).land(
            HttpResponse("https://h.example", 200, {}, body, fetched_at, "json"),
            source=source.name,
            dataset=source.payloads_of or source.dataset,
            market_date=day,
            name=name,
            run_id=f"night-{day}",
            fetched_at=fetched_at,
        )
        for name, body in bodies
    ]


@pytest.fixture
def obtain(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Obtain a night's payloads from a source that sent these bodies then and now."""

    def run(
        source: Source, then: Bodies, now: Bodies, *, then_at: datetime | None = None
    ) -> list[LandedPayload]:
        if then:
            land(settings, source, then, BEFORE, then_at or night_of(BEFORE))
        tonight = land(settings, source, now, DAY, night_of(DAY))
        monkeypatch.setattr(fetching, "land_fetch", lambda *_: tonight)
        return fetching.obtain(settings, source, DAY, "a-run", fetching.Effort())

    return run


def test_an_answer_of_the_night_before_is_refused(obtain: Callable[..., Any]) -> None:
    then = [okx({BEFORE: "1.1", DAY: "1.2"})]
    with pytest.raises(NotYetAvailableError, match=f"says of {DAY} .* as of BTC") as raised:
        obtain(Okx(), then, then)
    assert "run again later" in str(raised.value)


@pytest.mark.parametrize(
    "now",
    [
        [okx({BEFORE: "1.1", DAY: "1.3"})],
        [okx({BEFORE: "1.1", DAY: "1.2", AFTER: "1.2"})],
        [okx({BEFORE: "1.1"})],
        [okx({DAY: "1.2"}), okx({DAY: "2.2"}, "ETH")],
    ],
    ids=["another figure", "the next day is there", "nothing of the day", "half of them moved"],
)
def test_an_answer_that_moved_on_is_taken(obtain: Callable[..., Any], now: Bodies) -> None:
    then = [okx({BEFORE: "1.1", DAY: "1.2"}), okx({DAY: "2.1"}, "ETH")]
    assert len(obtain(Okx(), then, now)) == len(now)


@pytest.mark.parametrize(
    ("then", "then_at"),
    [
        ([], None),
        ([okx({BEFORE: "1.2"})], None),
        ([("ratio-BTC", b'{"code": "50011"}')], None),
        # A night that was made up for once the day was over saw the day's last figure.
        ([okx({DAY: "1.2"})], close_of(DAY)),
    ],
    ids=["nothing landed", "without the running day", "refused", "fetched late"],
)
def test_there_may_be_nothing_to_compare_with(
    obtain: Callable[..., Any], then: Bodies, then_at: datetime | None
) -> None:
    assert len(obtain(Okx(), then, [okx({DAY: "1.2"})], then_at=then_at)) == 1


@pytest.mark.parametrize("source", [GateLiquidations(), GatePositioning()])
def test_gate_is_compared_by_all_that_it_says(obtain: Callable[..., Any], source: Source) -> None:
    # Nobody was liquidated, then or now; the ratio tells that it is another answer.
    with pytest.raises(NotYetAvailableError, match="stands still"):
        obtain(source, [gate({DAY: 1.2})], [gate({DAY: 1.2})])


@pytest.mark.parametrize("is_copy", [True, False])
def test_a_replay_refuses_what_the_night_refused(
    obtain: Callable[..., Any], settings: Settings, is_copy: bool
) -> None:
    then = [okx({BEFORE: "1.1", DAY: "1.2"})]
    now = then if is_copy else [okx({BEFORE: "1.1", DAY: "1.3"})]
    with pytest.raises(NotYetAvailableError) if is_copy else nullcontext():
        obtain(Okx(), then, now)
    replayed = replay_source(settings, Okx(), DAY, DAY, "replay-a-run", is_applied=True)
    assert (replayed.fetches, replayed.new) == ((0, 0) if is_copy else (1, 1))
    assert [text for text in replayed.unreadable if "stands still" not in text] == []
    assert len(replayed.unreadable) == is_copy


def test_a_quiet_day_at_gate_is_not_taken_for_a_copy(obtain: Callable[..., Any]) -> None:
    assert obtain(GateLiquidations(), [gate({DAY: 1.2})], [gate({DAY: 1.25})])
