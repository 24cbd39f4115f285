import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from modalities.expression.screens import prepared, screen

from jepa_steps.errors import InputError
from jepa_steps.modalities.expression import store as module
from jepa_steps.modalities.expression.batches import Expression
from jepa_steps.modalities.expression.ragged import densify
from jepa_steps.modalities.expression.store import open_store

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """The same screen with and without a dense copy."""
    folder = tmp_path_factory.mktemp("stores")
    return [open_store(prepared(folder / str(m), screen(), dense_limit=m)) for m in (0, 1)]


def test_three_ways_to_read_a_batch_agree(stores):
    plain, dense = stores
    assert plain.dense is None and dense.dense.shape == (len(plain), len(plain.genes))
    rows = np.random.default_rng(0).integers(0, len(plain), 50)
    x = plain.samples(rows)
    assert x.dtype == np.float32 and x.shape == (50, 40) and x.any(1).all()
    assert np.array_equal(x, dense.samples(rows))
    values, indices, offsets = plain.csr.ragged(rows)
    assert np.array_equal(densify(values, indices, offsets, 40, CPU).numpy(), x)
    assert (np.diff(offsets) == (x > 0).sum(1)).all()
    assert all((np.diff(indices[a:b]) > 0).all() for a, b in pairwise(offsets))
    pieces = list(plain.blocks(rows))
    assert np.array_equal(np.concatenate([p for _, p in pieces]), x)


@pytest.mark.parametrize("rows", [[], [5], [5, 5]])
def test_small_batches(stores, rows):
    rows = np.array(rows, np.int64)
    for store in stores:
        assert store.samples(rows).shape == (len(rows), 40)
    assert densify(*stores[0].csr.ragged(rows), 40, CPU).shape == (len(rows), 40)


def test_a_store_of_more_values_than_int32_counts_reads_the_same(stores, monkeypatch):
    whole = stores[0].csr
    monkeypatch.setattr(module, "MOST_VALUES", int(whole.indptr[-1]) // 3)
    cut = module.Csr(whole.data, whole.indices, whole.indptr, whole.genes)
    for rows in (
        np.random.default_rng(0).integers(0, 288, 100),
        np.arange(288),
        np.array([287, 0, 287]),
    ):
        got, want = cut.ragged(rows), whole.ragged(rows)
        assert all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(got, want, strict=True))
    assert len(cut._views[0]) == 4
    assert all(np.shares_memory(view.indices, whole.indices) for view in cut._views[0])


def test_rows_without_values_and_repeated_lengths_densify():
    values, indices = np.array([1, 2, 3], np.float32), np.array([4, 0, 2], np.int32)
    x = densify(values, indices, np.array([0, 0, 1, 1, 3]), 5, CPU)
    want = torch.tensor([[0, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0], [2, 0, 3, 0, 0.0]])
    assert torch.equal(x, want)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU: nothing to move batches to")
def test_ragged_batches_become_dense_on_the_gpu(stores):
    rows = np.arange(64)
    x = densify(*stores[0].csr.ragged(rows), 40, torch.device("cuda"))
    assert np.array_equal(x.cpu().numpy(), stores[0].samples(rows))


def test_annotations_of_the_store_are_those_of_the_table(stores):
    store = stores[0]
    conditions = store.perturbations["conditions"]
    names = [conditions[c]["perturbation"] for c in store.condition]
    counts = store.manifest["counts"]
    for part in ("train", "val", "test"):
        rows = store.rows(part)
        assert len(rows) == counts[part]["cells"]
        assert sum(names[r] == "control" for r in rows) == counts[part]["controls"]
    assert store.contexts == ["HepG2", "K562", "RPE1"] and store.batches == ["b0", "b1"]
    assert np.bincount(store.context).tolist() == [96, 96, 96]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda f: (f / "data.npy").write_bytes(b""), "data.npy"),
        (lambda f: (f / "splits.csv").unlink(), "no such file"),
        (lambda f: (f / "splits.csv").write_text("index,split\n"), "columns"),
        (lambda f: np.save(f / "indptr.npy", np.zeros(5, np.int64)), "do not fit"),
        (lambda f: np.save(f / "indptr.npy", np.load(f / "indptr.npy")[1:]), "288 cells"),
        (lambda f: (f / "manifest.json").unlink(), "no such file"),
        (lambda f: (f / "splits.csv").write_text(
            (f / "splits.csv").read_text().replace("knockdown", "knockup")), "no condition"),
    ],
)  # fmt: skip
def test_a_damaged_store_is_one_line(damage, says, tmp_path):
    out = prepared(tmp_path)
    damage(out)
    with pytest.raises(InputError) as error:
        open_store(out)
    assert says in str(error.value) and "\n" not in str(error.value)


def test_the_same_source_gives_the_same_bytes(tmp_path):
    a, b = prepared(tmp_path / "a"), prepared(tmp_path / "b")
    for file in a.iterdir():
        if file.name != "manifest.json":
            assert file.read_bytes() == (b / file.name).read_bytes(), file.name
    hashes = [json.loads((x / "manifest.json").read_text())["sha256"] for x in (a, b)]
    assert hashes[0] == hashes[1]


def test_the_encoder_is_shown_the_same_cells_from_both_stores(stores):
    rows = np.random.default_rng(1).integers(0, len(stores[0]), 30)
    sparse, dense = (Expression(store, torch.device("cpu"))(rows) for store in stores)
    assert torch.equal(sparse, dense) and sparse.std() > 0
