import numpy as np
import pytest
import scipy.sparse as sp

from jepa_steps.modalities.expression.effects.few import within_perturbations
from jepa_steps.modalities.expression.effects.metrics import evaluate
from jepa_steps.modalities.expression.effects.pseudobulk import group_means
from jepa_steps.modalities.expression.effects.verdicts import judge

GENES, CELLS = 30, (200, 150, 90)


def question(seed=0, cells=CELLS):
    """Cells of three perturbations with gene-wise noise, two methods that predict their means."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(len(cells)), cells)
    rng.shuffle(codes)
    truth = rng.normal(size=(len(cells), GENES))
    expression = truth[codes] + rng.normal(size=(len(codes), GENES))
    predicted = {"JEPA": truth + 0.2 * rng.normal(size=truth.shape), "mean": truth + 0.3}
    return expression, codes, predicted


def score(predicted, observed):
    zero = np.zeros_like(observed)
    return evaluate(predicted, observed, zero, zero + 0.1 * np.arange(GENES))


def rows(expression, codes, predicted, seed=0):
    observed = group_means(expression, codes, codes.max() + 1)
    scores = {name: score(means, observed) for name, means in predicted.items()}
    found = judge(scores["JEPA"], {"mean": scores["mean"]})
    return within_perturbations(found, expression, codes, predicted, score, "JEPA", seed)


def test_the_interval_over_cells_is_that_of_the_closed_form():
    """Differences of squared errors are linear in the observed mean, so their variance is known."""
    expression, codes, predicted = question()
    row = {r["metric"]: r for r in rows(expression, codes, predicted)}["mse"]
    apart = predicted["JEPA"] - predicted["mean"]
    variances = [
        4 * apart[p] @ np.cov(expression[codes == p].T) @ apart[p] / GENES**2 / n
        for p, n in enumerate(CELLS)
    ]
    half = 1.96 * np.sqrt(np.sum(variances)) / len(CELLS)
    assert row["within"] and row["verdict"] == "undecided"
    assert (row["high"] - row["low"]) / 2 == pytest.approx(half, rel=0.12)
    assert (row["high"] + row["low"]) / 2 == pytest.approx(row["difference"], abs=0.3 * half)


def test_every_metric_of_means_has_one_and_sparse_cells_give_the_same():
    expression, codes, predicted = question()
    dense = rows(expression, codes, predicted)
    sparse = rows(sp.csr_array(expression), codes, predicted)
    assert len(dense) == 9
    for a, b in zip(dense, sparse, strict=True):
        assert a["low"] <= a["difference"] <= a["high"]
        assert (a["low"], a["high"]) == pytest.approx((b["low"], b["high"]))


def test_a_metric_that_means_do_not_suffice_for_has_none():
    expression, codes, predicted = question()
    values = {"energy_distance": np.array([0.1, 0.2, 0.3])}
    found = judge(values, {"mean": values})
    (row,) = within_perturbations(found, expression, codes, predicted, score, "JEPA", 0)
    assert row["within"] and np.isnan(row["low"]) and np.isnan(row["high"])


def test_six_perturbations_keep_their_interval():
    expression, codes, predicted = question(cells=(20,) * 6)
    observed = group_means(expression, codes, 6)
    scores = {name: score(means, observed) for name, means in predicted.items()}
    before = judge(scores["JEPA"], {"mean": scores["mean"]})
    after = within_perturbations(before, expression, codes, predicted, score, "JEPA", 0)
    assert [{**row, "within": False} for row in before] == after
