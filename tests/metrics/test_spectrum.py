import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from jepa_steps.arrays import read_array, rows_of
from jepa_steps.metrics import spectrum
from jepa_steps.metrics.embedding import norms, row_statistics, token_statistics
from jepa_steps.metrics.moments import moments, token_moments
from jepa_steps.model.objectives.vicreg import covariance_loss, variance_loss

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
    assert spectrum.rank_entropy_ev(sigma) == pytest.approx(k, rel=1e-4)
    assert spectrum.numerical_rank(sigma) == k
    assert spectrum.condition_number(sigma) == pytest.approx(1, rel=1e-4)


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


def test_every_definition_on_two_unequal_directions():
    sigma = np.array([3.0, 1.0, 0.0])
    assert spectrum.effective_rank(sigma) == pytest.approx(4 / 3**0.75)
    assert spectrum.rank_entropy_ev(sigma) == pytest.approx(10 / 9**0.9)
    assert spectrum.participation_ratio(sigma) == pytest.approx(100 / 82)
    assert spectrum.stable_rank(sigma) == pytest.approx(10 / 9)
    assert spectrum.numerical_rank(sigma) == 2
    assert spectrum.condition_number(sigma) == 3
    p = np.array([0.75, 0.25, 0]) + 1e-3
    assert spectrum.rankme(sigma, 1e-3) == pytest.approx(np.exp(-(p * np.log(p)).sum()))


def test_power_law_exponent_is_recovered_with_its_range():
    j = np.arange(1, 385)
    fit = spectrum.alpha_req(np.sqrt(j**-1.7))
    assert fit["alpha"] == pytest.approx(1.7) and fit["r2"] == pytest.approx(1.0)
    assert fit["ranks"] == [10, 100]
    assert spectrum.alpha_req(np.sqrt(j[:32] ** -1.7))["ranks"] == [10, 32]
    kinked = np.where(j < 30, 1.0, 30.0 / j)
    assert 0 < spectrum.alpha_req(kinked)["r2"] < 0.99
    assert spectrum.alpha_req(np.r_[np.ones(10), np.zeros(374)])["alpha"] is None


def cloud(std, mean, n=10_000, seed=0):
    """Normal rows with these stds; the length of their mean is ``mean`` times the total std."""
    draw = np.random.default_rng(seed)
    x, direction = draw.normal(size=(n, len(std))) * std, draw.normal(size=len(std))
    return x + mean * np.sqrt((std**2).sum()) * direction / np.linalg.norm(direction)


J = np.arange(1, 385.0)
POWER_LAW, TEN = 1 / J, np.r_[np.ones(10), np.full(374, 1e-6)]


@pytest.mark.parametrize(
    ("std", "mean", "paper", "centred", "eps5", "eps12", "eigenvalues"),
    [
        (POWER_LAW, 0, 96.78, 96.78, 98.95, 96.76, 5.02),
        (POWER_LAW, 5, 19.99, 96.78, 20.49, 19.99, 5.02),
        (TEN, 0, 10.01, 10.01, 10.44, 10.00, 10.00),
        (TEN, 5, 4.76, 10.01, 4.96, 4.75, 10.00),
    ],
)
def test_what_five_public_codes_say_of_the_same_matrix(
    std, mean, paper, centred, eps5, eps12, eigenvalues
):
    """Measured values of RankMe as published and as others implement it, n = 10,000, D = 384.

    Another draw of the same rows moves a rank by up to 0.3 %; a ratio of two definitions only by the
    rounding of the values.
    """
    m = moments(cloud(std, mean))
    raw, about = spectrum.singular_values(m, centred=False), {"rel": 5e-3}
    assert spectrum.rankme(raw) == pytest.approx(paper, **about)
    assert spectrum.rankme(spectrum.singular_values(m)) == pytest.approx(centred, **about)
    assert spectrum.rankme(raw, 1e-5) == pytest.approx(eps5, **about)
    assert spectrum.effective_rank(raw) == pytest.approx(eps12, **about)
    assert spectrum.rank_entropy_ev(spectrum.singular_values(m)) == pytest.approx(eigenvalues, **about)
    ratio = spectrum.rankme(raw, 1e-5) / spectrum.rankme(raw)
    assert ratio == pytest.approx(eps5 / paper, abs=0.01 / paper)


@pytest.mark.parametrize(("mean", "reads"), [(5, 126.8), (20, 22.4), (100, 3.06), (1000, 1.17)])
def test_what_a_mean_does_to_the_raw_rank(mean, reads):
    m = moments(cloud(J**-0.5, mean, 25_600))
    assert spectrum.effective_rank(spectrum.singular_values(m)) == pytest.approx(308.8, rel=2e-3)
    raw = spectrum.singular_values(m, centred=False)
    assert spectrum.effective_rank(raw) == pytest.approx(reads, rel=5e-3)


@pytest.mark.parametrize(
    ("n", "reads"), [(128, 43), (256, 66), (384, 80), (512, 83), (1024, 91), (4096, 96)]
)
def test_a_rank_of_few_rows_measures_their_number(n, reads):
    """The values are of one draw each, which scatter by 2 % at 128 rows; the truth is 97.3."""
    draws = (moments(cloud(POWER_LAW, 0, n, seed)) for seed in range(5))
    ranks = [spectrum.effective_rank(spectrum.singular_values(m)) for m in draws]
    assert np.mean(ranks) == pytest.approx(reads, rel=0.04)


@pytest.mark.parametrize("std", [1 / J, np.r_[1 / J[:192], np.full(192, 1e-6)], np.exp(-J * 18.4 / 384)])
def test_tails_down_to_a_millionth_keep_five_digits(std):
    x = cloud(std, 0, 4000).astype(np.float32)
    truth = spectrum.effective_rank(np.linalg.svd(x.astype(np.float64), compute_uv=False))
    streamed = spectrum.effective_rank(spectrum.singular_values(moments(x), centred=False))
    assert streamed == pytest.approx(truth, rel=1e-5)


def test_trust_depends_on_rows_a_dimension_and_refusal_withholds_every_rank():
    said = {n: spectrum.summary(moments(RNG.normal(size=(n, 10))))["trust"] for n in (39, 40, 99, 100)}
    assert said == {39: "refused", 40: "few", 99: "few", 100: "ok"}
    full, empty = (spectrum.summary(moments(RNG.normal(size=(n, 10)))) for n in (40, 39))
    assert 7 < full["centred"]["effective_rank"] < 10 and "reason" not in full
    assert set(empty["centred"]) == set(full["centred"]) and set(empty["raw"]) == set(full["raw"])
    assert empty["raw"]["rankme"] is None and empty["centred"]["alpha_req"]["alpha"] is None
    assert empty["reason"].startswith("39 rows of 10 dimensions") and "40 are needed" in empty["reason"]


@pytest.mark.parametrize("value", [0.0, 3.0, 0.1, np.float32(1e4) / 3])
def test_zero_and_constant_rows_give_zeros_not_nan(value):
    x = np.full((3000, 5), value)
    result = spectrum.summary(moments(x))
    del result["centred"]["alpha_req"]
    assert set(result["centred"].values()) == {0}
    assert np.isfinite([v for v in result["raw"].values() if isinstance(v, float)]).all()
    assert row_statistics(x)["relative_spread"] == pytest.approx(0.0)
    assert not moments(x).correlation.any()
    assert row_statistics(x)["max_abs_correlation"] == 0


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


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs Linux's /proc")
def test_pages_of_a_memory_map_are_given_back(tmp_path):
    def mapped_mib():
        status = Path("/proc/self/status").read_text()
        return int(re.search(r"RssFile:\s+(\d+) kB", status)[1]) / 1024

    np.save(tmp_path / "rows.npy", RNG.normal(size=(200_000, 40)).astype(np.float32))
    array = np.load(tmp_path / "rows.npy", mmap_mode="r")
    before = mapped_mib()
    expected = float(np.mean(array, dtype=np.float64))  # this maps all 31 MiB
    assert mapped_mib() - before > 25
    assert moments(array).mean.mean() == pytest.approx(expected)
    assert mapped_mib() - before < 5
    checked = read_array(tmp_path / "rows.npy", "rows, dimensions")  # goes through all of them for NaN
    assert mapped_mib() - before < 5 and checked.shape == array.shape
    assert array[-1, -1] == np.load(tmp_path / "rows.npy")[-1, -1]  # and read again when needed


def test_variance_and_covariance_terms_are_vicregs():
    x = RNG.normal(size=(400, 12)) @ RNG.normal(size=(12, 12)) * 0.3 + 5
    s, t = row_statistics(x), torch.from_numpy(x)
    assert s["variance_term"] == pytest.approx(float(variance_loss(t, 1.0, 0.0)))
    assert s["covariance_term"] == pytest.approx(float(covariance_loss(t)))
    assert s["rms_norm"] == pytest.approx(np.sqrt((x**2).sum(1).mean()))
    assert s["mean_norm"] == pytest.approx(np.linalg.norm(x, axis=1).mean())
    assert s["std_norm"] == pytest.approx(np.linalg.norm(x, axis=1).std())


def test_share_of_high_correlations_counts_pairs_that_vary():
    x = RNG.normal(size=(3000, 5))
    twin = x[:, :1] + 0.1 * RNG.normal(size=(3000, 1))  # correlates by .995
    s = row_statistics(np.concatenate([x, twin, np.ones((3000, 1))], 1))
    assert s["high_correlation_share"] == pytest.approx(1 / 15)


def test_rows_picked_from_a_map_take_memory_of_a_block_only(tmp_path):
    np.save(tmp_path / "rows.npy", RNG.normal(size=(100_000, 40)).astype(np.float32))
    array = np.load(tmp_path / "rows.npy", mmap_mode="r")
    index = np.arange(0, 100_000, 2)
    expected, length = moments(array[index]), norms(array[index])
    tracemalloc.start()
    picked = rows_of(array, index)
    m, n = moments(picked), norms(picked)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20 < array[index].nbytes
    assert np.array_equal(m.scatter, expected.scatter) and n == length
