"""A night without one of two sources shows its figure, trusted less, and names the missing."""

from __future__ import annotations

from typing import Any

import pytest
from nights import LAST_HISTORY_DAY, NIGHTS, Home, Mailbox, copy_home, import_older_moods
from nights import running_mailbox as open_mailbox

from pipeline.alerts.compose import read_state
from pipeline.alerts.weekly import compose_weekly
from pipeline.sandbox.server import Sandbox

FEEDS = "market_daily,equity_daily,sentiment_daily,sentiment_daily.cmc_fear_greed"


@pytest.fixture(scope="module")
def told(
    loaded_home: Any, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Home, Mailbox]:
    """A home after a night on which one of two vendors of fear and greed is away, and its mail."""
    folder = tmp_path_factory.mktemp("one-of-two")
    with open_mailbox() as mailbox:
        home = copy_home(loaded_home, folder / "home", sandbox, feeds=FEEDS, **mailbox.settings)
        import_older_moods(home, folder / "moods")
        sandbox.faults["alternative_me"] = "status_404"
        try:
            home.refresh(NIGHTS[0])
        finally:
            sandbox.faults.clear()
    return home, mailbox


def test_its_figure_is_shown_with_less_confidence(told: tuple[Home, Mailbox]) -> None:
    home, _ = told
    before, now = home.query(
        "select market_date, value, coverage_fraction, freshness_fraction, confidence_score, state "
        "from signals.signal_daily where signal_id = 'S30' and entity = 'alternative_me' "
        f"and market_date >= '{LAST_HISTORY_DAY}' order by market_date"
    )
    gaps = home.query(
        "select source_gap_score from signals.external_sentiment_daily "
        f"where source = 'alternative_me' and market_date >= '{LAST_HISTORY_DAY}' "
        "order by market_date"
    )
    agreed_before, agreed_now = (1 - gap / 20 for (gap,) in gaps)
    assert before[0] == LAST_HISTORY_DAY
    assert before[2:5] == (1.0, 1.0, pytest.approx(agreed_before))
    # The score of the day before covers half of the day; the other vendor keeps the input fresh.
    assert now[0] == NIGHTS[0]
    assert now[1] == before[1] is not None
    assert now[2:5] == (0.5, 1.0, pytest.approx(0.5 * agreed_now))
    assert 0.3 <= now[4] < before[4] < 1
    assert now[5] == "fear"


def test_the_mail_and_the_file_name_what_is_missing(told: tuple[Home, Mailbox]) -> None:
    home, mailbox = told
    (message,) = mailbox.messages()
    text = message.get_body(("plain",))
    assert text is not None
    assert "without tonight's sentiment_daily." in text.get_content()
    assert "alternative_me" in text.get_content()
    assert "cmc_fear_greed" not in text.get_content()
    assert home.query("select degraded_feeds from main.about") == [("sentiment_daily",)]
    assert home.query(
        "select source, state from quality.freshness "
        "where feed in ('sentiment_daily', 'sentiment_daily.cmc_fear_greed') order by source"
    ) == [("alternative_me", "late"), ("cmc_fear_greed", "fresh")]


def test_the_weekly_mail_says_of_freshness_what_the_table_says(told: tuple[Home, Mailbox]) -> None:
    home, _ = told
    settings = home.settings(NIGHTS[0])
    weekly = compose_weekly(settings, read_state(settings))
    due = home.query(
        "select feed, source, newest_date, state, age_days from quality.freshness where is_due"
    )
    assert {state for *_, state, _ in due} == {"fresh", "late"}
    for feed, source, newest, state, age in due:
        behind = f" by {age} day" if age else ""
        line = f" - {feed} from {source}: {newest}, {state}{behind}"
        assert line in weekly.text, weekly.text
