"""Newey-West means and slopes against statsmodels, and on noise."""

from __future__ import annotations

import numpy as np
import pytest
from chance import assert_nominal, autoregressive, count_rejections
from scipy import stats
from statsmodels.datasets import macrodata
from statsmodels.regression.linear_model import OLS

from pipeline.statistics.hac import (
    Estimate,
    estimate_mean,
    estimate_slope,
    long_run_variance,
    newey_west_lag,
)
from pipeline.statistics.means import compare_means, compare_means_hac


def fitted(response: np.ndarray, design: np.ndarray, lags: int) -> OLS:
    return OLS(response, design).fit(
        cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": True}, use_t=True
    )


def assert_same(found: Estimate, oracle: OLS, place: int) -> None:
    assert found.value == pytest.approx(oracle.params[place], rel=1e-9)
    assert found.standard_error == pytest.approx(oracle.bse[place], rel=1e-9)
    assert found.t_value == pytest.approx(oracle.tvalues[place], rel=1e-9)
    assert found.p_value == pytest.approx(oracle.pvalues[place], rel=1e-6)


@pytest.fixture(scope="module")
def macro() -> np.ndarray:
    """Inflation and unemployment of the US by quarter, shipped with statsmodels."""
    return macrodata.load_pandas().data[["infl", "unemp"]].to_numpy(float)


@pytest.mark.parametrize(
    ("count", "lag"), [(20, 2), (50, 3), (100, 4), (272, 4), (273, 5), (500, 5), (2000, 7)]
)
def test_lag_is_the_floor_of_the_rule_of_thumb(count: int, lag: int) -> None:
    assert newey_west_lag(count) == lag


def test_long_run_variance_by_hand() -> None:
    # 1 + 4 + 9 + 16 is 30; neighbours give -2 - 6 + 12 is 4, at half weight and twice
    scores = np.array([1.0, -2.0, 3.0, 4.0])
    assert long_run_variance(scores, 1) == pytest.approx((30 + 2 * 0.5 * 4) / 4)


def test_mean_is_that_of_statsmodels(macro: np.ndarray) -> None:
    series = macro[:, 0]
    oracle = fitted(series, np.ones((len(series), 1)), newey_west_lag(len(series)))
    assert_same(estimate_mean(series), oracle, 0)


def test_mean_with_given_lags_is_that_of_statsmodels(macro: np.ndarray) -> None:
    oracle = fitted(macro[:, 1], np.ones((len(macro), 1)), 12)
    assert_same(estimate_mean(macro[:, 1], 12), oracle, 0)


def test_slope_is_that_of_statsmodels(macro: np.ndarray) -> None:
    design = np.column_stack([np.ones(len(macro)), macro[:, 0]])
    oracle = fitted(macro[:, 1], design, newey_west_lag(len(macro)))
    assert_same(estimate_slope(macro[:, 1], macro[:, 0]), oracle, 1)


def test_difference_of_marked_days_is_the_slope_on_a_dummy(macro: np.ndarray) -> None:
    is_late = np.arange(len(macro)) >= 100
    found = compare_means_hac(macro[:, 0], is_late)
    assert found.value == pytest.approx(macro[100:, 0].mean() - macro[:100, 0].mean())
    other = estimate_slope(macro[:, 0], is_late.astype(float))
    assert found.t_value == pytest.approx(other.t_value, rel=1e-9)


def test_welch_is_that_of_scipy() -> None:
    # the example of scipy.stats.ttest_ind
    a = np.array([56, 128.6, 12, 123.8, 64.34, 78, 763.3])
    b = np.array([1.1, 2.9, 4.2])
    found, oracle = compare_means(a, b), stats.ttest_ind(a, b, equal_var=False)
    assert found.t_value == pytest.approx(oracle.statistic)
    assert found.p_value == pytest.approx(oracle.pvalue)
    assert found.value == pytest.approx(a.mean() - b.mean())


def test_missing_values_are_left_out() -> None:
    series = [1.0, np.nan, 3.0, 2.0, np.nan]
    assert estimate_mean(series) == estimate_mean([1.0, 3.0, 2.0])
    assert compare_means(series, [1, 2]) == compare_means([1.0, 3.0, 2.0], [1, 2])


@pytest.mark.parametrize("values", [[], [1.0], [0.1] * 30, [np.nan, 2.0]])
def test_nothing_to_estimate_from_gives_no_t_value(values: list[float]) -> None:
    found = estimate_mean(values)
    assert np.isnan(found.t_value)
    assert np.isnan(found.p_value)


def test_constants_cannot_be_compared() -> None:
    assert np.isnan(compare_means([1.0, 1.0], [2.0, 2.0]).t_value)
    assert np.isnan(compare_means_hac([1.0, 1.0, 2.0, 2.0], [True, True, False, False]).t_value)
    assert np.isnan(compare_means_hac([1.0, 3.0, 2.0, 2.5], [True] * 4).value)
    assert np.isnan(estimate_slope([1.0, 2.0, 3.0], [1.0, 1.0, 1.0]).value)
    assert np.isnan(estimate_slope([2.0, 4.0, 6.0, 8.0], [1.0, 2.0, 3.0, 4.0]).t_value)


def test_mean_of_noise_is_rejected_at_its_level() -> None:
    assert_nominal(lambda chance: estimate_mean(chance.standard_normal(400)).p_value)


def test_difference_of_noise_is_rejected_at_its_level() -> None:
    assert_nominal(
        lambda chance: (
            compare_means(chance.standard_normal(80), 3 * chance.standard_normal(40)).p_value
        )
    )


def test_difference_of_regimes_of_noise_is_rejected_at_its_level() -> None:
    is_late = np.arange(600) >= 350
    assert_nominal(lambda chance: compare_means_hac(chance.standard_normal(600), is_late).p_value)


def test_slope_of_noise_is_rejected_at_its_level() -> None:
    assert_nominal(
        lambda chance: (
            estimate_slope(chance.standard_normal(400), chance.standard_normal(400)).p_value
        )
    )


def test_dependent_days_need_the_lags() -> None:
    def p_value(chance: np.random.Generator, lags: int) -> float:
        return estimate_mean(autoregressive(chance, 1500, 0.5), lags).p_value

    as_if_independent = count_rejections(lambda chance: p_value(chance, 0), 0.05)
    with_lags = count_rejections(lambda chance: p_value(chance, 20), 0.05)
    assert as_if_independent > 90
    assert with_lags < 50
