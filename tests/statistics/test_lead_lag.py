"""Leads: against statsmodels, planted, and on noise."""

from __future__ import annotations

import numpy as np
import pytest
from chance import assert_nominal, autoregressive, volatility
from statsmodels.tsa.stattools import ccf

from pipeline.statistics.lead_lag import Lead, cross_correlate, draw_signs, find_lead


def lead_of(first: np.ndarray, second: np.ndarray, seed: int = 0, draws: int = 300) -> Lead:
    return find_lead(first, second, draw_signs(np.random.default_rng(seed), len(first), draws))


def test_correlations_are_those_of_statsmodels() -> None:
    x, y = np.random.default_rng(9).standard_normal((2, 120))
    found = cross_correlate(x, y, 20)
    assert found[20:] == pytest.approx(ccf(y, x, adjusted=False)[:21])
    assert found[20::-1] == pytest.approx(ccf(x, y, adjusted=False)[:21])


def test_correlations_of_many_rows_are_those_of_each() -> None:
    x, y = np.random.default_rng(9).standard_normal((2, 3, 60))
    rows = [cross_correlate(a, b, 5) for a, b in zip(x, y, strict=True)]
    assert cross_correlate(x, y, 5) == pytest.approx(np.array(rows))


@pytest.mark.parametrize("lead", [-7, -1, 0, 1, 3, 12])
def test_planted_lead_is_found(lead: int) -> None:
    chance = np.random.default_rng(100 + lead)
    x = chance.standard_normal(504)
    y = 0.5 * np.roll(x, lead) + chance.standard_normal(504)
    found = lead_of(x, y)
    assert found.lead == lead
    assert found.correlation == pytest.approx(0.45, abs=0.1)
    assert found.p_value == pytest.approx(1 / 301)


def test_lead_beside_what_both_do_on_the_day_is_found() -> None:
    chance = np.random.default_rng(8)
    x = chance.standard_normal(504)
    y = 0.5 * x + 0.3 * np.roll(x, 3) + 0.8 * chance.standard_normal(504)
    found = lead_of(x, y)
    assert (found.lead, found.apart_lead) == (0, 3)
    assert found.apart_correlation == cross_correlate(x, y)[23]
    assert found.apart_correlation < found.correlation
    assert found.apart_p_value == pytest.approx(1 / 301)


def test_largest_lead_is_the_same_apart_where_it_is_not_the_day_itself() -> None:
    x, y = np.random.default_rng(9).standard_normal((2, 504))
    found = lead_of(x, np.roll(x, 4) + y)
    assert (found.apart_lead, found.apart_correlation) == (found.lead, found.correlation)
    assert found.apart_p_value <= found.p_value


def test_planted_opposite_lead_has_a_negative_correlation() -> None:
    chance = np.random.default_rng(1)
    x = chance.standard_normal(504)
    found = lead_of(x, -0.5 * np.roll(x, 2) + chance.standard_normal(504))
    assert found.lead == 2
    assert found.correlation < -0.3


def test_constant_leads_nothing() -> None:
    found = lead_of(np.ones(60), np.random.default_rng(1).standard_normal(60))
    assert (found.lead, found.apart_lead) == (None, None)
    assert np.isnan([found.p_value, found.apart_p_value]).all()


def test_lead_in_noise_is_rejected_at_its_level() -> None:
    def p_value(chance: np.random.Generator) -> float:
        x, y = chance.standard_t(4, (2, 504))
        return float(find_lead(x, y, draw_signs(chance, 504, 99)).p_value)

    assert_nominal(p_value)


def test_lead_in_dependent_noise_is_rejected_at_its_level() -> None:
    def p_value(chance: np.random.Generator) -> float:
        x, y = autoregressive(chance, 504, 0.3), autoregressive(chance, 504, 0.3)
        return float(find_lead(x, y, draw_signs(chance, 504, 99)).p_value)

    assert_nominal(p_value)


def test_two_series_that_are_wild_together_lead_each_other_at_the_level() -> None:
    def p_value(chance: np.random.Generator) -> float:
        wild = volatility(chance, 504)
        x, y = wild * chance.standard_normal(504), wild * chance.standard_normal(504)
        return float(find_lead(x, y, draw_signs(chance, 504, 99)).p_value)

    assert_nominal(p_value)
