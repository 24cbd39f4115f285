import numpy as np
import pytest

from jepa_steps.modalities.expression.effects.ceiling import _second_halves, attainable, split_half
from jepa_steps.modalities.expression.effects.metrics import evaluate

RNG = np.random.default_rng(3)


def cells(effect: np.ndarray, each: int, noise: float = 1.0):
    """Cells (P * each, G) around 5 + effect (P, G), and their codes."""
    codes = np.repeat(np.arange(len(effect)), each)
    return 5 + effect[codes] + noise * RNG.normal(size=(len(codes), effect.shape[1])), codes


def scorer(shape):
    control = np.full(shape, 5.0)
    return lambda predicted, observed: evaluate(predicted, observed, control, control)


def test_halves_are_disjoint_and_equal():
    codes = np.repeat([0, 1, 2, -1], [10, 7, 1, 4])
    second = _second_halves(codes, np.random.default_rng(0))
    for code, sizes in ((0, (5, 5)), (1, (3, 4)), (2, (0, 1))):
        assert (second[codes == code].sum(), (~second[codes == code]).sum()) == sizes
    assert (second != _second_halves(codes, np.random.default_rng(1))).any()


def test_noise_free_cells_reach_the_top_and_single_cells_have_no_ceiling():
    effect = RNG.normal(size=(4, 15))
    x, codes = cells(effect, 6, noise=0)
    codes[codes == 3] = np.where(np.arange(6) == 0, 3, -1)
    ceiling = split_half(x, codes, 4, scorer((4, 15)), repeats=3, seed=0)
    assert ceiling["pearson_delta"][:3] == pytest.approx(1) and ceiling["l2"][:3] == pytest.approx(0)
    assert ceiling["discrimination"][:3].tolist() == [1, 1, 1]
    assert np.isnan(ceiling["l2"][3]) and np.isnan(ceiling["discrimination"][3])
    assert attainable(ceiling)["pearson_delta"][:3] == pytest.approx(1)


def test_the_seed_decides():
    x, codes = cells(RNG.normal(size=(5, 20)), 10)
    runs = [split_half(x, codes, 5, scorer((5, 20)), 2, seed)["l2"] for seed in (0, 0, 1)]
    assert (runs[0] == runs[1]).all() and (runs[0] != runs[2]).any()


def test_attainable_is_what_the_true_means_score():
    """Averaged over many perturbations the formulas give the score of a noise-free prediction."""
    effect = 0.3 * RNG.normal(size=(150, 200))
    x, codes = cells(effect, 20)
    score = scorer(effect.shape)
    observed = x.reshape(150, 20, 200).mean(1)
    truth, halves = score(5 + effect, observed), split_half(x, codes, 150, score, 4, seed=0)
    reached = attainable(halves)
    for name in ("pearson_delta", "cosine_delta", "l2", "mse"):
        assert reached[name].mean() == pytest.approx(truth[name].mean(), rel=0.02), name
        assert abs(halves[name].mean() - truth[name].mean()) > 0.1 * truth[name].mean(), name
    assert (reached["discrimination"] == halves["discrimination"]).all()
