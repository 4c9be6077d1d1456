"""How often the gate is right: on corrupted nights, and on wild nights of good data.

Writes docs/mutations.md; ``make mutations`` runs it, in minutes.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
from corruptions import CORRUPTIONS, Corruption
from fast_judge import judging_fast
from nights_at_the_gate import NIGHT, GateNight, dataset_of, failed, good_nights, stored_nights
from weather import WEATHERS

SEED = 7
FIRST_SEED = 1000
NIGHT_COUNT = 200
PAGE = Path(__file__).parents[2] / "docs" / "mutations.md"


@dataclass(frozen=True)
class Found:
    """Which rules failed on a corrupted night."""

    corruption: Corruption
    rules: frozenset[str]

    @property
    def is_caught(self) -> bool:
        """Whether the rule that is meant for it is among them."""
        return self.corruption.meant in self.rules


@dataclass(frozen=True)
class WildNight:
    """Which rules did not pass on a night of good data, by severity, with their datasets."""

    seed: int
    weather: str
    critical: tuple[str, ...]
    warning: tuple[str, ...]


def judge_corruptions(
    nights: Mapping[str, GateNight], corruptions: Iterable[Corruption] = CORRUPTIONS
) -> list[Found]:
    """Return what the gate finds on each corruption of the nights."""
    with judging_fast():
        return [
            Found(each, frozenset(failed(each.change(nights[each.feed]).check())))
            for each in corruptions
        ]


def judge_wild_night(seed: int) -> WildNight:
    """Return what the gate says of a seed's night: its own market, weather and day of the week."""
    weather = WEATHERS[seed % len(WEATHERS)]
    nights = weather(
        good_nights(seed, NIGHT + timedelta(days=seed % 7)), np.random.default_rng(seed)
    )
    with judging_fast():
        reports = [night.check() for night in nights.values()]
    told = {
        severity: tuple(
            result.rule_id
            for report in reports
            for result in report.results
            if not result.is_passed and result.severity == severity
        )
        for severity in ("critical", "warning")
    }
    return WildNight(seed, weather.__name__, told["critical"], told["warning"])


def render(found: Sequence[Found], wild: Sequence[WildNight]) -> str:
    """Return the page: both rates, the wild nights by weather, and every corruption."""
    caught = sum(each.is_caught for each in found)
    alarmed = sum(bool(night.critical) for night in wild)
    warned = sum(bool(night.warning) for night in wild)
    lines = [
        "# How often the gate is right",
        "",
        "Written by `make mutations` from `tests/mutations`; do not edit.",
        "",
        f"- **Caught**: {caught} of {len(found)} corruptions of a good night, each by the rule "
        "that is meant for it.",
        f"- **False alarms**: {alarmed} of {len(wild)} nights on which the data is right and the "
        f"market wild raised a critical alarm; {warned} raised a warning.",
        "",
        "## Nights of good data",
        "",
        "Simulated markets of 160 coins, each with a seed of its own, under weather of real size "
        "(`tests/mutations/weather.py`). An alarm is a",
        "critical rule that fails or cannot be checked, in any of the night's feeds.",
        "",
        "| Weather | Nights | With a critical alarm | With a warning | Rules that warned |",
        "|---|---:|---:|---:|---|",
    ]
    for weather in sorted({night.weather for night in wild}):
        of_weather = [night for night in wild if night.weather == weather]
        rules = Counter(rule for night in of_weather for rule in set(night.warning))
        told = ", ".join(f"{rule} ({count})" for rule, count in sorted(rules.items()))
        lines.append(
            f"| {weather.replace('_', ' ')} | {len(of_weather)} "
            f"| {sum(bool(night.critical) for night in of_weather)} "
            f"| {sum(bool(night.warning) for night in of_weather)} | {told} |"
        )
    lines += [
        "",
        "## Corruptions",
        "",
        "Each is made on a good night and shown to every rule of its dataset. *Other rules* failed "
        "on it as well.",
        "",
        "| Dataset | Corruption | Rule meant for it | Found by it | Other rules |",
        "|---|---|---|---|---|",
    ]
    for each in sorted(found, key=lambda each: dataset_of(each.corruption.feed).name):
        corruption = each.corruption
        lines.append(
            f"| {dataset_of(corruption.feed).name} | {corruption.name} | {corruption.meant} "
            f"| {'yes' if each.is_caught else 'NO'} "
            f"| {', '.join(sorted(each.rules - {corruption.meant}))} |"
        )
    return "\n".join(lines) + "\n"


def judge_all() -> str:
    """Return the page as the harness makes it now."""
    with tempfile.TemporaryDirectory() as folder:
        found = judge_corruptions(stored_nights(SEED, Path(folder)))
    wild = [judge_wild_night(seed) for seed in range(FIRST_SEED, FIRST_SEED + NIGHT_COUNT)]
    return render(found, wild)


if __name__ == "__main__":
    PAGE.write_text(judge_all(), encoding="utf-8")
