import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import Ridge

from jepa_steps.errors import InputError
from jepa_steps.modalities.expression.effects import baselines
from jepa_steps.modalities.expression.effects.metrics import evaluate
from jepa_steps.modalities.expression.effects.pseudobulk import condition, group_means, training_table

RNG = np.random.default_rng(2)
GENES = ["A", "B", "C", "D"]


class World:
    """Effects (G,) of four genes in two contexts: additive, the same in both, noise-free means."""

    def __init__(self, columns: int = 12):
        rng = np.random.default_rng(0)
        self.effects = dict(zip(GENES, rng.normal(size=(4, columns)), strict=True))
        self.controls = {"x": rng.uniform(3, 4, columns), "y": rng.uniform(3, 4, columns)}

    def mean(self, genes, context="x"):
        return self.controls[context] + sum((self.effects[g] for g in genes), np.zeros(12))

    def table(self, *wanted: tuple[str, str]):
        """Training table of (genes, context) such as ("AB", "x"), and all controls."""
        keys = [((), c) for c in self.controls] + [(condition(*g), c) for g, c in wanted]
        rows = np.stack([self.mean(g, c) for g, c in keys])
        return training_table(rows, [g for g, _ in keys], [c for _, c in keys])


@pytest.fixture
def world() -> World:
    return World()


def test_group_means_of_dense_sparse_and_blocks(monkeypatch):
    x, codes = RNG.poisson(0.5, (50, 6)).astype(np.float32), RNG.integers(-1, 4, 50)
    expected = np.stack([x[codes == g].mean(0) for g in range(4)])
    for block in (8192, 7):
        monkeypatch.setattr("jepa_steps.modalities.expression.effects.pseudobulk._BLOCK", block)
        for stored in (x, sp.csr_matrix(x), sp.csr_array(x)):
            means = group_means(stored, codes, 5)
            assert means[:4] == pytest.approx(expected, rel=1e-6) and np.isnan(means[4]).all()


def test_the_table_counts_a_perturbation_once_whatever_the_order_of_its_genes():
    x = np.array([[1.0], [3.0], [5.0], [9.0], [2.0]])
    conditions = [(), ("B", "A"), ("A", "B"), ("A",), ()]
    table = training_table(x, conditions, ["k"] * 5)
    assert table.conditions == (("A",), ("A", "B")) and table.cells.tolist() == [1, 2]
    assert table.means.tolist() == [[9], [4]] and table.controls["k"].tolist() == [1.5]
    assert table.mean_delta("k") == pytest.approx([5.0]) and table.mean_delta("?") == pytest.approx(
        [5.0]
    )


def test_no_change_and_perturbed_mean_are_of_the_context(world):
    table = world.table(("A", "x"), ("B", "x"), ("C", "y"))
    test, contexts = [("D",), ("D",)], ["x", "y"]
    assert baselines.no_change(table, test, contexts) == pytest.approx(
        np.stack([*world.controls.values()])
    )
    mean = baselines.perturbed_mean(table, test, contexts)
    assert mean[0] == pytest.approx((world.mean("A") + world.mean("B")) / 2)
    assert mean[1] == pytest.approx(world.mean("C", "y"))


def test_an_unseen_context_gets_its_controls_and_the_effects_of_the_others(world):
    table = world.table(("A", "x"), ("B", "x"))
    predicted = baselines.perturbed_mean(table, [("A",)], ["y"])
    shared = (world.effects["A"] + world.effects["B"]) / 2
    assert predicted[0] == pytest.approx(world.controls["y"] + shared)
    for predict in (baselines.look_up, baselines.additive, baselines.matching_mean):
        assert predict(table, [("A",)], ["y"])[0] == pytest.approx(world.mean("A", "y"))


def test_additive_is_exact_in_an_additive_world_and_matching_has_its_direction(world):
    table = world.table(("A", "x"), ("B", "x"), ("C", "x"))
    pairs = [condition(*p) for p in ("AB", "AC", "BC")]
    observed = np.stack([world.mean(p) for p in pairs])
    assert baselines.additive(table, pairs, ["x"] * 3) == pytest.approx(observed)
    matching = baselines.matching_mean(table, pairs, ["x"] * 3)
    assert matching[0] == pytest.approx((world.mean("A") + world.mean("B")) / 2)
    control, perturbed = (
        f(table, pairs, ["x"] * 3) for f in (baselines.no_change, baselines.perturbed_mean)
    )
    scores = evaluate(matching, observed, control, perturbed)
    assert scores["pearson_delta"] == pytest.approx(1) and (scores["l2"] > 0.5).all()


def test_an_unseen_gene_contributes_the_mean_effect(world):
    table = world.table(("A", "x"), ("B", "x"))
    mean = table.mean_delta("x")
    predicted = baselines.additive(table, [("A", "D"), ("D",)], ["x", "x"])
    assert predicted[0] == pytest.approx(world.mean("A") + mean)
    assert (predicted[1] == baselines.perturbed_mean(table, [("D",)], ["x"])[0]).all()
    predicted = baselines.matching_mean(table, [("A", "D")], ["x"])
    assert predicted[0] == pytest.approx((world.mean("A") + world.controls["x"] + mean) / 2)


def test_sharing_mean_uses_combinations_and_look_up_only_the_same_condition(world):
    table = world.table(("AB", "x"), ("BC", "x"), ("D", "x"))
    shared = baselines.sharing_mean(table, [("B",)], ["x"])
    assert shared[0] == pytest.approx((world.mean("AB") + world.mean("BC")) / 2)
    assert baselines.look_up(table, [("A", "B")], ["x"])[0] == pytest.approx(world.mean("AB"))
    unseen = baselines.look_up(table, [("B",)], ["x"])
    assert unseen == pytest.approx(baselines.perturbed_mean(table, [("B",)], ["x"]))
    assert baselines.sharing_mean(table, [("E",)], ["x"]) == pytest.approx(unseen)
    elsewhere = baselines.sharing_mean(table, [("D",)], ["y"])
    assert elsewhere[0] == pytest.approx(world.mean("D", "y"))


def test_ridge_solves_its_normal_equations(world):
    table = world.table(("A", "x"), ("B", "x"), ("C", "x"), ("AB", "x"), ("CD", "x"))
    features = {g: RNG.normal(size=3) for g in "ABCD"}
    test = [("A", "C"), ("D",)]
    predicted = baselines.ridge(table, test, ["x", "x"], features, dims=4, penalty=0.3)
    mean = table.mean_delta("x")
    u, s, _ = np.linalg.svd(table.means.T - table.means.mean(1), full_matrices=False)
    a = (u * s)[:, :4]
    b = np.stack([sum(features[g] for g in c) for c in table.conditions])
    inner = Ridge(0.3, fit_intercept=False).fit(a, (table.deltas - mean).T).coef_  # (T, k)
    w = Ridge(0.3, fit_intercept=False).fit(b, inner).coef_  # (k, k')
    p = np.stack([features["A"] + features["C"], features["D"]])
    assert predicted == pytest.approx(world.controls["x"] + mean + p @ w.T @ a.T)


def test_ridge_on_indicators_fits_combinations_up_to_a_shift_of_all_genes(world):
    """Principal components are centred over genes, so a constant added to all is not in their span."""
    pairs = ["AB", "BC", "AC"]
    table = world.table(*[(p, "x") for p in pairs])
    test = [condition(*p) for p in pairs]
    predicted = baselines.ridge(table, test, ["x"] * 3, dims=12, penalty=1e-10)
    error = predicted - np.stack([world.mean(p) for p in pairs])
    assert error - error.mean(1, keepdims=True) == pytest.approx(0, abs=1e-6)


def test_ridge_without_features_is_the_perturbed_mean(world):
    table = world.table(("A", "x"), ("B", "x"))
    mean = baselines.perturbed_mean(table, [("A",)], ["x"])
    assert baselines.ridge(table, [("A",)], ["x"], {"Z": np.ones(2)}) == pytest.approx(mean)
    assert baselines.ridge(table, [("A",)], ["x"], {}) == pytest.approx(mean)
    columns = baselines.gene_components(table, [f"g{i}" for i in range(12)], dims=2)
    assert baselines.ridge(table, [("A",)], ["x"], columns) == pytest.approx(mean)
    with pytest.raises(InputError, match="found 2 gene names, expected 12"):
        baselines.gene_components(table, ["a", "b"])


def test_gene_components_find_the_effect_of_a_correlated_unseen_gene():
    """Genes of two modules; perturbing a gene lowers its module: an unseen gene is predicted so."""
    module = np.repeat([0, 1], 6)
    genes = [f"g{i}" for i in range(12)]
    means = np.stack([5.0 - 2 * (module == module[i]) for i in range(12)])
    means += 0.01 * RNG.normal(size=means.shape)
    train = [0, 1, 2, 6, 7, 8]
    rows = np.concatenate([np.full((1, 12), 5.0), means[train]])
    table = training_table(rows, [(), *((genes[i],) for i in train)], ["x"] * 7)
    features = baselines.gene_components(table, genes, dims=2)
    predicted = baselines.ridge(table, [("g4",), ("g10",)], ["x", "x"], features, dims=2)
    assert predicted == pytest.approx(means[[4, 10]], abs=0.1)


def test_batch_only_weighs_batches_by_cells():
    means = np.array([[1.0, 2.0], [3.0, 6.0], [np.nan, np.nan]])
    cells = np.array([[1, 3, 0], [2, 0, 8], [0, 0, 5]])
    fallback = np.full((3, 2), 9.0)
    expected = [[2.5, 5.0], [1.0, 2.0], [9.0, 9.0]]
    assert baselines.batch_only(means, cells, fallback).tolist() == expected


def test_shuffled_labels_stay_in_their_context_and_depend_on_the_seed_only(world):
    table = world.table(*[(g, "x") for g in ("A", "B", "C", "D", "AB", "CD")], ("AC", "y"))
    one, again, other = (baselines.shuffled(table, seed) for seed in (1, 1, 2))
    assert one.conditions == again.conditions != other.conditions
    assert sorted(one.conditions) == sorted(table.conditions) and one.means is table.means
    rows = np.array(table.contexts) == "y"
    assert [c for c, y in zip(one.conditions, rows, strict=True) if y] == [("A", "C")]


def test_bad_tables_are_refused_in_one_line(world):
    with pytest.raises(
        InputError, match="no control cells in training for context y; found controls of x"
    ):
        training_table(np.ones((2, 3)), [(), ("A",)], ["x", "y"])
    with pytest.raises(InputError, match="no perturbed cells"):
        training_table(np.ones((2, 3)), [(), ()], ["x", "x"])
    with pytest.raises(InputError, match="found 2 cells, 1 conditions"):
        training_table(np.ones((2, 3)), [()], ["x", "x"])
    with pytest.raises(InputError, match="context z"):
        baselines.additive(world.table(("A", "x")), [("A",)], ["z"])
