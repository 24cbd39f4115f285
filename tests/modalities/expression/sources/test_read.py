import numpy as np
import pytest
from modalities.expression.screens import (
    ANNOTATIONS,
    adata,
    screen,
    settings,
    write_csv,
    write_mtx,
    write_npz,
)
from scipy import sparse

from jepa_steps.modalities.expression.prepare import prepare
from jepa_steps.modalities.expression.sources import h5ad, npz, source, text
from jepa_steps.modalities.expression.sources.read import open_source


@pytest.fixture(params=[2_000_000, 500], ids=["one block", "many blocks"], autouse=True)
def block_size(request, monkeypatch):
    for module in (source, h5ad, npz, text):
        monkeypatch.setattr(module, "BLOCK", request.param)
    return request.param


def dense(opened):
    return np.concatenate([x.toarray() for x in opened.blocks()])


def same(opened, s, block_size):
    assert opened.cells == len(s["barcodes"]) and s["genes"] in opened.genes.values()
    assert opened.names(3, 9) == s["barcodes"][3:9]
    for name in ANNOTATIONS:
        column = opened.column(name)
        assert [column.values[c] for c in column.codes] == s[name]
    for _ in range(2):  # blocks start again
        pieces = list(opened.blocks())
        assert len(pieces) == 1 or block_size < 2_000_000
        assert all(
            p.dtype == np.float32 and p.has_sorted_indices and (p.data != 0).all() for p in pieces
        )
        assert all(p.nnz <= max(block_size, s["X"].shape[1]) for p in pieces)
        assert np.array_equal(np.concatenate([p.toarray() for p in pieces]), s["X"])


def test_npz_csv_and_10x_folders_hold_the_same_screen(tmp_path, block_size):
    s = screen()
    write_npz(tmp_path / "dense.npz", s)
    write_npz(tmp_path / "csr.npz", s, as_csr=True)
    write_csv(tmp_path / "screen.csv", s)
    write_mtx(tmp_path / "tenx", s)
    write_mtx(tmp_path / "zipped", s, zipped=True)
    for name, kind in (("dense.npz", "npz"), ("csr.npz", "npz"), ("screen.csv", "csv"),
                       ("tenx", "mtx"), ("zipped", "mtx")):  # fmt: skip
        scratch = tmp_path / f"scratch {name}"
        same(open_source(settings(tmp_path / name, kind), scratch), s, block_size)


@pytest.mark.parametrize("kind", ["csr", "csc", "dense", "chunked"])
@pytest.mark.parametrize("layer", ["X", "raw", "counts"])
def test_h5ad_of_every_layout_and_layer(kind, layer, tmp_path, block_size):
    pytest.importorskip("anndata")
    s = screen()
    make = {"csr": sparse.csr_matrix, "csc": sparse.csc_matrix}.get(kind, np.asarray)
    a = adata(s, make)
    if layer == "raw":
        a.raw = a.copy()
    if layer == "counts":
        a.layers["counts"] = a.X.copy()
    if layer != "X":
        a.X = a.X * 0.5
    a.write_h5ad(tmp_path / "a.h5ad", compression="gzip" if kind == "chunked" else None)
    opened = open_source(settings(tmp_path / "a.h5ad", "h5ad", layer=layer), tmp_path / "scratch")
    same(opened, s, block_size)


@pytest.mark.parametrize("age", ["0.7", "0.6"])
def test_h5ad_of_old_encodings(age, tmp_path, block_size):
    pytest.importorskip("anndata")
    import h5py

    s = screen()
    m = sparse.csr_matrix(s["X"])
    with h5py.File(tmp_path / "old.h5ad", "w") as file:
        x = file.create_group("X")
        if age == "0.7":
            x.attrs.update(
                {"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": m.shape}
            )
        else:
            x.attrs.update({"h5sparse_format": "csr", "h5sparse_shape": m.shape})
        for name in ("data", "indices", "indptr"):
            x[name] = getattr(m, name)
        codes = {n: np.unique(s[n], return_inverse=True) for n in ANNOTATIONS}
        if age == "0.7":
            obs = file.create_group("obs")
            obs.attrs.update({"encoding-type": "dataframe", "encoding-version": "0.1.0", "_index": "_index",
                              "column-order": list(ANNOTATIONS)})  # fmt: skip
            obs.create_dataset("_index", data=s["barcodes"], dtype=h5py.string_dtype())
            for n, (values, inverse) in codes.items():
                obs[n] = inverse.astype("i1")
                obs.create_dataset(f"__categories/{n}", data=values.tolist(), dtype=h5py.string_dtype())
                obs[n].attrs["categories"] = obs[f"__categories/{n}"].ref
            var = file.create_group("var")
            var.attrs["_index"] = "index"
            var.create_dataset("index", data=s["genes"], dtype=h5py.string_dtype())
        else:
            table = np.empty(len(s["X"]), [("index", "S12"), *((n, "i1") for n in ANNOTATIONS)])
            table["index"] = s["barcodes"]
            for n, (values, inverse) in codes.items():
                table[n] = inverse
                file.create_dataset(f"uns/{n}_categories", data=np.array(values, "S20"))
            file["obs"] = table
            file["var"] = np.array([(g,) for g in s["genes"]], [("index", "S12")])
    opened = open_source(settings(tmp_path / "old.h5ad", "h5ad"), tmp_path / "scratch")
    same(opened, s, block_size)


def test_annotations_agree_with_anndata(tmp_path):
    anndata = pytest.importorskip("anndata")
    import pandas as pd

    s = screen()
    a = adata(s)
    n = len(s["X"])
    a.obs["text"] = [f" a {i % 3}" if i % 5 else None for i in range(n)]
    a.obs["number"] = np.where(np.arange(n) % 7, np.arange(n) % 4, np.nan)
    a.obs["nullable"] = pd.array([i % 2 == 0 if i % 3 else None for i in range(n)], dtype="boolean")
    a.obs["category"] = pd.Categorical([("x", "y ", "y")[i % 3] if i % 4 else None for i in range(n)])
    a.write_h5ad(tmp_path / "a.h5ad")
    read = anndata.read_h5ad(tmp_path / "a.h5ad").obs
    opened = open_source(settings(tmp_path / "a.h5ad", "h5ad"), tmp_path)
    for name in ("text", "number", "nullable", "category"):
        column = opened.column(name)
        found = [column.values[c] if c >= 0 else None for c in column.codes]
        want = [None if pd.isna(v) else str(v).strip() for v in read[name]]
        assert found == want
        assert len(set(column.values)) == len(column.values)


def test_columns_become_rows_through_bounded_files(tmp_path, monkeypatch):
    pytest.importorskip("anndata")
    s = screen()
    adata(s, sparse.csc_matrix).write_h5ad(tmp_path / "a.h5ad")
    for module in (source, h5ad):
        monkeypatch.setattr(module, "BLOCK", 300)
    opened = open_source(settings(tmp_path / "a.h5ad", "h5ad"), tmp_path / "scratch")
    assert np.array_equal(dense(opened), s["X"])
    sizes = [f.stat().st_size // 12 for f in (tmp_path / "scratch" / "transpose").iterdir()]
    assert sum(sizes) == np.count_nonzero(s["X"]) and max(sizes) <= 300


def test_every_format_becomes_the_same_store(tmp_path):
    pytest.importorskip("anndata")
    s = screen()
    write_npz(tmp_path / "a.npz", s)
    write_npz(tmp_path / "bare.npz", {k: s[k] for k in ("X", "genes", "barcodes")})
    write_csv(tmp_path / "a.csv", s)
    write_mtx(tmp_path / "mtx", s)
    adata(s, sparse.csc_matrix).write_h5ad(tmp_path / "a.h5ad")
    cells = str(tmp_path / "mtx" / "cells.csv")
    kinds = {"a.npz": {}, "bare.npz": {"cells": cells}, "a.csv": {}, "mtx": {}, "a.h5ad": {}}
    for i, (name, options) in enumerate(kinds.items()):
        source = name.rpartition(".")[2]
        prepare(settings(tmp_path / name, source, **options), tmp_path / f"out{i}")
        for file in (tmp_path / "out0").iterdir():
            if file.name != "manifest.json":
                assert file.read_bytes() == (tmp_path / f"out{i}" / file.name).read_bytes(), (name, file)


def test_names_in_the_newest_encoding_of_text(tmp_path):
    anndata = pytest.importorskip("anndata")
    import pandas as pd

    s = screen()
    a = adata(s)
    a.obs_names = pd.Index(pd.array(s["barcodes"], dtype="string"))
    a.obs["perturbation"] = pd.array(s["perturbation"], dtype="string")
    with anndata.settings.override(allow_write_nullable_strings=True):
        a.write_h5ad(tmp_path / "a.h5ad")
    opened = open_source(settings(tmp_path / "a.h5ad", "h5ad"), tmp_path)
    assert opened.names(0, 5) == s["barcodes"][:5]
    column = opened.column("perturbation")
    assert [column.values[c] for c in column.codes] == s["perturbation"]
