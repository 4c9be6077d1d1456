"""The first principal component, against statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.multivariate.pca import PCA

from pipeline.statistics.principal import component_weights, first_component


def series(seed: int, day_count: int = 400, count: int = 6) -> np.ndarray:
    """Return columns that share a part, with scales of their own; the last goes against it."""
    chance = np.random.default_rng(seed)
    common = chance.standard_normal(day_count)
    shares = np.linspace(0.9, 0.3, count)
    shares[-1] = -0.8
    values = shares * common[:, None] + chance.standard_normal((day_count, count))
    scaled: np.ndarray = values * np.logspace(0, 3, count) + 50
    return scaled


@pytest.mark.parametrize("seed", range(5))
def test_loadings_are_those_of_statsmodels(seed: int) -> None:
    values = series(seed)
    loadings, explained = first_component(values)
    oracle = PCA(values, ncomp=1, standardize=True, demean=True)
    theirs = oracle.loadings.ravel() * np.sign(oracle.loadings.sum())
    assert loadings == pytest.approx(theirs, abs=1e-9)
    assert explained == pytest.approx(oracle.rsquare[1], abs=1e-9)


def test_sign_does_not_hang_on_the_solver() -> None:
    values = series(1)
    loadings, _ = first_component(values)
    assert loadings.sum() > 0
    again, _ = first_component(values[:, ::-1])
    assert again[::-1] == pytest.approx(loadings, abs=1e-9)
    # two columns that mirror each other: the sum is 0, and the first decides
    mirrored, _ = first_component(np.column_stack([values[:, 0], -values[:, 0]]))
    assert mirrored == pytest.approx([np.sqrt(0.5), -np.sqrt(0.5)], abs=1e-9)


def test_weights_add_up_and_leave_out_what_goes_against_the_rest() -> None:
    loadings, _ = first_component(series(2))
    weights = component_weights(loadings)
    assert weights.sum() == pytest.approx(1)
    assert weights[-1] == 0
    assert weights[0] > weights[4] > 0
    assert weights[:-1] == pytest.approx(loadings[:-1] / loadings[:-1].sum())


def test_one_that_explains_all() -> None:
    common = np.arange(10.0)
    loadings, explained = first_component(np.column_stack([common, 2 * common, 5 + common]))
    assert loadings == pytest.approx(np.full(3, 3**-0.5))
    assert explained == pytest.approx(1)
