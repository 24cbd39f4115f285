import numpy as np
import pytest
from scipy.spatial.distance import pdist

from jepa_steps.metrics import chance, geometry

RNG = np.random.default_rng(0)


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


@pytest.mark.parametrize("n", [2, 7, 300])
def test_exact_measures_equal_brute_force_over_all_pairs(n, monkeypatch):
    monkeypatch.setattr(geometry, "BLOCK", 64)  # several blocks, the last one shorter
    x = RNG.normal(size=(n, 6)) * [3, 2, 1, 1, 0.5, 0.1] + 0.3
    distance = pdist(unit(x), "sqeuclidean")
    assert geometry.uniformity(x) == pytest.approx(np.log(np.exp(-2 * distance).mean()), abs=1e-5)
    similar = np.log(np.exp(1 - distance / 2).mean())
    assert geometry.log_mean_exp_similarity(x) == pytest.approx(similar, abs=1e-5)
    frobenius = ((unit(x) @ unit(x).T) ** 2).sum()
    e = n + n * (n - 1) / 6
    assert geometry.self_cluster(x) == pytest.approx((frobenius - e) / (n**2 - e), abs=1e-10)


def test_closed_forms():
    one = np.tile(RNG.normal(size=5), (50, 1))
    assert geometry.uniformity(one) == pytest.approx(0, abs=1e-5)
    assert geometry.log_mean_exp_similarity(one) == pytest.approx(1, abs=1e-5)
    assert geometry.self_cluster(one) == pytest.approx(1)
    opposite = np.array([[2.0, 0], [-3.0, 0]])
    assert geometry.uniformity(opposite) == pytest.approx(-8, abs=1e-5)
    assert geometry.log_mean_exp_similarity(opposite) == pytest.approx(-1, abs=1e-5)
    axes = np.eye(8) * 7
    assert geometry.uniformity(axes) == pytest.approx(-4, abs=1e-5)
    assert geometry.log_mean_exp_similarity(axes) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("dim", [3, 16, 64])
def test_evenly_spread_points_read_the_level_of_chance(dim):
    x, level = RNG.normal(size=(4000, dim)), chance.levels(4000, dim)
    assert geometry.uniformity(x) == pytest.approx(level["uniformity"], abs=0.005)
    similarity = geometry.log_mean_exp_similarity(x)
    assert similarity == pytest.approx(level["log_mean_exp_similarity"], abs=0.002)
    assert geometry.self_cluster(x) == pytest.approx(0, abs=0.002)
    views = RNG.normal(size=(2000, 3, dim))
    assert geometry.alignment(views) == pytest.approx(level["alignment"], abs=0.05)


def test_the_standard_error_of_sampled_pairs_is_the_spread_of_repeated_samples():
    x = RNG.normal(size=(500, 4)) + 0.5
    for exact, sampled in (
        (geometry.uniformity(x), geometry.uniformity_sampled),
        (geometry.log_mean_exp_similarity(x), geometry.log_mean_exp_similarity_sampled),
    ):
        values, errors = np.array([sampled(x, 3000, seed) for seed in range(200)]).T
        assert values.mean() == pytest.approx(exact, abs=4 * errors.mean() / 200**0.5)
        assert values.std() == pytest.approx(errors.mean(), rel=0.2)
        assert sampled(x, 3000, 5) == sampled(x, 3000, 5)


def test_sampled_pairs_never_pair_a_row_with_itself():
    assert geometry.uniformity_sampled(np.eye(2) * [1, -1], 1000, 0)[0] == pytest.approx(-4)


def test_nothing_depends_on_the_scale_and_zero_rows_stay_finite():
    x = RNG.normal(size=(100, 5)).astype(np.float32)
    for measure in (geometry.uniformity, geometry.log_mean_exp_similarity, geometry.self_cluster):
        assert measure(1000 * x) == pytest.approx(measure(x), abs=1e-5)
        assert np.isfinite(measure(np.concatenate([x, np.zeros((2, 5), np.float32)])))
    assert geometry.alignment(1e4 * x.reshape(20, 5, 5)) == pytest.approx(
        geometry.alignment(x.reshape(20, 5, 5)), rel=1e-5
    )


def test_alignment_equals_brute_force_over_pairs_of_views():
    views = RNG.normal(size=(30, 4, 6))
    brute = np.mean([pdist(unit(v), "sqeuclidean").mean() for v in views])
    assert geometry.alignment(views) == pytest.approx(brute)
    assert geometry.alignment(np.repeat(views[:, :1], 4, 1)) == pytest.approx(0, abs=1e-12)
    assert geometry.alignment(np.stack([views[:, 0], -views[:, 0]], 1)) == pytest.approx(4)


def test_one_row_has_no_pairs():
    with pytest.raises(ValueError, match="no pairs"):
        geometry.uniformity(np.ones((1, 3)))
