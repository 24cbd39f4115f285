import numpy as np
import pytest
from scipy.linalg import fractional_matrix_power

from jepa_steps.metrics import lidar

RNG = np.random.default_rng(0)


def reference(views, delta=1e-4, eps=1e-8):
    """The paper's formula, loop by loop."""
    n, q, dim = views.shape
    means = views.mean(1)
    between, within = np.zeros((dim, dim)), delta * np.eye(dim)
    for i in range(n):
        away = means[i] - means.mean(0)
        between += np.outer(away, away) / (n - 1)
        for k in range(q):
            away = views[i, k] - means[i]
            within += np.outer(away, away) / (n * (q - 1))
    root = fractional_matrix_power(within, -0.5)
    eigenvalues = np.linalg.eigvalsh(root @ between @ root).clip(min=0)
    p = eigenvalues / eigenvalues.sum() + eps
    return np.exp(-(p * np.log(p)).sum())


def views_of(sample_std, view_std, n=200, q=6):
    dim = len(sample_std)
    samples = RNG.normal(size=(n, 1, dim)) * sample_std
    return samples + RNG.normal(size=(n, q, dim)) * view_std


@pytest.mark.parametrize("dim", [4, 24])
def test_equals_the_formula_written_out_however_it_is_streamed(dim):
    views = views_of(np.geomspace(1, 0.1, dim), np.geomspace(0.05, 0.8, dim)) + 3
    found = lidar.lidar(views)
    assert found["lidar"] == pytest.approx(reference(views), rel=1e-6)
    size = {"n": 200, "q": 6, "dim": dim, "max": dim, "trust": "ok"}
    assert {k: found[k] for k in size} == size
    for block in (1, 7, 200):
        m = lidar.view_moments(views, block)
        assert np.allclose(
            lidar.discriminant_eigenvalues(m),
            lidar.discriminant_eigenvalues(lidar.view_moments(views)),
        )


@pytest.mark.parametrize("k", [1, 3, 8])
def test_k_equal_directions_between_samples_have_lidar_k(k):
    # samples +-e_1 .. +-e_k, views +-v around each along every axis: scatter known exactly
    samples = np.concatenate([np.eye(8)[:k], -np.eye(8)[:k]])
    away = 0.1 * np.concatenate([np.eye(8), -np.eye(8)])
    views = samples[:, None] + away
    found = lidar.discriminant_eigenvalues(lidar.view_moments(views), delta=0)
    between, within = 2 / (2 * k - 1), 2 * 0.01 / 15
    assert found == pytest.approx([between / within] * k + [0] * (8 - k), abs=1e-8)
    assert lidar.lidar(views)["lidar"] == pytest.approx(k, rel=1e-4)


def test_directions_that_views_scatter_count_less():
    """An ordinary rank of the same embeddings does not see the difference."""
    even = lidar.lidar(views_of(np.ones(8), np.full(8, 0.2), n=4000))["lidar"]
    noisy = lidar.lidar(views_of(np.ones(8), np.r_[np.full(2, 0.02), np.full(6, 2.0)], n=4000))["lidar"]
    assert even == pytest.approx(8, rel=0.01) and noisy < 2.2


def test_few_samples_bound_it_and_are_marked():
    away = 0.1 * np.concatenate([np.eye(32), -np.eye(32)])
    found = lidar.lidar(np.eye(32)[:10, None] + away)  # ten orthogonal samples
    assert found["max"] == 9 and found["lidar"] == pytest.approx(9, rel=1e-4)
    assert found["trust"] == "few"
    said = [lidar.lidar(RNG.normal(size=(n, 3, 8)))["trust"] for n in (8, 9)]
    assert said == ["few", "ok"]


def test_views_grouped_by_the_wrong_sample_read_otherwise():
    views = views_of(np.geomspace(1, 0.05, 16), np.full(16, 0.1))
    mixed = RNG.permutation(views.reshape(-1, 16)).reshape(views.shape)
    right, wrong = (lidar.discriminant_eigenvalues(lidar.view_moments(v)) for v in (views, mixed))
    assert right[0] > 50 and wrong[0] < 1


def test_equal_samples_have_none_and_one_view_is_refused():
    assert lidar.lidar(np.ones((5, 3, 4)))["lidar"] == 0
    for shape in ((1, 3, 4), (5, 1, 4)):
        with pytest.raises(ValueError, match="at least 2"):
            lidar.lidar(np.ones(shape))
