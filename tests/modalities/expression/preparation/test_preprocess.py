import csv
import json

import numpy as np
import pytest
from modalities.expression.screens import GENES, prepared, screen, settings, write_npz

from jepa_steps.modalities.expression.prepare import prepare
from jepa_steps.modalities.expression.store import open_store


def wide(seed=0, genes=400):
    """The screen beside genes of many means and dispersions, some silent, some constant."""
    s = screen(seed)
    rng = np.random.default_rng(seed + 1)
    rate = rng.lognormal(-1, 2, genes)
    extra = rng.poisson(rate * rng.gamma(1 / rng.uniform(0.05, 2, genes), 1, (len(s["X"]), genes)) * 0.5)
    extra[:, :3] = 0
    s["X"] = np.hstack([s["X"], extra]).astype(np.float32)
    s["genes"] = [*s["genes"], *(f"x{i}" for i in range(genes))]
    return s


def genes_table(out):
    with (out / "genes.csv").open() as file:
        return list(csv.DictReader(file))


def source_rows(out):
    """Row of the source of each cell of the store."""
    with (out / "splits.csv").open() as file:
        return np.array([int(row["source"].removeprefix("cell")) for row in csv.DictReader(file)])


@pytest.mark.parametrize("kind", ["counts", "log"])
def test_values_and_variable_genes_are_scanpys_of_the_training_cells(kind, tmp_path):
    scanpy = pytest.importorskip("scanpy", reason="scanpy is the rival here; pip install scanpy")
    import anndata

    s = wide()
    reference = anndata.AnnData(s["X"].copy())
    scanpy.pp.normalize_total(reference, target_sum=1e4)
    scanpy.pp.log1p(reference)
    if kind == "log":
        s["X"] = np.asarray(reference.X)
    out = prepared(tmp_path, s, n_variable_genes=100, min_cells=1)
    store, rows = open_store(out), source_rows(out)
    columns = np.array([int(r["source_column"]) for r in genes_table(out)])
    assert np.allclose(store.samples(np.arange(len(store))), reference.X[rows][:, columns], rtol=1e-5)
    train = reference[np.sort(rows[store.rows("train")])].copy()
    table = scanpy.pp.highly_variable_genes(train, flavor="seurat", n_top_genes=100, inplace=False)
    variable = {int(r["source_column"]) for r in genes_table(out) if r["variable"] == "1"}
    assert variable == set(np.flatnonzero(table["highly_variable"]))
    ours = [float(r["dispersion"]) for r in genes_table(out) if r["variable"] == "1"]
    theirs = table["dispersions_norm"].to_numpy()[sorted(variable)]
    assert np.allclose(ours, theirs, rtol=1e-3)
    assert {r["gene"] for r in genes_table(out) if r["perturbed"] == "1"} == {f"g{i}" for i in range(7)}


def test_target_sum_null_is_the_median_of_training_totals(tmp_path):
    s = wide()
    out = prepared(tmp_path, s, target_sum=None)
    rows, store = source_rows(out), open_store(out)
    total = np.median(s["X"][rows[store.rows("train")]].sum(1, dtype=np.float64))
    expected = {"kind": "counts", "target_sum": pytest.approx(total)}
    assert store.manifest["input"] == expected | {"counts": {"kind": "given", "inexact_cells": 0}}
    sums = np.expm1(store.samples(np.arange(len(store)))).sum(1)
    assert np.allclose(sums, total, rtol=1e-4)  # all genes are kept here


def test_input_is_detected_and_fractions_are_taken_when_told_so(tmp_path):
    s = screen()
    counts = open_store(prepared(tmp_path / "a", s)).manifest["input"]["kind"]
    logs = open_store(prepared(tmp_path / "b", {**s, "X": np.log1p(s["X"])}))
    assert (counts, logs.manifest["input"]["kind"]) == ("counts", "log")
    rows = source_rows(tmp_path / "b" / "out")
    assert np.allclose(logs.samples(np.arange(9)), np.log1p(s["X"][rows[:9]]))
    plain = open_store(prepared(tmp_path / "c", {**s, "X": s["X"] * 10.5}, input="normalised"))
    rows = source_rows(tmp_path / "c" / "out")
    assert np.allclose(plain.samples(np.arange(9)), np.log1p(s["X"][rows[:9]] * 10.5), rtol=1e-6)


def test_statistics_in_the_gene_table_are_of_the_training_rows(tmp_path):
    out = prepared(tmp_path, wide())
    store, table = open_store(out), genes_table(out)
    x = store.samples(store.rows("train")).astype(np.float64)
    assert np.allclose([float(r["mean"]) for r in table], x.mean(0))
    assert np.allclose([float(r["std"]) for r in table], x.std(0), atol=1e-7)


def test_duplicate_genes_keep_their_first_column(tmp_path):
    s = screen()
    s["genes"][GENES - 1] = "g0"
    out = prepared(tmp_path, s, duplicate_genes="drop")
    store, rows = open_store(out), source_rows(out)
    assert store.genes == [f"g{i}" for i in range(GENES - 1)]
    kept = s["X"][rows, :-1]
    want = np.log1p(kept / kept.sum(1, keepdims=True) * 1e4)
    assert np.allclose(store.samples(np.arange(len(store))), want, rtol=1e-5)


def test_knock_down_filter_leaves_out_escaped_cells_and_dead_guides(tmp_path):
    s = screen(labels=["ctrl", "g0", "g1", "g2", "g3", "g4"])
    label = np.array(s["perturbation"])
    s["X"][:] = 50
    for i in range(4):  # g4 is never knocked down
        mine = np.flatnonzero(label == f"g{i}")
        s["X"][mine, i] = 0
        s["X"][mine[:4], i] = 40  # four cells escaped
    options = {"min_cells": 10, "input": "counts"}
    spec = {"knock_down": {"min_cells": 10}, "on_copies": "drop", "split": {"seed": 3}}
    s["X"] += np.random.default_rng(0).integers(0, 3, s["X"].shape)  # no two cells alike
    write_npz(tmp_path / "s.npz", s)
    spec["split"] |= {"val_units": ["g2"], "test_units": ["g3"]}
    manifest = prepare(settings(tmp_path / "s.npz", **options, **spec), tmp_path / "out")
    perturbations = json.loads((tmp_path / "out" / "perturbations.json").read_text())["perturbations"]
    assert {p: sum(v["cells"].values()) for p, v in perturbations.items()} == dict.fromkeys(
        ("g0", "g1", "g2", "g3"), 20
    )
    assert manifest["detected"]["dropped_cells"]["knock_down"] == 4 * 4 + 24
    spec["knock_down"] = {"min_cells": 21}
    write_npz(tmp_path / "s.npz", s)
    from jepa_steps.errors import InputError

    with pytest.raises(InputError, match="in each part"):
        prepare(settings(tmp_path / "s.npz", **options, **spec), tmp_path / "none")


def test_copies_of_training_cells_are_left_out_of_val_and_test(tmp_path):
    s = screen()
    plain = open_store(prepared(tmp_path / "a", s))
    rows = source_rows(tmp_path / "a" / "out")
    test, train = rows[plain.rows("test")][:5], rows[plain.rows("train")][:5]
    s["X"][test] = s["X"][train]
    store = open_store(prepared(tmp_path / "b", s, on_copies="drop"))
    assert store.manifest["detected"]["dropped_cells"]["copies"] == 5
    assert len(store.rows("test")) == len(plain.rows("test")) - 5
    assert len(store.rows("train")) == len(plain.rows("train"))
