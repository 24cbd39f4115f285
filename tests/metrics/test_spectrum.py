import numpy as np
import pytest
from scipy.stats import entropy

from jepa_steps.metrics import spectrum
from jepa_steps.metrics.embedding import row_statistics, token_statistics
from jepa_steps.metrics.moments import moments, token_moments

RNG = np.random.default_rng(0)


def rows(sigma, n=500, mean=0.0):
    """Centred rows with exactly these singular values, then shifted by ``mean``."""
    x = RNG.normal(size=(n, len(sigma)))
    u, _, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
    v, _ = np.linalg.qr(RNG.normal(size=(len(sigma), len(sigma))))
    return u * np.array(sigma, dtype=float) @ v + mean


@pytest.mark.parametrize("k", [1, 3, 10])
def test_k_equal_directions_have_rank_k_under_every_definition(k):
    m = moments(rows([1.0] * k + [0.0] * (10 - k)))
    sigma = spectrum.singular_values(m)
    assert spectrum.effective_rank(sigma) == pytest.approx(k, rel=1e-4)
    assert spectrum.participation_ratio(sigma) == pytest.approx(k, rel=1e-4)
    assert spectrum.stable_rank(sigma) == pytest.approx(k, rel=1e-4)


def test_effective_rank_is_the_exponential_of_the_entropy():
    sigma = np.array([5.0, 3.0, 1.0, 0.5])
    assert spectrum.effective_rank(sigma) == pytest.approx(np.exp(entropy(sigma)))
    assert spectrum.rankme(sigma) == pytest.approx(np.exp(entropy(sigma)), rel=1e-4)


def test_streamed_singular_values_equal_the_svd():
    x = rows(np.geomspace(1, 1e-4, 12), mean=3.0)
    m = moments(x, block=37)
    centred = np.linalg.svd(x - x.mean(0), compute_uv=False)
    assert np.allclose(spectrum.singular_values(m), centred, atol=1e-7 * centred[0])
    raw = np.linalg.svd(x, compute_uv=False)
    assert np.allclose(spectrum.singular_values(m, centred=False), raw, atol=1e-6 * raw[0])


def test_a_large_mean_does_not_spoil_the_centred_rank():
    sigma = np.geomspace(1, 0.01, 20)
    truth = spectrum.effective_rank(sigma)
    shifted = moments(rows(sigma, mean=1e4), block=64)
    assert spectrum.effective_rank(spectrum.singular_values(shifted)) == pytest.approx(truth, rel=1e-4)


def test_power_law_exponent_is_recovered():
    j = np.arange(1, 101)
    fit = spectrum.alpha_req(np.sqrt(j**-1.7))
    assert fit["alpha"] == pytest.approx(1.7) and fit["r2"] == pytest.approx(1.0)


def test_zero_and_constant_rows_give_zeros_not_nan():
    for x in (np.zeros((20, 5)), np.full((20, 5), 3.0)):
        result = spectrum.summary(moments(x))
        assert result["effective_rank"] == pytest.approx(0.0, abs=1e-9)
        assert np.isfinite([v for v in result.values() if isinstance(v, float)]).all()
        assert row_statistics(x)["relative_spread"] == pytest.approx(0.0)


def test_token_variance_shares():
    position, sample = RNG.normal(size=(1, 16, 8)), RNG.normal(size=(400, 1, 8))
    assert token_statistics(token_moments(np.broadcast_to(position, (400, 16, 8))))[
        "position_share"
    ] == pytest.approx(1)
    assert token_statistics(token_moments(np.broadcast_to(sample, (400, 16, 8))))[
        "sample_share"
    ] == pytest.approx(1)
    noise = token_statistics(token_moments(RNG.normal(size=(400, 16, 8))))
    assert noise["position_share"] < 0.01 and noise["sample_share"] < 0.1


def test_row_statistics_on_known_rows():
    x = RNG.normal(size=(5000, 6)) * [1, 1, 1, 1, 1, 0.01]
    s = row_statistics(x)
    assert s["dead_share"] == pytest.approx(1 / 6)
    assert s["relative_spread"] == pytest.approx(1, abs=1e-3)
    assert s["max_abs_correlation"] < 0.1
    s = row_statistics(np.concatenate([x, 2 * x[:, :1]], 1) + 100)
    assert s["max_abs_correlation"] == pytest.approx(1) and s["relative_spread"] < 0.02
