"""Rules of ``sentiment_daily``: scores of the market's mood that others publish."""

from __future__ import annotations

import pandas as pd

from pipeline.datasets import Dataset
from pipeline.quality.rules import Rule, Subject, is_live, owned_by
from pipeline.quality.suites.nights import not_frozen, past_days_stand
from pipeline.quality.suites.shared import (
    SLUG,
    common_rules,
    has_previous,
    row_rule,
    within,
)

OWNER = "market-data"
KEY_TEXTS = {"source": SLUG}

# Widest spans in which two vendors use a label.
LABEL_SCORES = {
    "extreme fear": (0.0, 30.0),
    "fear": (15.0, 50.0),
    "neutral": (35.0, 65.0),
    "greed": (50.0, 85.0),
    "extreme greed": (70.0, 100.0),
}

# The largest move of a day since 2018 is 45, the longest rest 4 days.
MAX_MOVE = 60.0
FROZEN_DAYS = 6

# A season's share is over 90 days and falls in steps; a lone 0 is what a vendor without one sends.
HIGHEST_SCORE_BEFORE_ZERO = 10.0

_NAME = "sentiment_daily"


def _contradicts_label(subject: Subject) -> pd.Series:
    label = subject.values["label"].str.strip().str.lower()
    score = subject.values["score"]
    low = label.map({name: bounds[0] for name, bounds in LABEL_SCORES.items()}).astype("float64")
    high = label.map({name: bounds[1] for name, bounds in LABEL_SCORES.items()}).astype("float64")
    return (score < low) | (score > high)


def _is_no_whole_number(subject: Subject) -> pd.Series:
    score = subject.values["score"]
    return score.notna() & (score % 1 != 0)


def _is_large_move(subject: Subject) -> pd.Series:
    move = subject.values["score"] - subject.previous_value("score")
    return move.abs() > MAX_MOVE


def _is_sudden_zero(subject: Subject) -> pd.Series:
    is_zero = subject.values["score"] == 0
    return is_zero & (subject.previous_value("score") > HIGHEST_SCORE_BEFORE_ZERO)


def _domain_rules() -> tuple[Rule, ...]:
    return (
        row_rule(
            _NAME,
            "label_fits_score",
            "Score and label do not contradict each other.",
            "a score that its label allows",
            _contradicts_label,
            ("score", "label"),
        ),
        row_rule(
            _NAME,
            "score_is_whole",
            "A score is a whole number, as the vendors publish it.",
            "a whole number",
            _is_no_whole_number,
            ("score",),
            applies=is_live,
            family="ranges",
        ),
        row_rule(
            _NAME,
            "no_sudden_zero",
            f"No score falls to 0 in a day from above {HIGHEST_SCORE_BEFORE_ZERO:g}.",
            f"above 0, as the last score was above {HIGHEST_SCORE_BEFORE_ZERO:g}",
            _is_sudden_zero,
            ("score",),
            applies=has_previous,
            family="jumps",
        ),
        row_rule(
            _NAME,
            "move_plausible",
            f"No score moves by more than {MAX_MOVE:g} in a day.",
            f"at most {MAX_MOVE:g} from the last score",
            _is_large_move,
            ("score",),
            severity="warning",
            applies=has_previous,
            family="jumps",
        ),
    )


def suite(dataset: Dataset) -> tuple[Rule, ...]:
    """Return the rules of ``sentiment_daily``."""
    return owned_by(
        OWNER,
        (
            *common_rules(dataset.name, KEY_TEXTS),
            within(dataset.name, "score", 0.0, 100.0),
            *_domain_rules(),
            not_frozen(dataset.name, "score", FROZEN_DAYS, of="source"),
            past_days_stand(dataset.name, ("score",)),
        ),
    )
