"""Shifts: against the formula, planted shifts, noise, unseen genes, contexts, bad input."""

import numpy as np
import pytest

from jepa_steps.errors import InputError
from jepa_steps.modalities.expression.effects import baselines, shifts
from jepa_steps.modalities.expression.effects.pseudobulk import training_table
from jepa_steps.modalities.expression.effects.shifts import fit_shifts

GENES = [f"g{i:02}" for i in range(16)]
PAIRS = [(a, b) for a, b in zip(GENES[::2], GENES[1::2], strict=True)]


def planted(strength: float, dims: int = 60, rank: int = 3, cells: int = 30, seed: int = 0, **more):
    """Latents (n, D), conditions and contexts of singles with shifts of low rank, and the shifts (V, D)."""
    rng = np.random.default_rng(seed)
    true = strength * rng.normal(size=(len(GENES), rank)) @ rng.normal(size=(rank, dims))
    controls = {"a": rng.normal(size=dims), **{k: rng.normal(size=dims) for k in more.get("others", ())}}
    keys = [(c, k) for k in controls for c in [(), *((g,) for g in GENES)] for _ in range(cells)]
    change = np.stack([true[GENES.index(c[0])] if c else np.zeros(dims) for c, _ in keys])
    latents = np.stack([controls[k] for _, k in keys]) + change + rng.normal(size=change.shape)
    return latents, [c for c, _ in keys], [k for _, k in keys], true, controls


def pair_truth(true: np.ndarray, control: np.ndarray) -> np.ndarray:
    return control + np.stack([true[GENES.index(a)] + true[GENES.index(b)] for a, b in PAIRS])


def test_one_point_of_the_grid_is_generalised_least_squares_and_ridge(monkeypatch):
    monkeypatch.setattr(shifts, "_SHARED", ((0.2, 0.7),))
    monkeypatch.setattr(shifts, "_SCALES", (2.0,))
    monkeypatch.setattr(shifts, "_KNOWN", (0.4,))
    monkeypatch.setattr(shifts, "_FEWEST", 3)
    features = {"a": [1.0, 0.5], "b": [-0.3, 1.0], "c": [0.2, 0.1], "new": [1.0, -1.0]}
    features = {gene: np.array(row) for gene, row in features.items()}
    rng = np.random.default_rng(1)
    conditions = [c for c in [(), ("a",), ("b",), ("a", "b"), ("c",)] for _ in range(4)] + [("c",)] * 5
    latents = rng.normal(size=(len(conditions), 4)) + [[len(c)] for c in conditions]
    fit = fit_shifts(latents, conditions, ["k"] * len(conditions), features)
    found = fit([("a", "c"), ("new",), ()], ["k"] * 3)
    groups = sorted(set(conditions))
    means = np.stack([latents[[c == g for c in conditions]].mean(0) for g in groups])
    cells = np.array([conditions.count(g) for g in groups], float)

    def code(c):
        told = sum((features[g] for g in c), np.zeros(2)) * 0.4**0.5
        return [*(g in c for g in "abc"), *told, len(c) * 0.2**0.5, (len(c) > 0) * 0.7**0.5]

    # The noise variance and the scale, 2 mean(1 / n) of it, cancel: one ridge serves all directions.
    x = np.array([code(g) for g in groups])
    inverse = np.linalg.inv(2 * (1 / cells).mean() * x @ x.T + np.diag(1 / cells))
    free = inverse.sum(0) @ means / inverse.sum()
    weights = 2 * (1 / cells).mean() * x.T @ inverse @ (means - free)
    asked = np.array([code(c) for c in [("a", "c"), ("new",), ()]])
    np.testing.assert_allclose(found, free + asked @ weights, atol=1e-9)


def test_planted_pairs_are_nearer_than_sums_of_measured_means():
    latents, conditions, contexts, true, controls = planted(0.5)
    truth, places = pair_truth(true, controls["a"]), ["a"] * len(PAIRS)
    ours = fit_shifts(latents, conditions, contexts)(PAIRS, places)
    table = training_table(latents, conditions, contexts)
    theirs = baselines.additive(table, PAIRS, places)
    error, reference = (np.square(x - truth).mean() for x in (ours, theirs))
    assert error < 0.6 * reference


@pytest.mark.parametrize(("dims", "left"), [(4, 0.2), (60, 0.6)])
def test_shifts_of_noise_alone_shrink(dims, left):
    """Less where dimensions outnumber groups: the axes are then chosen by the noise they hold."""
    latents, conditions, contexts, _, _ = planted(0.0, dims=dims)
    fit = fit_shifts(latents, conditions, contexts)
    measured = training_table(latents, conditions, contexts).deltas
    assert np.square(fit.own + fit.mean + fit.common).mean() < left * np.square(measured).mean()


def test_an_unseen_gene_does_what_genes_do_on_average():
    latents, conditions, contexts, _, controls = planted(0.3)
    offset = np.full(latents.shape[1], 2.0)
    latents = latents + np.array([[len(c)] for c in conditions]) * offset
    new, none = fit_shifts(latents, conditions, contexts)([("new",), ()], ["a", "a"])
    np.testing.assert_allclose(none, controls["a"], atol=0.6)
    assert np.linalg.norm(new - none - offset) < 0.5 * np.linalg.norm(offset)


@pytest.mark.parametrize(("informed", "least", "most"), [(True, 0.0, 0.35), (False, 0.7, 1.15)])
def test_features_tell_unseen_genes_apart_where_they_say_something(informed, least, most):
    """Against the same fit without features, on four genes that training does not have."""
    rng = np.random.default_rng(2)
    latents, conditions, contexts, true, controls = planted(1.0)
    rank = np.linalg.svd(true, full_matrices=False)[0][:, :3] * np.sqrt(len(GENES) / 3)
    table = rank if informed else rng.normal(size=rank.shape) / np.sqrt(3)
    features = dict(zip(GENES, table, strict=True))
    unseen = GENES[:4]
    kept = [i for i, c in enumerate(conditions) if not set(c) & set(unseen)]
    training = latents[kept], [conditions[i] for i in kept], [contexts[i] for i in kept]
    asked, truth = [(g,) for g in unseen], controls["a"] + true[:4]
    with_, without = (
        np.square(fit_shifts(*training, f)(asked, ["a"] * 4) - truth).mean() for f in (features, None)
    )
    assert least * without <= with_ < most * without


def test_features_of_few_genes_are_not_used():
    latents, conditions, contexts, _, _ = planted(0.5)
    few = {g: np.arange(2.0) + i for i, g in enumerate(GENES[:9])}
    both = (fit_shifts(latents, conditions, contexts, f)(PAIRS, ["a"] * 8) for f in (few, None))
    np.testing.assert_array_equal(*both)


def test_predictions_turn_and_move_with_the_latents():
    latents, conditions, contexts, _, _ = planted(0.5)
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(latents.shape[1],) * 2))[0]
    places = ["a"] * len(PAIRS)
    before = fit_shifts(latents, conditions, contexts)(PAIRS, places)
    after = fit_shifts(latents @ turn + 3, conditions, contexts)(PAIRS, places)
    np.testing.assert_allclose(after, before @ turn + 3, atol=1e-8)


def test_a_perturbation_of_another_context_is_used_in_this_one():
    latents, conditions, contexts, true, controls = planted(1.0, others=["b"])
    keep = np.array([k == "a" or not c for c, k in zip(conditions, contexts, strict=True)])
    some = [c for c, k in zip(conditions, keep, strict=True) if k]
    places = [c for c, k in zip(contexts, keep, strict=True) if k]
    predicted = fit_shifts(latents[keep], some, places)(PAIRS, ["b"] * len(PAIRS))
    truth = pair_truth(true, controls["b"])
    assert np.square(predicted - truth).mean() < 0.1 * np.square(truth - controls["b"]).mean()


def test_dead_and_constant_dimensions_do_no_harm():
    latents, conditions, contexts, _, _ = planted(0.5)
    places = ["a"] * len(PAIRS)
    wide = np.c_[latents, np.full(len(latents), 7.0)]
    predicted = fit_shifts(wide, conditions, contexts)(PAIRS, places)
    np.testing.assert_allclose(predicted[:, -1], 7)
    np.testing.assert_allclose(
        predicted[:, :-1], fit_shifts(latents, conditions, contexts)(PAIRS, places)
    )


def test_bad_input_is_named():
    latents, conditions, contexts, _, _ = planted(0.5)
    with pytest.raises(InputError, match="found 5 latents"):
        fit_shifts(latents[:5], conditions, contexts)
    with pytest.raises(InputError, match="finite"):
        fit_shifts(np.where(latents > 2, np.nan, latents), conditions, contexts)
    with pytest.raises(InputError, match="0 perturbed genes"):
        fit_shifts(latents, [()] * len(latents), contexts)
    with pytest.raises(InputError, match="more than one cell"):
        fit_shifts(latents[[0, 40]], [(), ("g00",)], ["a", "a"])
    with pytest.raises(InputError, match="no training cells in context z"):
        fit_shifts(latents, conditions, contexts)([("g00",)], ["z"])
