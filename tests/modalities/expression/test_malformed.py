"""Bad input: one line that names the place, what was found and what to do; nothing is written."""

import zipfile

import numpy as np
import pytest
from modalities.expression.screens import adata, screen, settings, write_csv, write_mtx, write_npz
from scipy import sparse

from jepa_steps.config import parse
from jepa_steps.errors import InputError
from jepa_steps.modalities.expression.dataset import ExpressionDataset
from jepa_steps.modalities.expression.prepare import prepare


def refused(tmp_path, path, source, **changes) -> str:
    out = tmp_path / "out"
    with pytest.raises(InputError) as error:
        prepare(settings(path, source, **changes), out)
    assert not out.exists() or not list(out.iterdir())
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
    line = str(error.value)
    assert "\n" not in line and len(line) < 400
    return line


def put(name, rows, value):
    """A change of one annotation."""

    def change(s):
        s[name] = list(s[name])
        for i in range(*rows):
            s[name][i] = value

    return change


def spoil(value, cells=1):
    def change(s):
        s["X"][:cells, 3] = value

    return change


def rename(old, new):
    def change(s):
        s[new] = s.pop(old)

    return change


def relabel(**to):
    def change(s):
        s["perturbation"] = [to.get(p, p) for p in s["perturbation"]]
        s["dose"] = ["1"] * len(s["dose"])

    return change


def only(labels):
    def change(s):
        kept = [i for i, p in enumerate(s["perturbation"]) if p in labels]
        s["X"] = s["X"][kept]
        for name in ("barcodes", "perturbation", "dose", "perturbation_type", "cell_type", "batch"):
            s[name] = [s[name][i] for i in kept]

    return change


def scale(factor):
    def change(s):
        s["X"] = (s["X"] * factor).astype(np.float32)

    return change


def logarithms(s):
    s["X"] = np.log1p(s["X"])


def shares(s):
    s["X"] = (10 * s["X"] / s["X"].sum(1, keepdims=True)).astype(np.float32)


def capped(s):
    s["X"] = s["X"].clip(max=15)


def twice(s):
    s["genes"] = ["g0", *s["genes"][:-1]]


def copy_cells(s):
    """Test cells equal to a training cell."""
    s["X"][:] = s["X"][np.arange(len(s["X"])) % 100]


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        (spoil(np.nan), {}, ["1 values", "not finite", "'cell0'"]),
        (spoil(np.inf, 5), {}, ["5 values", "not finite"]),
        (spoil(-1), {}, ["1 values", "negative", "layer"]),
        (spoil(0.5), {"input": "counts"}, ["1 values", "no integers", "input: log"]),
        (scale(10), {"input": "log"}, ["above 20", "input: counts"]),
        (scale(10.5), {}, ["input", "fractions", "input: normalised"]),
        (logarithms, {"input": "normalised"}, ["input normalised", "sums differ", "input: log"]),
        (shares, {}, ["input log", "all sum to 10", "input: normalised"]),
        (capped, {"input": "log"}, ["input log", "integers up to", "input: counts"]),
        (rename("perturbation", "p"), {}, ["keys.perturbation", "none of perturbation", "'p'"]),
        (None, {"keys": {"perturbation": "pertubation"}}, ["keys.perturbation", "did you mean 'perturbation'"]),
        (None, {"keys": {"batch": "bach"}}, ["keys.batch", "did you mean 'batch'"]),
        (None, {"keys": {"gene": "symbol"}}, ["keys.gene", "'symbol'"]),
        (relabel(ctrl="wildtype"), {}, ["found no control", "12 labels", "set control"]),
        (None, {"control": ["contrl"]}, ["control", "'perturbation' is contrl", "did you mean 'ctrl'"]),
        (only(["ctrl"]), {}, ["no perturbation with 5 cells is left"]),
        (put("perturbation", (0, 6), ""), {}, ["6 of 288 cells have no label", "unlabelled: drop"]),
        (put("perturbation_type", (0, 288), "laser"), {}, ["perturbation_type", "'laser'", "unknown_type"]),
        (put("dose", (0, 288), "much"), {}, ["dose", "264 perturbed cells", "'much'", "unknown_dose"]),
        (put("dose", (0, 288), "-1"), {}, ["dose", "'-1'", "positive"]),
        (put("dose", (0, 288), "1+1+1"), {}, ["dose", "'1+1+1'"]),
        (put("cell_type", (0, 9), "nan"), {}, ["cell_type", "9 of 288", "context", "keys.context: none"]),
        (put("batch", (4, 6), ""), {}, ["batch", "2 of 288", "keys.batch: none"]),
        (twice, {}, ["gene names", "'g0'", "duplicate_genes: drop"]),
        (None, {"min_cells": 25, "on_few_cells": "fail"}, ["11 perturbations", "min_cells 25", "24"]),
        (None, {"min_cells": 100}, ["no perturbation with 100 cells"]),
        (only(["ctrl", "g0", "g1"]), {}, ["split.kind perturbation", "2 perturbed genes", "at least 3"]),
        (None, {"split": {"kind": "combination", "test": 0.05}, "delimiter": "none", "keys": {"dose": "none"}},
         ["0 combinations"]),
        (put("cell_type", (0, 288), "K562"), {"split": {"kind": "context"}}, ["1 contexts"]),
        (None, {"split": {"kind": "batch"}}, ["2 batches", "at least 3"]),
        (None, {"split": {"kind": "context", "test_units": ["HepG1"]}}, ["test_units", "did you mean 'HepG2'"]),
        (None, {"split": {"kind": "context", "test_units": ["HepG2", "K562"], "val_units": ["RPE1"]}},
         ["3 contexts", "train"]),
        (rename("perturbation_type", "note"), {"knock_down": {}}, ["knock_down", "perturbation_type"]),
        (None, {"unknown_gene": "fail"}, ["never perturbed in training", "unknown_gene: unk"]),
        (copy_cells, {}, ["leak audit", "equal to a training cell", "on_copies: drop"]),
        (lambda s: s["X"].fill(0), {}, ["none of", "training cells", "min_genes"]),
        (None, {"gene_features": "file", "gene_features_path": "none.csv"}, ["gene_features_path", "none.csv"]),
    ],
)  # fmt: skip
def test_bad_screens(change, options, says, tmp_path):
    s = screen()
    if change:
        change(s)
    write_npz(tmp_path / "s.npz", s)
    line = refused(tmp_path, tmp_path / "s.npz", "npz", **options)
    assert all(text in line for text in says), line


def without_genes(path):
    np.savez(path, X=np.ones((3, 2)))


def csc(path):
    m = sparse.csc_matrix(np.eye(3))
    np.savez(path, data=m.data, indices=m.indices, indptr=m.indptr, shape=m.shape, format=b"csc")


def objects(path):
    np.savez(path, X=np.array([[{}]], object), genes=["a"])


def wrong_indices(path):
    s = screen()
    write_npz(path, s, as_csr=True)
    arrays = dict(np.load(path))
    arrays["indices"][7] = 4000
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda path: None, ["does not exist", ".npz"]),
        (lambda path: path.mkdir(), ["is a folder"]),
        (lambda path: path.write_bytes(b"PK nothing"), ["not a readable .npz"]),
        (without_genes, ["0 names in genes", "(3, 2)"]),
        (csc, ["found arrays", "CSR"]),
        (objects, ["X", "numbers"]),
        (wrong_indices, ["damaged matrix", "4000"]),
        (lambda path: np.savez(path, X=np.ones(3), genes=["a"]), ["(3,)"]),
        (lambda path: np.savez(path, X=np.ones((2, 1)), genes=["a"], barcodes=["c"]), ["1 barcodes"]),
    ],
)
def test_bad_npz(write, says, tmp_path):
    write(tmp_path / "s.npz")
    line = refused(tmp_path, tmp_path / "s.npz", "npz")
    assert all(text in line for text in says), line


def edit(name, old, new):
    def change(folder):
        file = folder / name
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))

    return change


def last_line(name):
    def change(folder):
        lines = (folder / name).read_text().splitlines(keepends=True)
        (folder / name).write_text("".join(lines[:-1]))

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: (f / "barcodes.tsv").unlink(), ["none of barcodes.tsv"]),
        (lambda f: (f / "cells.csv").unlink(), ["none of cells.csv"]),
        (edit("matrix.mtx", "%%MatrixMarket", "MatrixMarket"), ["matrix.mtx", "line 1"]),
        (edit("matrix.mtx", "40 288 ", "41 288 "), ["41 genes", "40 of features"]),
        (last_line("matrix.mtx"), ["cut off"]),
        (edit("matrix.mtx", "\n40 288 ", "\n%\n40 288 x"), ["genes cells values"]),
        (lambda f: (f / "matrix.mtx").rename(f / "matrix.mtx.gz"), ["matrix.mtx.gz", "cannot be read"]),
        (edit("matrix.mtx", "\n40 288 ", "\n0 0 0\n40 288 "), ["0 genes x 0 cells"]),
        (last_line("cells.csv"), ["1 of 288 cells", "each cell once"]),
        (lambda f: (f / "barcodes.tsv.gz").write_bytes((f / "barcodes.tsv").read_bytes()) and
         (f / "barcodes.tsv").unlink(), ["barcodes.tsv.gz", "cannot be read"]),
    ],
)  # fmt: skip
def test_bad_10x_folders(change, says, tmp_path):
    write_mtx(tmp_path / "tenx", screen())
    change(tmp_path / "tenx")
    line = refused(tmp_path, tmp_path / "tenx", "mtx")
    assert all(text in line for text in says), line


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: "", ["empty"]),
        (lambda text: text.replace("cell5,", "cell5,1,"), ["fields", "expected"]),
        (lambda text: text.replace(",g7,", ",note,", 1).replace("cell0,", "cell0,", 1), None),
        (lambda text: text.replace("\r\ncell9,", "\r\nx,x\r\ncell9,"), ["line", "2 fields"]),
        (lambda text: text.replace("1.0\r\n", "high\r\n", 1), ["'g39'", "'high'", "keys"]),
    ],
)
def test_bad_csv(change, says, tmp_path):
    path = tmp_path / "s.csv"
    write_csv(path, screen())
    text = change(path.read_bytes().decode())
    path.write_bytes(text.encode())
    if says is None:  # a gene of another name is no fault
        prepare(settings(path, "csv"), tmp_path / "out")
        return
    line = refused(tmp_path, path, "csv")
    assert all(part in line for part in says), line


def cut(path):
    path.write_bytes(path.read_bytes()[:5000])


def h5(change):
    def apply(path):
        import h5py

        with h5py.File(path, "a") as file:
            change(file)

    return apply


def shorten(name):
    def change(file):
        values = file[name][:-1]
        attributes = dict(file[name].attrs)
        del file[name]
        file[name] = values
        file[name].attrs.update(attributes)

    return change


def set_value(name, place, value):
    def change(file):
        file[name][place] = value

    return change


def drop(name):
    def change(file):
        del file[name]

    return change


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        (lambda path: path.write_bytes(b"no hdf5"), {}, ["not a readable .h5ad"]),
        (cut, {}, ["not a readable .h5ad"]),
        (None, {"layer": "count"}, ["layer", "did you mean 'counts'"]),
        (None, {"layer": "raw"}, ["layer", "'raw'", "X"]),
        (h5(drop("X")), {}, ["layer", "'X'"]),
        (h5(drop("obs")), {}, ["no obs"]),
        (h5(shorten("X/indptr")), {}, ["damaged matrix", "indptr"]),
        (h5(shorten("X/indices")), {}, ["damaged matrix"]),
        (h5(set_value("X/indices", 5, 4000)), {}, ["damaged matrix", "4000"]),
        (h5(shorten("var/_index")), {}, ["288 x 40", "39 genes"]),
    ],
)
def test_bad_h5ad(change, options, says, tmp_path):
    pytest.importorskip("anndata")
    a = adata(screen())
    a.layers["counts"] = a.X.copy()
    a.write_h5ad(tmp_path / "a.h5ad")
    if change:
        change(tmp_path / "a.h5ad")
    line = refused(tmp_path, tmp_path / "a.h5ad", "h5ad", **options)
    assert all(text in line for text in says), line


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"keys": {"perturbaton": "x"}}, "did you mean 'perturbation'?"),
        ({"source": "h5"}, "h5ad"),
        ({"split": {"kind": "cell"}}, "allow_leaky: true"),
        ({"split": {"val": 0.5, "test": 0.5}}, "sum below 0.9"),
        ({"split": {"val_units": ["a"], "test_units": ["a"]}}, "'a' in both"),
        ({"split": {"unseen_genes": 0.2}}, "expected 0 with kind perturbation"),
        ({"layer": "raw"}, "expected X with source npz"),
        ({"gene_features": "file"}, "gene_features_path"),
        ({"source": "h5ad", "cells": "x.csv"}, "which has its own"),
        ({"target_sum": 0.0}, "greater than 0"),
        ({"min_cells": 0}, "found 0"),
        ({"n_varable_genes": 5}, "did you mean 'n_variable_genes'?"),
    ],
)
def test_bad_settings(spec, says):
    with pytest.raises(InputError) as error:
        parse(ExpressionDataset, {"source": "npz", "path": "x", **spec}, "expression.screen")
    line = str(error.value)
    assert says in line and "\n" not in line and line.startswith("expression.screen: ")


def test_a_missing_reader_names_the_extra(tmp_path, monkeypatch):
    import sys

    (tmp_path / "a.h5ad").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "anndata", None)
    assert "jepa-steps[expression]" in refused(tmp_path, tmp_path / "a.h5ad", "h5ad")


def test_a_torn_archive_leaves_no_store(tmp_path):
    path = tmp_path / "s.npz"
    write_npz(path, screen())
    with zipfile.ZipFile(path) as archive:
        where = archive.getinfo("X.npy").header_offset + 2000
    content = bytearray(path.read_bytes())
    content[where : where + 40] = b"\xff" * 40
    path.write_bytes(content)
    assert "damaged matrix" in refused(tmp_path, path, "npz")
