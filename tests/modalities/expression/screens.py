"""A small Perturb-seq screen, in every format that is read."""

import csv
import gzip
from pathlib import Path

import numpy as np
from scipy import io, sparse

from jepa_steps.config import parse
from jepa_steps.modalities.expression.dataset import ExpressionDataset
from jepa_steps.modalities.expression.prepare import prepare

CONTEXTS, BATCHES, GENES, EACH = ("K562", "RPE1", "HepG2"), ("b0", "b1"), 40, 4
LABELS = ["ctrl", "g0", "g1", "g2", "g3", "g4", "g5", "g6", "g0+g1", "g2+g3", "g4+g5", "g1+g6"]


def screen(seed: int = 0, labels=LABELS) -> dict:
    """Counts float32 (n, 40) of 3 contexts x 2 batches x labels x 4 cells, and their annotations."""
    rng = np.random.default_rng(seed)
    rows = [(c, b, p) for c in CONTEXTS for b in BATCHES for p in labels for _ in range(EACH)]
    rng.shuffle(rows)
    names = [f"g{i}" for i in range(GENES)]
    depth = rng.gamma(2, 1, GENES) * 3 + 1
    x = rng.poisson(depth, (len(rows), GENES)).astype(np.float32)
    for i, (_, _, label) in enumerate(rows):
        for part in label.split("+"):
            if part in names:
                x[i, int(part[1:])] *= rng.random() < 0.1
    return {
        "X": x,
        "genes": names,
        "barcodes": [f"cell{i}" for i in range(len(rows))],
        "cell_type": [r[0] for r in rows],
        "batch": [r[1] for r in rows],
        "perturbation": [r[2] for r in rows],
        "dose": ["+".join("1" for _ in r[2].split("+")) for r in rows],
        "perturbation_type": ["CRISPRi"] * len(rows),
    }


ANNOTATIONS = ("perturbation", "dose", "perturbation_type", "cell_type", "batch")


def write_npz(path: Path, s: dict, as_csr: bool = False) -> None:
    matrix = {"X": s["X"]}
    if as_csr:
        m = sparse.csr_matrix(s["X"])
        matrix = {"data": m.data, "indices": m.indices, "indptr": m.indptr, "shape": m.shape}
    rest = {k: np.array(v) for k, v in s.items() if k != "X"}
    np.savez(path, **matrix, **rest)


def write_csv(path: Path, s: dict) -> None:
    names = [a for a in ANNOTATIONS if a in s]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["cell", *names, *s["genes"]])
        for i, barcode in enumerate(s["barcodes"]):
            writer.writerow([barcode, *(s[n][i] for n in names), *s["X"][i]])


def write_mtx(folder: Path, s: dict, zipped: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    io.mmwrite(folder / "matrix.mtx", sparse.coo_matrix(s["X"].T), field="real")
    (folder / "barcodes.tsv").write_text("".join(f"{b}\n" for b in s["barcodes"]))
    (folder / "features.tsv").write_text(
        "".join(f"ENSG{i}\t{g}\tGene Expression\n" for i, g in enumerate(s["genes"]))
    )
    if zipped:
        for name in ("matrix.mtx", "barcodes.tsv", "features.tsv"):
            (folder / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
            (folder / name).unlink()
    with (folder / "cells.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["barcode", *ANNOTATIONS])
        order = np.random.default_rng(1).permutation(len(s["barcodes"]))
        for i in order:  # annotations are matched by name
            writer.writerow([s["barcodes"][i], *(s[n][i] for n in ANNOTATIONS)])


def adata(s: dict, kind=sparse.csr_matrix):
    import anndata
    import pandas as pd

    obs = pd.DataFrame({n: s[n] for n in ANNOTATIONS if n in s}, index=s["barcodes"])
    return anndata.AnnData(kind(s["X"]), obs=obs, var=pd.DataFrame(index=s["genes"]))


def settings(path: Path, source: str = "npz", **changes) -> ExpressionDataset:
    spec = {"source": source, "path": str(path), "min_cells": 5, "gene_feature_dim": 4, **changes}
    return parse(ExpressionDataset, spec, "test")


def prepared(folder: Path, s: dict | None = None, **changes) -> Path:
    """A store of the screen, prepared from an .npz."""
    folder.mkdir(parents=True, exist_ok=True)
    write_npz(folder / "screen.npz", s or screen())
    prepare(settings(folder / "screen.npz", **changes), folder / "out")
    return folder / "out"
