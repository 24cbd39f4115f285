"""From embeddings and a table to the prepared store: all of it, or nothing."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ...config import resolved
from ...data.matching import NONE
from ...data.splits import FIELDS, SPLITS, across_splits
from ...data.tables import Table, count, listed, open_table
from ...data.targets import PREFIX
from ...errors import InputError
from ...files import sha256, staged, write_csv, write_json
from .dataset import VectorDataset
from .preparation import division, labels, storing
from .preparation.labels import Asked
from .preparation.matching import match_rows
from .sources.arrays import Rows, open_rows

_CLOSE = 1e-4  # share of the largest value up to which embeddings are the mean of their tokens
_NAMES = "label name"


def prepare(dataset: VectorDataset, out: Path, workers: int) -> dict[str, Any]:
    """Run the step; returns the manifest.

    Raises:
        InputError: files that cannot be used; nothing is left behind then.
    """
    rows = _open(dataset)
    table = _table(rows, dataset)
    matched = match_rows(rows, table, dataset)
    kept = matched.kept
    asked, told = labels.read_labels(table, matched.rows, dataset)
    split, groups, how = division.divide(table, matched.rows, asked.codes, dataset)
    raw, tokens = (_beside(name, rows, dataset) for name in ("raw", "tokens"))
    if rows.values.ndim == 3:
        tokens = rows
    with staged(out) as folder:
        vectors = storing.store(rows, kept, folder / "vectors.npy", _mean_of_tokens)
        _store_beside(raw, kept, folder / "raw.npy", lambda x: x.reshape(len(x), -1), 2)
        stored = _store_beside(tokens, kept, folder / "tokens.npy", lambda x: x, 3)
        columns = _write_splits(folder, rows, kept, asked, split, groups, dataset)
        manifest = {
            "modality": "vectors",
            "settings": resolved(dataset),
            "counts": _counts(split, asked),
            "width": vectors.shape[1],
            "type": str(rows.values.dtype),
            "constant": storing.constant_columns(vectors),
            "equal_rows": storing.equal_to_training(vectors, split),
            "raw": int(np.prod(raw.values.shape[1:])) if raw else 0,
            "tokens": {
                "number": stored.shape[1],
                "width": stored.shape[2],
                "mean": bool(tokens and _are_the_mean(stored, vectors)),
            },
            "label": asked.label,
            "classes": asked.classes,
            "groups": _count_groups(groups, split, dataset),
            "left_out": matched.left_out[:100],
            "columns": columns,
            "notes": [*rows.notes, *matched.notes, *told, *how],
        }
        manifest["notes"] += _warnings(manifest, asked)
        files = ("vectors.npy", "raw.npy", "tokens.npy", "splits.csv")
        manifest["sha256"] = {name: sha256(folder / name) for name in files}
        write_json(folder / "manifest.json", manifest)
    return manifest


def _open(dataset: VectorDataset) -> Rows:
    """The embeddings; columns of a .parquet that the settings name or that are a label are none."""
    named = (dataset.label, dataset.group, dataset.split_column, dataset.ids)
    taken = {*dataset.targets, *dataset.nuisances, *filter(None, named), *labels.USUAL, *division.USUAL}
    axes = "samples, dimensions or samples, tokens, dimensions"
    rows = open_rows(Path(dataset.embeddings), dataset.key, axes, taken)
    if rows.values.ndim == 3 and dataset.tokens:
        raise InputError(
            f"{rows.place}: found shape {rows.values.shape}, which are tokens, beside {dataset.tokens}; "
            "give one of the two"
        )
    if rows.values.ndim == 3:
        rows.notes.append(
            f"embeddings: shape {rows.values.shape} was taken for (samples, tokens, dimensions); the "
            "mean of the tokens is the embedding"
        )
    return rows


def _table(rows: Rows, dataset: VectorDataset) -> Table:
    """The table asked for, or that of the embeddings' own file, or one that says nothing."""
    if dataset.table is not None and not _same(dataset.table, dataset.embeddings):
        return open_table(Path(dataset.table))
    if rows.table is not None:
        rows.notes.append("table: that of the embeddings' own file")
        return rows.table
    if dataset.table is not None:
        raise InputError(f"{dataset.table}: found the embeddings again, expected a table")
    named = [*dataset.targets, *dataset.nuisances, *filter(None, (dataset.label, dataset.group))]
    if named and named != [NONE]:
        raise InputError(f"table: found none, but {named[0]!r} is a column of it; give the table")
    n = len(rows.values)
    return Table(rows.place, {"row": [str(i) for i in range(n)]})


def _same(one: str, other: str) -> bool:
    return Path(one).resolve() == Path(other).resolve()


def _beside(name: str, rows: Rows, dataset: VectorDataset) -> Rows | None:
    """Raw input or tokens, a row for each embedding in the same order."""
    path = getattr(dataset, name)
    if path is None:
        return None
    axes = "samples, ..." if name == "raw" else "samples, tokens, dimensions"
    found = open_rows(Path(path), None, axes)
    if len(found.values) != len(rows.values):
        raise InputError(
            f"{found.place}: {name}: found {len(found.values)} rows for {len(rows.values)} embeddings, "
            "expected as many, in the same order"
        )
    if found.names is not None and rows.names is not None and found.names != rows.names:
        raise InputError(
            f"{found.place}: {name}: found other names than of {rows.place}, or in another order; write "
            "both in one order"
        )
    return found


def _mean_of_tokens(block: np.ndarray) -> np.ndarray:
    return block.mean(1) if block.ndim == 3 else block


def _store_beside(
    found: Rows | None, kept: np.ndarray, path: Path, shaped: Any, axes: int
) -> np.ndarray:
    """Store what was given; without it an array of no values, which says so to every step."""
    if found is not None:
        return storing.store(found, kept, path, shaped)
    empty = np.zeros((len(kept), *[0] * (axes - 1)), np.float32)
    np.save(path, empty)
    return empty


def _are_the_mean(tokens: np.ndarray, vectors: np.ndarray) -> bool:
    """Whether embeddings (k, D) are the mean of their tokens (k, T, D), as far as 1,000 rows tell."""
    if tokens.shape[2] != vectors.shape[1]:
        return False
    some, given = tokens[:1000].mean(1, dtype=np.float64), vectors[:1000]
    return bool(np.abs(some - given).max() <= _CLOSE * np.abs(given).max())


def _write_splits(
    folder: Path,
    rows: Rows,
    kept: np.ndarray,
    asked: Asked,
    split: np.ndarray,
    groups: np.ndarray | None,
    dataset: VectorDataset,
) -> dict[str, Any]:
    """Write splits.csv, a row per sample; returns what its columns are (``data.splits.Columns``)."""
    names = [rows.names[i] for i in kept] if rows.names else kept.tolist()
    columns: dict[str, Iterable[object]] = dict(
        zip(FIELDS, (range(len(kept)), (SPLITS[c] for c in split), asked.codes, names), strict=True)
    )
    if groups is not None:
        columns["group"] = groups
    columns |= {PREFIX + name: texts for name, texts in asked.targets.items()}
    taken = {*columns, "group", _NAMES}
    # Covariates have columns of their own, which must not be called like those above.
    covariates = {
        name if name not in taken else f"{name} of the table": name for name in asked.covariates
    }
    columns |= {column: asked.targets[name] for column, name in covariates.items()}
    if asked.classes:
        columns[_NAMES] = asked.label_texts
    write_csv(folder / "splits.csv", list(columns), zip(*columns.values(), strict=True))
    return {
        "covariates": list(covariates),
        "nuisance": next(iter(covariates), None),
        "names": _NAMES if asked.classes else None,
        "unit": dataset.group or "group",
        "targets": asked.kinds,
        "nuisance_targets": list(asked.nuisances),
    }


def _counts(split: np.ndarray, asked: Asked) -> dict[str, Any]:
    found = {}
    for code, name in enumerate(SPLITS):
        of_part = asked.codes[split == code]
        per_class = np.bincount(of_part[of_part >= 0], minlength=len(asked.classes))
        found[name] = {"samples": len(of_part), "per_class": per_class.tolist()}
    return found


def _count_groups(groups: np.ndarray | None, split: np.ndarray, dataset: VectorDataset) -> Any:
    if groups is None:
        return None
    codes = np.unique(groups, return_inverse=True)[1]
    if across_splits(codes, split):
        raise InputError("groups are in several parts; this is a bug of this program")
    each = {name: len(np.unique(codes[split == c])) for c, name in enumerate(SPLITS)}
    return {"column": dataset.group, "number": int(codes.max()) + 1, "per_split": each}


def _warnings(manifest: dict[str, Any], asked: Asked) -> list[str]:
    """What is strange about the data, and no reason to stop."""
    found, width = [], manifest["width"]
    if manifest["constant"]:
        found.append(f"{manifest['constant']} of {width} columns hold one value in all samples")
    if n := manifest["equal_rows"]:
        found.append(
            f"{count(n, 'embedding', 'embeddings')} of val and test equal one of training to the "
            "last bit: either samples are copies, and test scores are too high, or embeddings have "
            "collapsed"
        )
    per_class = np.sum([part["per_class"] for part in manifest["counts"].values()], 0)
    if few := [c for c, n in zip(asked.classes, per_class, strict=True) if n < 3]:
        found.append(
            f"{count(len(few), 'class has', 'classes have')} fewer than 3 samples: {listed(few, 5)}"
        )
    return found


def summary(manifest: dict[str, Any], folder: Path) -> list[str]:
    """What was found, for the terminal."""
    n = sum(part["samples"] for part in manifest["counts"].values())
    return [f"{n:,} embeddings of {manifest['width']} dimensions", *manifest["notes"]]
