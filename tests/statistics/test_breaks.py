"""sup-F: by brute force, against the published critical values, and on noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from chance import assert_nominal

from pipeline.statistics.breaks import find_mean_break, sup_f_p_value
from pipeline.statistics.hac import long_run_variance, newey_west_lag


def test_sup_f_is_the_largest_over_all_splits() -> None:
    series = np.random.default_rng(3).standard_normal(60)
    variance = long_run_variance(series - series.mean(), newey_west_lag(60))
    f_values = {}
    for split in range(9, 52):
        gap = series[:split].mean() - series[split:].mean()
        f_values[split] = gap**2 / (variance * (1 / split + 1 / (60 - split)))
    found = find_mean_break(series)
    assert found.position == max(f_values, key=lambda split: f_values[split])
    assert found.sup_f == pytest.approx(max(f_values.values()))
    assert found.mean_before == pytest.approx(series[: found.position].mean())
    assert found.mean_after == pytest.approx(series[found.position :].mean())


@pytest.mark.parametrize(("critical", "level"), [(7.12, 0.10), (8.68, 0.05), (12.16, 0.01)])
def test_p_value_agrees_with_the_published_critical_values(critical: float, level: float) -> None:
    # Andrews (2003), corrected table 1, one parameter, trimmed by 15 %
    assert sup_f_p_value(critical) == pytest.approx(level, rel=0.12)


def test_p_value_falls_with_sup_f_and_stays_a_probability() -> None:
    p_values = [sup_f_p_value(value) for value in np.linspace(0, 60, 200)]
    assert p_values == sorted(p_values, reverse=True)
    assert p_values[0] == 1
    assert 0 < p_values[-1] < 1e-9
    assert math.isnan(sup_f_p_value(float("nan")))


@pytest.mark.parametrize("position", [150, 400, 700])
def test_planted_break_is_found_within_days(position: int) -> None:
    series = np.random.default_rng(position).standard_normal(1000)
    series[position:] += 1.0
    found = find_mean_break(series)
    assert found.position is not None
    assert abs(found.position - position) <= 10
    assert found.p_value < 1e-6
    assert found.mean_after - found.mean_before == pytest.approx(1.0, abs=0.2)


def test_break_in_the_trimmed_ends_is_not_looked_for() -> None:
    series = np.random.default_rng(1).standard_normal(1000)
    series[:50] += 5
    position = find_mean_break(series).position
    assert position is not None
    assert 150 <= position <= 160


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0, 3.0], [4.2] * 500])
def test_nothing_breaks_in_a_constant_or_a_few_values(values: list[float]) -> None:
    found = find_mean_break(values)
    assert found.position is None
    assert math.isnan(found.p_value)


def test_break_in_noise_is_rejected_at_its_level() -> None:
    assert_nominal(lambda chance: find_mean_break(chance.standard_normal(1000)).p_value)


def test_break_in_fat_tailed_noise_is_rejected_at_its_level() -> None:
    assert_nominal(lambda chance: find_mean_break(chance.standard_t(4, 1000)).p_value)
