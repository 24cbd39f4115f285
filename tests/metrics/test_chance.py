import numpy as np
import pytest
from scipy.integrate import quad

from jepa_steps.metrics import chance, correlation, spectrum
from jepa_steps.metrics.moments import moments

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("n", "reads"),
    [(128, 122), (256, 229), (384, 309), (512, 336), (1024, 364), (4096, 379), (25_600, 383.3)],
)
def test_ranks_of_white_noise_measured_at_384_dimensions(n, reads):
    assert chance.levels(n, 384)["effective_rank"] == pytest.approx(reads, rel=0.01)


@pytest.mark.parametrize(("n", "dim"), [(2000, 100), (101, 100), (60, 100)])
def test_the_curve_is_the_spectrum_of_seeded_noise(n, dim):
    curve = chance.marchenko_pastur(n, dim)
    drawn = spectrum.singular_values(moments(RNG.normal(size=(n, dim))))
    assert curve.shape == (dim,) and (np.diff(curve) <= 0).all()
    assert (curve > 0).sum() == min(n - 1, dim)
    assert np.abs(curve - drawn).max() < 0.05 * curve[0]
    assert (curve**2).sum() == pytest.approx((n - 1) * dim, rel=0.01)


def test_quantiles_follow_the_density_of_the_paper():
    n, dim = 1001, 250
    gamma = dim / (n - 1)
    low, high = (1 - gamma**0.5) ** 2, (1 + gamma**0.5) ** 2

    def density(x):
        return np.sqrt((high - x) * (x - low)) / (2 * np.pi * gamma * x)

    eigenvalue = chance.marchenko_pastur(n, dim) ** 2 / (n - 1)
    for i in (10, 125, 240):
        above, _ = quad(density, eigenvalue[i], high)
        assert above == pytest.approx((i + 0.5) / dim, abs=1e-4)


def test_levels_are_what_noise_reads():
    m, level = moments(RNG.normal(size=(3000, 40))), chance.levels(3000, 40)
    sigma = spectrum.singular_values(m)
    for name in ("effective_rank", "rank_entropy_ev", "participation_ratio"):
        assert getattr(spectrum, name)(sigma) == pytest.approx(level[name], rel=0.01), name
    for name in ("stable_rank", "condition_number"):
        assert getattr(spectrum, name)(sigma) == pytest.approx(level[name], rel=0.1), name


def test_the_heat_map_puts_blocks_together_and_survives_dead_dimensions():
    factor = RNG.normal(size=(500, 3))
    group = RNG.permutation(np.repeat([0, 1, 2], 10))
    x = factor[:, group] * RNG.choice([-1, 1], 30) + 0.3 * RNG.normal(size=(500, 30))
    x = np.concatenate([x, np.full((500, 2), 0.1)], 1)
    r, shown = correlation.heat_map(moments(x))
    assert np.isfinite(r).all() and sorted(shown) == list(range(32))
    assert (r[np.isin(shown, (30, 31))] == 0).all()
    alive = [group[i] for i in shown if i < 30]
    assert (np.diff(alive) != 0).sum() == 2  # three runs: no group is split
    keep = np.flatnonzero(shown < 30)
    expected = np.corrcoef(x[:, shown[keep]], rowvar=False)
    assert np.allclose(r[np.ix_(keep, keep)], expected)


@pytest.mark.parametrize("dim", [1, 2, 300])
def test_the_heat_map_is_at_most_256_wide(dim):
    r, shown = correlation.heat_map(moments(RNG.normal(size=(50, dim))))
    assert r.shape == (min(dim, 256),) * 2 and len(set(shown)) == len(r)
    assert np.allclose(np.diagonal(r), 1)
