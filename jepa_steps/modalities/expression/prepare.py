"""From a Perturb-seq file to the prepared store: all of it, or nothing."""

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from ...config import resolved
from ...data.splits import SPLITS
from ...errors import InputError
from ...files import read_json, sha256, staged, write_json
from .dataset import ExpressionDataset
from .encoding import Vocabulary, vocabulary_of
from .pairing import control_pools
from .preparation.audit import Audited, audit
from .preparation.labels import Cells, label_cells
from .preparation.manifest import counts, findings, spoken, subgroup_counts
from .preparation.metadata import (
    class_names,
    perturbation_table,
    write_cells,
    write_features,
    write_genes,
)
from .preparation.preprocess import copies, fit_transform, knocked_down
from .preparation.screen import Screen
from .preparation.splits import assign, groups
from .preparation.stems import one_target_in_two_parts, one_target_twice, remedy
from .preparation.survey import Survey, survey
from .preparation.targets import described, read_targets
from .preparation.writing import write_count_values, write_dense, write_matrix
from .sources.read import open_source
from .sources.source import ExpressionSource

# What the columns of splits.csv are to the steps that judge embeddings; see ``data.splits.Splits``.
COLUMNS = {
    "covariates": ["context", "batch"],
    "nuisance": "batch",
    "log_targets": ["dose"],
    "names": "perturbation",
    "labels_held_out": True,
}


def prepare(dataset: ExpressionDataset, out: Path, workers: int = 1) -> dict[str, Any]:
    """Read, label, split, normalise, store and audit; returns the manifest.

    Writes the same files whatever the settings: data.npy, indices.npy, indptr.npy, dense.npy and
    count_values.npy (see ``store``), splits.csv, genes.csv, gene_features.npy, perturbations.json,
    audit.json, manifest.json.

    Args:
        workers: without effect; a screen is read by one process.

    Raises:
        InputError: a source that cannot be used, or an audit that fails; nothing is left behind then.
    """
    with staged(out) as folder, closing(open_source(dataset, folder / "scratch")) as source:
        screen = _measure(dataset, source)
        sums, sample, values = write_matrix(screen, folder, folder / "scratch")
        shutil.rmtree(folder / "scratch")
        write_dense(folder, len(screen.transform.columns), dataset.dense_limit)
        trained = int((screen.split == 0).sum())
        write_genes(folder / "genes.csv", screen.cells, screen.transform, sums, trained)
        manifest = _write_tables(screen, sample, folder)
        manifest["input"]["counts"] = write_count_values(screen, values, folder)
        manifest["sha256"] = {file.name: sha256(file) for file in sorted(folder.iterdir())}
        write_json(folder / "manifest.json", manifest)
    return manifest


def _measure(dataset: ExpressionDataset, source: ExpressionSource) -> Screen:
    """Labels, split, the first pass, and what follows from it."""
    targets = read_targets(source, dataset)
    cells = label_cells(source, dataset)
    try:
        split = assign(cells, dataset.split)
    except InputError as error:
        key = cells.log["keys"]["perturbation"]
        raise InputError(f"{source.path}: {error} (perturbations are read from {key!r})") from None
    used = _first_of_each(cells.genes)
    measured = survey(source, cells, split, used, dataset)
    transform = fit_transform(measured, cells, used, dataset)
    kept = _filter(measured, cells, split, dataset)
    return Screen(dataset, source, cells, *targets, measured, transform, *kept)


def _first_of_each(names: list[str]) -> np.ndarray:
    used = np.zeros(len(names), bool)
    used[list({name: i for i, name in reversed(list(enumerate(names)))}.values())] = True
    return used


def _filter(
    measured: Survey, cells: Cells, split: np.ndarray, dataset: ExpressionDataset
) -> tuple[np.ndarray, dict[str, int], Vocabulary, int]:
    """Leave out cells by their expression, each part judged apart from the others: (split, dropped,
    vocabulary, copies left)."""
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
    return split, dropped, vocabulary, int((equal & (split > 0)).sum())


def _write_tables(screen: Screen, sample: sparse.csr_matrix, folder: Path) -> dict[str, Any]:
    """Audit, cells, perturbations and features; returns the manifest without hashes."""
    cells, kind = screen.cells, screen.dataset.split.kind
    rows = screen.stored
    split = screen.split[rows]
    group = groups(cells, rows, split, kind)
    pools = control_pools(split, cells.control[rows], cells.context[rows], cells.batch[rows])
    fitted = np.flatnonzero(screen.measured.fitted)
    units = np.unique(group, return_inverse=True)[1]
    alike = _alike(screen, cells.condition[rows], split)
    leak = screen.dataset.label_pattern is None and kind in ("perturbation", "combination")
    checks = audit(Audited(rows, split, units, kind, cells, fitted, screen.copies,
                           alike if leak else [], screen.vocabulary, pools,
                           screen.dataset.split.seed))  # fmt: skip
    _judge(checks, screen.dataset, alike)
    passed = all(check["passed"] for check in checks)
    write_json(folder / "audit.json", {"passed": passed, "checks": checks})
    columns, kinds = screen.targets, screen.kinds
    write_cells(folder / "splits.csv", screen.source, cells, rows, split, group, columns)
    perturbations = perturbation_table(cells, screen.split, screen.vocabulary, screen.transform)
    write_json(folder / "perturbations.json", perturbations)
    known = write_features(folder, screen.vocabulary, cells, screen.transform, sample, screen.dataset)
    perturbed = cells.condition[rows] > 0
    return {
        "modality": "expression",
        "settings": resolved(screen.dataset),
        "classes": class_names(cells),
        "columns": {
            **COLUMNS,
            "unit": kind,
            "targets": kinds,
            "nuisance_targets": list(screen.dataset.nuisances),
        },
        "leaky": not passed,
        "note": screen.source.note,
        "no_genes": screen.source.left_out,
        "alike": alike,
        "targets": [described(name, columns[name], kinds[name], rows) for name in columns],
        **findings(cells, screen.measured, screen.transform, screen.dropped),
        "counts": {name: counts(cells, rows[split == part]) for part, name in enumerate(SPLITS)},
        "subgroups": subgroup_counts(perturbations["perturbations"]),
        "gene_features": {
            "kind": screen.dataset.gene_features,
            "genes": len(perturbations["columns"]),
            "described": known,
        },
        "pairing": {
            name: pools.counts(np.flatnonzero((split == part) & perturbed))
            for part, name in enumerate(SPLITS)
        },
    }


def _alike(screen: Screen, condition: np.ndarray, split: np.ndarray) -> list[tuple[str, str]]:
    """Names that may mean one target: in two parts, where the split holds targets apart."""
    if screen.dataset.split.kind in ("perturbation", "combination"):
        return one_target_in_two_parts(screen.cells, condition, split)
    return one_target_twice(screen.cells)


def _judge(
    checks: list[dict[str, Any]], dataset: ExpressionDataset, alike: list[tuple[str, str]]
) -> None:
    failed = [check for check in checks if not check["passed"]]
    if failed and not (dataset.split.kind == "cell" and dataset.split.allow_leaky):
        first = failed[0]
        fix = "change split, min_cells or the filters"
        if "equal to a training cell" in first["name"]:
            fix = "set on_copies: drop"
        if "may mean a target" in first["name"]:
            fix = f"{alike[0][0]!r} beside {alike[0][1]!r}: {remedy(alike)}"
        raise InputError(
            f"{dataset.path}: leak audit: {first['name']}: found {first['found']}, expected "
            f"{first['expected']}{f' (and {len(failed) - 1} more)' if len(failed) > 1 else ''}; {fix}"
        )


def summary(manifest: dict[str, Any], folder: Path) -> list[str]:
    """What was found, left out and audited, for the terminal."""
    return spoken(manifest, read_json(folder / "audit.json", "checks"))
