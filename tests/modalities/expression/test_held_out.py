"""What is held_out of held-out perturbations: which effects of training count as the same."""

import json

import numpy as np
import pytest
from modalities.expression.screens import prepared, screen

from jepa_steps.modalities.expression.effects.baselines import look_up, ridge
from jepa_steps.modalities.expression.effects.methods import question_of
from jepa_steps.modalities.expression.effects.pseudobulk import group_means, training_table
from jepa_steps.modalities.expression.held_out import features_of, held_out_perturbations, names_of
from jepa_steps.modalities.expression.store import open_store

LEAKY = {"kind": "cell", "allow_leaky": True}


def two_types():
    """g0 is silenced by CRISPRi and activated by CRISPRa, in cells by turns."""
    s = screen()
    here = [i for i, p in enumerate(s["perturbation"]) if p == "g0"]
    s["perturbation_type"] = ["CRISPRi"] * len(s["perturbation"])
    for i in here[::2]:
        s["perturbation_type"][i] = "CRISPRa"
        s["X"][i, 20:30] += 40
    return s


def test_one_gene_with_two_types_has_an_effect_each(tmp_path):
    store = open_store(prepared(tmp_path, two_types(), split=LEAKY))
    names, contexts = names_of(store), store.contexts
    assert {n for name in names for n in name} == {
        "g0 overexpression",
        "g0 knockdown",
        *(f"g{i}" for i in range(1, 7)),
    }
    held_out, known = held_out_perturbations(store), store.rows("train")
    table = training_table(
        store.csr.view(known),
        [names[c] for c in store.condition[known]],
        [contexts[c] for c in store.context[known]],
    )
    found = look_up(
        table, [names[c] for c in held_out.condition], [contexts[k] for k in held_out.context]
    )
    truth = group_means(store.csr.matrix(held_out.cells), held_out.codes, len(held_out.condition))
    gained = [store.genes.index(f"g{i}") for i in range(20, 30)]
    for predicted, real, code in zip(found, truth, held_out.condition, strict=True):
        if names[code] in (("g0 overexpression",), ("g0 knockdown",)):
            control = np.mean([c[gained].mean() for c in table.controls.values()])
            for mean in (predicted, real):
                assert (mean[gained].mean() > control + 0.5) == (names[code] == ("g0 overexpression",))


@pytest.mark.parametrize(
    ("doses", "expected"),
    [
        # (dose in training, dose in test) of the gene
        (("1", "1"), {"g0"}),
        (("1", "10"), {"g0"}),  # a dose that training has not: what it knows of the gene
    ],
)
def test_a_dose_that_training_lacks_falls_back_on_the_gene(doses, expected, tmp_path):
    s = screen(labels=["ctrl", "g0", "g1", "g2", "g3"])
    for i, (p, context) in enumerate(zip(s["perturbation"], s["cell_type"], strict=True)):
        s["dose"][i] = doses[context == "RPE1"] if p == "g0" else "1"
    split = {"kind": "context", "test_units": ["RPE1"]}
    store = open_store(prepared(tmp_path, s, split=split))
    assert {n for name in names_of(store) for n in name if n.startswith("g0")} == expected


def test_doses_that_training_knows_are_told_apart(tmp_path):
    s = screen(labels=["ctrl", "g0", "g1", "g2", "g3"])
    s["dose"] = [("1", "10")[i % 2] if p == "g0" else "1" for i, p in enumerate(s["perturbation"])]
    store = open_store(prepared(tmp_path, s, split=LEAKY))
    assert {"g0 knockdown 1.0", "g0 knockdown 10.0"} <= {n for name in names_of(store) for n in name}


def test_features_go_by_the_same_names_and_have_mean_square_norm_one(tmp_path):
    out = prepared(tmp_path, two_types(), split=LEAKY)
    store = open_store(out)
    found = features_of(store)
    assert set(found) == {n for name in names_of(store) for n in name}
    assert np.array_equal(found["g0 overexpression"], found["g0 knockdown"])
    genes = json.loads((out / "perturbations.json").read_text())["genes"]
    rows = np.stack([found[g if g != "g0" else "g0 knockdown"] for g in genes])
    assert np.square(rows).sum(1).mean() == pytest.approx(1)
    stored = np.load(out / "gene_features.npy")[2:]
    assert np.allclose(rows * np.sqrt(np.square(stored).sum(1).mean()), stored, rtol=1e-5)


def test_rows_that_are_read_when_sliced_are_the_rows(tmp_path):
    store = open_store(prepared(tmp_path, screen()))
    rows = np.random.default_rng(0).permutation(len(store))[:70]
    view = store.csr.view(rows)
    assert view.shape == (70, len(store.genes))
    assert (view[10:30] != store.csr.matrix(rows[10:30])).nnz == 0
    codes = np.arange(70) % 3
    assert np.allclose(group_means(view, codes, 3), group_means(store.samples(rows), codes, 3))


def test_ridge_on_features_of_genes_stands_beside_that_on_indicators(tmp_path):
    store = open_store(prepared(tmp_path, split={"kind": "perturbation"}))
    question = question_of(store, held_out_perturbations(store))
    answers, held_out = question.answers(0), (question.conditions, question.contexts)
    features = features_of(store)
    assert np.array_equal(answers["ridge_features"], ridge(question.table, *held_out, features))
    # An unseen gene has no indicator, so that it gets the mean effect; its features say more.
    seen = {gene for names in question.table.conditions for gene in names}
    unseen = [i for i, names in enumerate(question.conditions) if not seen & set(names)]
    assert unseen and np.allclose(answers["ridge"][unseen], answers["perturbed_mean"][unseen])
    gap = np.abs(answers["ridge_features"] - answers["perturbed_mean"])[unseen]
    assert (gap.max(1) > 0.01).all()
