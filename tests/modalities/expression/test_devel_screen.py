"""The real screen of PerturBench's tests, where it lies beside the checkout."""

import csv
import json

import numpy as np
import pytest
from support import ROOT

from jepa_steps.config import parse
from jepa_steps.modalities.expression.dataset import ExpressionDataset
from jepa_steps.modalities.expression.encoding import read_vocabulary
from jepa_steps.modalities.expression.prepare import prepare
from jepa_steps.modalities.expression.store import open_store

FILE = ROOT.parent / "shared" / "data" / "perturbseq_devel.h5ad"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="no ../shared/data/perturbseq_devel.h5ad")


@pytest.fixture(scope="module", autouse=True)
def reader():
    pytest.importorskip("anndata", reason="anndata is not installed: pip install '.[expression]'")


def prepared(out, kind, **split):
    spec = {"source": "h5ad", "path": str(FILE), "split": {"kind": kind, **split}}
    return prepare(parse(ExpressionDataset, spec, "devel"), out)


@pytest.mark.parametrize("kind", ["perturbation", "combination", "context"])
@pytest.mark.parametrize("seed", range(3))
def test_honest_splits_pass_the_audit(kind, seed, tmp_path):
    manifest = prepared(tmp_path / "out", kind, seed=seed)
    audit = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert audit["passed"] and not manifest["leaky"]
    counts = manifest["counts"]
    assert sum(c["cells"] for c in counts.values()) == 5961
    assert sum(c["controls"] for c in counts.values()) == 400
    perturbations = json.loads((tmp_path / "out" / "perturbations.json").read_text())["perturbations"]
    assert len(perturbations) == 33
    assert sum("+" in name for name in perturbations) == 15
    with (tmp_path / "out" / "splits.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {r["context"] for r in rows} == {"k562", "A172", "T98G", "U87MG"}
    assert sum(r["dose"] == "1+1" for r in rows) == 1480
    assert {r["type"] for r in rows if r["context"] == "A172"} == {"", "knockdown"}
    assert manifest["input"]["kind"] == "log" and manifest["genes"]["kept"] == 500
    assert all(c["any"] == c["context"] == 0 for c in manifest["pairing"].values())


def test_random_cells_fail_the_audit(tmp_path):
    manifest = prepared(tmp_path / "out", "cell", allow_leaky=True)
    audit = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert not audit["passed"] and manifest["leaky"]
    failed = [c for c in audit["checks"] if not c["passed"]]
    assert [(c["name"], c["found"]) for c in failed] == [("perturbations in two parts", 33)]


def test_every_training_condition_has_its_code_though_few_targets_are_measured(tmp_path):
    """With a vocabulary of measured genes, 34 conditions of this file have 2 codes."""
    prepared(tmp_path / "out", "combination")
    store = open_store(tmp_path / "out")
    vocabulary, code = read_vocabulary(store.perturbations)
    trained = np.unique(store.condition[store.rows("train")])
    assert len(np.unique(vocabulary.dense(code)[trained], axis=0)) == len(trained)
    # 33 perturbations, 9 of them with two types, and control; 4 combinations are held out
    assert len(code.dose) == 33 + 9 + 1 and len(trained) == len(code.dose) - 4
    columns = store.perturbations["columns"]
    assert [g for g, c in columns.items() if c is not None] == ["TMSB4X"]


def test_stored_rows_are_the_files(tmp_path):
    import anndata

    prepared(tmp_path / "out", "perturbation")
    store, original = open_store(tmp_path / "out"), anndata.read_h5ad(FILE)
    with (tmp_path / "out" / "splits.csv").open() as file:
        names = [row["source"] for row in csv.DictReader(file)]
    x = original[names].X.toarray()[:, [original.var_names.get_loc(g) for g in store.genes]]
    assert np.array_equal(store.samples(np.arange(len(store))), x.astype(np.float32))
