import numpy as np
import pytest
import torch

from jepa_steps.metrics import normality
from jepa_steps.metrics.normality import sigreg_ratio
from jepa_steps.model.objectives.sigreg import sigreg_loss, unit_directions

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("n", [1, 50, 5000])
def test_the_statistic_equals_the_training_loss(n):
    x, directions = RNG.normal(size=(n, 12)) * 1.3 + 0.2, unit_directions(12, 20, 0, 0)
    theirs = sigreg_loss(torch.from_numpy(x), directions).item()
    assert normality.epps_pulley(x, directions.numpy()) == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize(("n", "dim"), [(64, 16), (256, 4), (256, 384), (2048, 1), (2048, 384)])
def test_normal_rows_read_one_at_any_n_scale_and_mean(n, dim):
    draws = 300 if dim == 1 else 10
    values = [sigreg_ratio(7 + 3 * RNG.normal(size=(n, dim)), 64, seed) for seed in range(draws)]
    assert np.mean(values) == pytest.approx(1, abs=0.04 + 3 * np.std(values) / draws**0.5)


def test_the_level_of_one_dimension_is_epps_and_pulleys_own():
    t = np.linspace(0, 3, 17)
    variance = 1 - np.exp(-(t**2)) * (1 + t**2 + t**4 / 2)
    expected = 2 * np.trapezoid(variance * np.exp(-(t**2) / 2), t)
    assert normality.null_mean(1) == pytest.approx(expected)


@pytest.mark.parametrize(("n", "rank_10", "constant"), [(256, 7.1, 287), (2048, 46.6, 2087)])
def test_low_rank_and_equal_rows_stand_out_and_grow_with_n(n, rank_10, constant):
    """The unscaled statistic reads 7.1 and 46.6 of rank 10 of 384, over a null of about 1."""
    null = normality.null_mean(384)
    low = np.mean([sigreg_ratio(rows_of_rank(10, n), 256, seed) for seed in range(8)])
    assert low * null == pytest.approx(rank_10, rel=0.15)
    equal = sigreg_ratio(np.full((n, 384), np.float32(0.1)))
    t = np.linspace(0, 3, 17)
    point = 2 * n * np.trapezoid((1 - np.exp(-(t**2) / 2)) ** 2 * np.exp(-(t**2) / 2), t)
    assert equal == pytest.approx(point / null) and equal > 100
    assert constant > equal * null  # there measured away from 0; here centred


def rows_of_rank(k, n):
    return RNG.normal(size=(n, k)) @ np.linalg.qr(RNG.normal(size=(384, k)))[0].T


def test_one_scale_for_all_so_a_common_shrinkage_is_not_seen_but_unequal_ones_are():
    x = RNG.normal(size=(2048, 64))
    assert sigreg_ratio(0.01 * x) == pytest.approx(sigreg_ratio(x))
    assert sigreg_ratio(x + 50) == pytest.approx(sigreg_ratio(x), rel=1e-6)
    assert sigreg_ratio(x * np.r_[np.ones(4), np.full(60, 0.01)]) > 20


def test_clusters_and_heavy_tails_are_seen():
    clusters = RNG.normal(size=(5, 64))[RNG.integers(5, size=2048)] + 0.1 * RNG.normal(size=(2048, 64))
    assert sigreg_ratio(clusters) > 20
    heavy = RNG.normal(size=(2048, 64)) * RNG.standard_cauchy(size=(2048, 1))
    assert sigreg_ratio(heavy) > 20
