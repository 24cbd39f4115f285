"""From a Perturb-seq file to the prepared store: all of it, or nothing."""

import hashlib
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from ...cli import staged, write_json
from ...config import resolved
from ...config.expression import ExpressionDataset
from ...errors import InputError
from .. import counter
from ..splits import SPLITS
from ..store import sha256
from .audit import Audited, audit
from .encoding import Vocabulary, vocabulary_of
from .labels import Cells, label_cells
from .pairing import control_pools
from .preprocess import Transform, copies, fit_transform, knocked_down
from .read import open_source
from .source import ExpressionSource
from .splits import assign, groups
from .store import CsrWriter, write_dense
from .survey import Survey, numbered, survey
from .tables import perturbation_table, write_cells, write_features, write_genes

_SAMPLE = 4_096  # training cells behind the components of gene features


@dataclass
class _Plan:
    """What is kept, and how: split int64 (n,) with -1 for cells left out, for reasons in dropped."""

    split: np.ndarray
    dropped: dict[str, int]
    vocabulary: Vocabulary
    copies: int


def prepare_expression(dataset: ExpressionDataset, out: Path) -> dict[str, Any]:
    """Read, label, split, normalise, store and audit; returns the manifest.

    Writes data.npy, indices.npy, indptr.npy and perhaps dense.npy (see ``store``), splits.csv,
    genes.csv, gene_features.npy, perturbations.json, audit.json and manifest.json.

    Raises:
        InputError: a source that cannot be used, or an audit that fails; nothing is left behind then.
    """
    with staged(out) as folder:
        scratch = folder / "scratch"
        source = open_source(dataset, scratch)
        cells = label_cells(source, dataset)
        split = assign(cells, dataset.split)
        used = _first_of_each(cells.genes)
        measured = survey(source, cells, split, used, dataset)
        transform = fit_transform(measured, cells, used, dataset)
        plan = _filter(measured, cells, split, dataset)
        sums, sample = _write_matrix(
            source, measured, plan.split, transform, folder, scratch, dataset.split.seed
        )
        shutil.rmtree(scratch)
        if len(transform.columns) * int((plan.split >= 0).sum()) * 4 <= dataset.dense_limit << 20:
            write_dense(folder, len(transform.columns))
        manifest = _write_tables(folder, dataset, source, cells, measured, transform, plan, sums, sample)
        manifest["sha256"] = {file.name: sha256(file) for file in sorted(folder.iterdir())}
        write_json(folder / "manifest.json", manifest)
    return manifest


def _first_of_each(names: list[str]) -> np.ndarray:
    used = np.zeros(len(names), bool)
    used[list({name: i for i, name in reversed(list(enumerate(names)))}.values())] = True
    return used


def _filter(measured: Survey, cells: Cells, split: np.ndarray, dataset: ExpressionDataset) -> _Plan:
    """Leave out cells by their expression, each part judged apart from the others."""
    dropped = {}

    def leave_out(reason: str, out: np.ndarray) -> None:
        dropped[reason] = int((out & (split >= 0)).sum())
        split[out] = -1

    split = split.copy()
    leave_out("min_genes", measured.expressed < dataset.min_genes)
    leave_out("knock_down", ~knocked_down(measured, cells, split, dataset))
    equal = copies(measured, split)
    if dataset.on_copies == "drop":
        leave_out("copies", equal)
    conditions = {part: [cells.conditions[c] for c in np.unique(cells.condition[split == part])]
                  for part in range(len(SPLITS))}  # fmt: skip
    vocabulary = vocabulary_of(conditions[0], conditions[1] + conditions[2])
    new = np.array([any(p.gene in vocabulary.held_out for p in parts) for parts in cells.conditions])
    foreign = (split > 0) & new[cells.condition]
    if foreign.any() and dataset.unknown_gene == "fail":
        raise InputError(
            f"{dataset.path}: {int(foreign.sum())} cells of val and test have a gene never perturbed in "
            f"training, e.g. {vocabulary.held_out[0]!r}; set unknown_gene: unk (it has features) or drop"
        )
    if dataset.unknown_gene == "drop":
        leave_out("unknown_gene", foreign)
        vocabulary = vocabulary_of(conditions[0], [])
    return _Plan(split, dropped, vocabulary, int((equal & (split > 0)).sum()))


def _write_matrix(
    source: ExpressionSource,
    measured: Survey,
    split: np.ndarray,
    transform: Transform,
    folder: Path,
    scratch: Path,
    seed: int,
) -> tuple[np.ndarray, sparse.csr_matrix]:
    """The second pass; returns sums and sums of squares of training cells, float64 (2, g), and a sample
    of them as stored."""
    writer = CsrWriter(folder, scratch)
    sums, sample = np.zeros((2, len(transform.columns))), []
    train = np.flatnonzero(split == 0)
    if len(train) > _SAMPLE:
        train = counter.generator(seed, "gene features").choice(train, _SAMPLE, replace=False)
    sampled = np.isin(np.arange(len(split)), train)
    for a, x in numbered(source):
        rows = slice(a, a + x.shape[0])
        for part in range(len(SPLITS)):
            mine = split[rows] == part
            if not mine.any():
                continue
            y = transform(x[mine], measured.totals[rows][mine])
            writer.append(part, y)
            if part == 0:
                values = y.data.astype(np.float64)
                sample.append(y[sampled[rows][mine]])
                sums += [np.bincount(y.indices, v, y.shape[1]) for v in (values, values**2)]
    writer.finish()
    return sums, sparse.vstack(sample, format="csr")


def _write_tables(
    folder: Path,
    dataset: ExpressionDataset,
    source: ExpressionSource,
    cells: Cells,
    measured: Survey,
    transform: Transform,
    plan: _Plan,
    sums: np.ndarray,
    sample: sparse.csr_matrix,
) -> dict[str, Any]:
    """Everything beside the matrix; returns the manifest without hashes."""
    order = np.argsort(np.where(plan.split < 0, len(SPLITS), plan.split), kind="stable")
    rows = order[: int((plan.split >= 0).sum())]
    split, kind = plan.split[rows], dataset.split.kind
    group = groups(cells, rows, split, kind)
    pools = control_pools(split, cells.control[rows], cells.context[rows], cells.batch[rows])
    fitted = np.flatnonzero(measured.fitted)
    checks = audit(Audited(rows, split, np.unique(group, return_inverse=True)[1], kind, cells, fitted,
                           plan.copies, plan.vocabulary, pools, dataset.split.seed))  # fmt: skip
    _judge(checks, dataset)
    write_json(folder / "audit.json", {"passed": all(c["passed"] for c in checks), "checks": checks})
    write_genes(folder / "genes.csv", cells, transform, sums, int((split == 0).sum()))
    write_cells(folder / "splits.csv", source, cells, rows, split, group)
    described = write_features(folder, plan.vocabulary, cells, transform, sample, dataset)
    perturbations = perturbation_table(cells, plan.split, plan.vocabulary, transform)
    write_json(folder / "perturbations.json", perturbations)
    perturbed = cells.condition[rows] > 0
    log = {**cells.log, "dropped_cells": {**cells.log["dropped_cells"], **plan.dropped}}
    return {
        "settings": resolved(dataset),
        "leaky": not all(c["passed"] for c in checks),
        "detected": log,
        "input": {"kind": measured.input, "target_sum": transform.total
                  if measured.input == "counts" else None},
        "genes": {"measured": len(cells.genes), "kept": len(transform.columns),
                  "variable": int(transform.variable.sum()),
                  "perturbed": int(transform.perturbed.sum())},
        "statistics": {"fitted_on": "train", "cells": len(fitted),
                       "cells_sha256": hashlib.sha256(fitted.astype("<i8").tobytes()).hexdigest()},
        "counts": {name: _counts(cells, rows[split == part]) for part, name in enumerate(SPLITS)},
        "subgroups": _subgroup_counts(perturbations["perturbations"]),
        "gene_features": {"kind": dataset.gene_features, "genes": len(perturbations["columns"]),
                          "described": described},
        "pairing": {name: pools.counts(np.flatnonzero((split == part) & perturbed))
                    for part, name in enumerate(SPLITS)},
    }  # fmt: skip


def _judge(checks: list[dict[str, Any]], dataset: ExpressionDataset) -> None:
    failed = [check for check in checks if not check["passed"]]
    if failed and not (dataset.split.kind == "cell" and dataset.split.allow_leaky):
        first = failed[0]
        fix = ("set on_copies: drop" if "equal to a training cell" in first["name"]
               else "change split, min_cells or the filters")  # fmt: skip
        raise InputError(
            f"{dataset.path}: leak audit: {first['name']}: found {first['found']}, expected "
            f"{first['expected']}{f' (and {len(failed) - 1} more)' if len(failed) > 1 else ''}; {fix}"
        )


def _counts(cells: Cells, rows: np.ndarray) -> dict[str, Any]:
    condition = cells.condition[rows]
    names = cells.names()
    return {
        "cells": len(rows),
        "controls": int((condition == 0).sum()),
        "perturbations": len({names[c] for c in np.unique(condition) if c > 0}),
        "contexts": sorted(cells.contexts[c] for c in np.unique(cells.context[rows])),
        "batches": len(np.unique(cells.batch[rows])),
    }


def _subgroup_counts(perturbations: dict[str, dict[str, Any]]) -> dict[str, dict[str, int]]:
    return {
        name: dict(sorted(Counter(p["subgroup"] for p in perturbations.values()
                                  if p["cells"][name]).items()))
        for name in SPLITS
    }  # fmt: skip
