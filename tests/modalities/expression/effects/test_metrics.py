import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from jepa_steps.errors import InputError
from jepa_steps.modalities.expression.effects import metrics
from jepa_steps.modalities.expression.effects.energy import energy_distance, energy_distances

RNG = np.random.default_rng(0)
PREDICTED, OBSERVED, CONTROL = RNG.normal(size=(3, 7, 30)) + 2


def test_pearson_delta_is_scipy_on_the_differences():
    expected = [
        stats.pearsonr(p - c, o - c)[0] for p, o, c in zip(PREDICTED, OBSERVED, CONTROL, strict=True)
    ]
    assert metrics.pearson_delta(PREDICTED, OBSERVED, CONTROL) == pytest.approx(expected)


def test_cosine_and_distances_by_their_formulas():
    a, b = PREDICTED - CONTROL, OBSERVED - CONTROL
    cosine = (a * b).sum(1) / np.sqrt((a**2).sum(1) * (b**2).sum(1))
    assert metrics.cosine_delta(PREDICTED, OBSERVED, CONTROL) == pytest.approx(cosine)
    assert metrics.l2(PREDICTED, OBSERVED) == pytest.approx(np.sqrt(((a - b) ** 2).sum(1)))
    assert metrics.mse(PREDICTED, OBSERVED) == pytest.approx(((a - b) ** 2).mean(1))


@settings(max_examples=30, deadline=None)
@given(scale=st.floats(0.1, 10), shift=st.floats(-5, 5), seed=st.integers(0, 99))
def test_pearson_delta_ignores_scale_and_shift_of_the_effect_and_gene_order(scale, shift, seed):
    value = metrics.pearson_delta(PREDICTED, OBSERVED, CONTROL)
    changed = CONTROL + scale * (PREDICTED - CONTROL) + shift
    assert metrics.pearson_delta(changed, OBSERVED, CONTROL) == pytest.approx(value)
    order = np.random.default_rng(seed).permutation(30)
    parts = (x[:, order] for x in (PREDICTED, OBSERVED, CONTROL))
    assert metrics.pearson_delta(*parts) == pytest.approx(value)


def test_an_effect_that_is_rounding_has_no_correlation():
    rounded = (CONTROL.astype(np.float32)).astype(np.float64)
    for predicted in (CONTROL, CONTROL + 1e-15, rounded):
        assert np.isnan(metrics.pearson_delta(predicted, OBSERVED, CONTROL)).all()
        assert np.isnan(metrics.cosine_delta(predicted, OBSERVED, CONTROL)).all()
    assert np.isnan(metrics.pearson_delta(CONTROL + 0.5, OBSERVED, CONTROL)).all()
    small = CONTROL + 1e-3 * (OBSERVED - CONTROL)
    assert metrics.pearson_delta(small, OBSERVED, CONTROL) == pytest.approx(1)


def test_a_row_that_is_not_finite_is_nan_in_every_metric_and_alone():
    broken = PREDICTED.copy()
    broken[2, 5] = np.nan
    whole = metrics.evaluate(PREDICTED, OBSERVED, CONTROL, CONTROL.mean(0) + CONTROL * 0)
    result = metrics.evaluate(broken, OBSERVED, CONTROL, CONTROL.mean(0) + CONTROL * 0)
    assert set(result) == set(metrics.METRICS) - {"energy_distance"}
    for name, values in result.items():
        assert np.flatnonzero(np.isnan(values)).tolist() == [2], name
        if metrics.METRICS[name].chance != 0.5:  # ranks lose a candidate
            assert np.delete(values, 2) == pytest.approx(np.delete(whole[name], 2))


def test_top_genes_are_the_largest_observed_effects():
    columns = metrics.top_genes(OBSERVED, CONTROL, 4)
    size = np.abs(OBSERVED - CONTROL)
    assert np.take_along_axis(size, columns, 1) == pytest.approx(-np.sort(-size, 1)[:, :4])
    expected = [
        stats.pearsonr((p - c)[t], (o - c)[t])[0]
        for p, o, c, t in zip(PREDICTED, OBSERVED, CONTROL, columns, strict=True)
    ]
    assert metrics.top_pearson_delta(PREDICTED, OBSERVED, CONTROL, 4) == pytest.approx(expected)
    assert metrics.top_genes(OBSERVED, CONTROL, 99).shape == (7, 30)


def test_top_precision_counts_the_overlap_and_gives_no_change_its_chance():
    a, b = (metrics.top_genes(x, CONTROL, 6) for x in (PREDICTED, OBSERVED))
    overlap = [len(set(x) & set(y)) / 6 for x, y in zip(a, b, strict=True)]
    assert metrics.top_precision(PREDICTED, OBSERVED, CONTROL, 6) == pytest.approx(overlap)
    assert metrics.top_precision(OBSERVED, OBSERVED, CONTROL, 6) == pytest.approx(1)
    assert metrics.top_precision(CONTROL, OBSERVED, CONTROL, 6) == pytest.approx(6 / 30, abs=1e-15)
    assert metrics.top_precision(PREDICTED, OBSERVED, CONTROL, 99) == pytest.approx(1)


def test_the_top_20_of_20_genes_are_no_metric_of_their_own():
    few, more = (metrics.evaluate(*RNG.normal(size=(4, 3, genes))) for genes in (20, 21))
    assert {name for name in more if name not in few} == {"top20_pearson_delta", "top20_precision"}


def test_means_say_how_many_they_are_of():
    assert metrics.mean_over_perturbations(np.array([1.0, np.nan, 3.0])) == (2.0, 2)
    mean, n = metrics.mean_over_perturbations(np.array([np.nan]))
    assert np.isnan(mean) and n == 0


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"\(7, 30\), observed \(6, 30\)"):
        metrics.l2(PREDICTED, OBSERVED[:6])


def test_energy_distance_is_the_double_loop():
    x, y = RNG.normal(size=(9, 3)), RNG.normal(size=(7, 3)) + 1

    def mean(a, b):
        pairs = [
            np.linalg.norm(p - q)
            for i, p in enumerate(a)
            for j, q in enumerate(b)
            if a is not b or i != j
        ]
        return np.mean(pairs)

    assert energy_distance(x, y) == pytest.approx(2 * mean(x, y) - mean(x, x) - mean(y, y))


def test_energy_distance_in_one_dimension_is_scipys_up_to_self_pairs():
    x, y = RNG.normal(size=3000)[:, None], RNG.normal(size=2500)[:, None] + 0.7
    biased = stats.energy_distance(x[:, 0], y[:, 0]) ** 2
    assert energy_distance(x, y) == pytest.approx(biased, abs=3e-3)


def test_energy_distance_is_unbiased_and_blocks_change_nothing(monkeypatch):
    draws = RNG.normal(size=(400, 2, 8, 4))
    values = energy_distances(draws[:, 0], draws[:, 1])
    assert abs(values.mean()) < 3 * values.std() / 20 and values.min() < 0
    x, y = RNG.normal(size=(50, 3)), RNG.normal(size=(31, 3))
    whole = energy_distance(x, y)
    monkeypatch.setattr("jepa_steps.modalities.expression.effects.energy._BLOCK", 7)
    assert energy_distance(x, y) == pytest.approx(whole)


def test_energy_distance_of_too_few_or_broken_cells_is_nan():
    assert np.isnan(energy_distance(np.zeros((1, 2)), np.zeros((5, 2))))
    assert np.isnan(energy_distance(np.full((3, 2), np.inf), np.zeros((5, 2))))
