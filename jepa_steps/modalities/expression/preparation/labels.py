"""What was done to each cell: genes, types and doses out of labels as people write them."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ....errors import InputError
from ..dataset import ExpressionDataset
from ..sources.keys import find_gene_names, find_keys, nearest
from ..sources.source import Column, ExpressionSource
from .combinations import kept_whole, split_labels
from .label_text import CONTROLS, TYPES, alone, doses_of, is_control, types_of, words

CONTROL = "control"


class Part(NamedTuple):
    """One gene of a perturbation."""

    gene: str
    type: str
    dose: float


@dataclass
class Cells:
    """Annotations of all cells of a source, as codes.

    condition: int32 (n,), positions in conditions; 0 = control, -1 = left out.
    conditions: for each, its parts sorted by gene; () for control.
    context, batch: int32 (n,), positions in contexts and batches.
    gene_column, genes: which names of the gene table perturbations go by, and these names.
    log: what was found and left out, for the manifest.
    """

    condition: np.ndarray
    conditions: list[tuple[Part, ...]]
    context: np.ndarray
    contexts: list[str]
    batch: np.ndarray
    batches: list[str]
    gene_column: str
    genes: list[str]
    log: dict[str, Any] = field(default_factory=dict)

    @property
    def control(self) -> np.ndarray:
        """bool (n,)."""
        return self.condition == 0

    def names(self) -> list[str]:
        """Perturbation of each condition; conditions that differ in type or dose share one."""
        return [name_of(parts) for parts in self.conditions]


def name_of(parts: tuple[Part, ...]) -> str:
    """``A+B`` of the parts' genes; ``control`` of none."""
    return "+".join(part.gene for part in parts) or CONTROL


def label_cells(source: ExpressionSource, dataset: ExpressionDataset) -> Cells:
    """Read and understand the annotations.

    Raises:
        InputError: one line with counts and the fix: no control, labels, types or doses missing or
            without meaning, gene names twice, too few cells.
    """
    keys = find_keys(source, dataset)
    label = source.column(keys["perturbation"])
    _check_missing(label, keys["perturbation"], source, dataset)
    controls = dataset.control or CONTROLS
    pieces = {piece for text in label.values for piece in words(text)}
    gene_column, genes = find_gene_names(source, dataset, pieces | set(label.values))
    known = set(genes) | {alone(text, controls) for text in label.values} - {None}
    known |= {piece for piece in pieces if is_control(piece, controls)}
    parsed = split_labels(source, dataset, keys, label, known)
    acting = [tuple(p for p in parts if not is_control(p, controls)) for parts in parsed]
    control = [not parts for parts in acting]
    if not any(control):
        raise InputError(_no_control(label, keys["perturbation"], source, dataset))
    condition, conditions, dropped = _conditions(source, dataset, keys, label, parsed, control)
    cells = Cells(
        condition,
        conditions,
        *_levels(source, keys["context"], "context"),
        *_levels(source, keys["batch"], "batch"),
        gene_column,
        genes,
    )
    dropped["unlabelled"] = int((label.codes < 0).sum())
    counts = label.counts()
    combined = {t: parts for t, parts in zip(label.values, acting, strict=True) if len(parts) > 1}
    cells.log = {
        "keys": {**keys, "gene": gene_column},
        "control_labels": {t: int(counts[i]) for i, t in enumerate(label.values) if control[i]},
        "combinations": combined,
        "kept_whole": kept_whole(label.values, parsed, known, controls),
        "dropped_cells": dropped,
    }  # fmt: skip
    _drop_small(cells, dataset, source)
    return cells


def _check_missing(label: Column, key: str, source: ExpressionSource, dataset) -> None:
    missing = int((label.codes < 0).sum())
    if missing and dataset.unlabelled == "fail":
        raise InputError(f"{source.path}: {key}: {missing} of {source.cells} cells have no label; "
                         "set unlabelled: drop to leave them out")  # fmt: skip


def _no_control(label: Column, key: str, source: ExpressionSource, dataset: ExpressionDataset) -> str:
    common = [label.values[i] for i in np.argsort(-label.counts(), kind="stable")[:5]]
    if dataset.control:
        usual = [text for text in label.values if is_control(text, CONTROLS)]
        wanted = nearest(dataset.control[0], usual or label.values)
        return f"{source.path}: control: no cell of {key!r} is {', '.join(dataset.control)}; {wanted}"
    return (
        f"{source.path}: {key}: found no control among {len(label.values)} labels (most frequent: "
        f"{', '.join(common)}); set control to the label of unperturbed cells"
    )


def _conditions(
    source: ExpressionSource,
    dataset: ExpressionDataset,
    keys: dict[str, str | None],
    label: Column,
    parsed: list[tuple[str, ...]],
    control: list[bool],
) -> tuple[np.ndarray, list[tuple[Part, ...]], dict[str, int]]:
    """(condition of each cell, conditions sorted by name, cells left out for each reason)."""
    columns = [source.column(keys[what]) if keys[what] else None for what in ("type", "dose")]
    codes = [label.codes] + [c.codes if c else np.zeros_like(label.codes) for c in columns]
    triples, member = np.unique(np.stack(codes), axis=1, return_inverse=True)
    cells_of = np.bincount(member, minlength=triples.shape[1])
    controls = dataset.control or CONTROLS
    meant: list[tuple[Part, ...] | None] = []
    faults: dict[str, list[tuple[str, int]]] = {"unknown_type": [], "unknown_dose": []}
    for (text, kind, dose), count in zip(triples.T.tolist(), cells_of.tolist(), strict=True):
        if text < 0 or control[text]:
            meant.append(None if text < 0 else ())
            continue
        kinds = types_of(columns[0], kind, len(parsed[text]), dataset)
        doses = doses_of(columns[1], dose, len(parsed[text]))
        for name, values, column, code in (("unknown_type", kinds, columns[0], kind),
                                           ("unknown_dose", doses, columns[1], dose)):  # fmt: skip
            if values is None:
                faults[name].append((column.values[code] if code >= 0 else "(missing)", count))
        if kinds is None or doses is None:
            meant.append(None)
            continue
        parts = {g: Part(g, k, d) for g, k, d in zip(parsed[text], kinds, doses, strict=True)
                 if not is_control(g, controls)}  # fmt: skip
        meant.append(tuple(sorted(parts.values())))
    for name, found in faults.items():
        if found and getattr(dataset, name) == "fail":
            raise InputError(_fault(source, keys, name, found))
    conditions = sorted({parts for parts in meant if parts is not None}, key=lambda p: (name_of(p), p))
    conditions = [(), *(parts for parts in conditions if parts)]
    number = {parts: i for i, parts in enumerate(conditions)} | {None: -1}
    lookup = np.array([number[parts] for parts in meant], np.int32)
    dropped = {name: sum(n for _, n in found) for name, found in faults.items()}
    return lookup[member.reshape(-1)], conditions, dropped


def _fault(source: ExpressionSource, keys, name: str, found: list[tuple[str, int]]) -> str:
    what = name.removeprefix("unknown_")
    text, cells = found[0][0], sum(count for _, count in found)
    expected = {
        "type": f"one of {', '.join(t[0] for t in TYPES.values())} or a usual name of theirs; set "
        "unknown_type: unk or drop, or keys.type: none and perturbation_type",
        "dose": "a positive number, or one a gene (1+1); set unknown_dose: drop, or keys.dose: none",
    }[what]
    return (f"{source.path}: {keys[what]}: {cells} perturbed cells have a {what} without meaning, e.g. "
            f"{text!r}; expected {expected}")  # fmt: skip


def _levels(source: ExpressionSource, key: str | None, what: str) -> tuple[np.ndarray, list[str]]:
    if key is None:
        return np.zeros(source.cells, np.int32), ["all"]
    column = source.column(key)
    if missing := int((column.codes < 0).sum()):
        raise InputError(f"{source.path}: {key}: {missing} of {source.cells} cells have no {what}; "
                         f"fill them, or set keys.{what}: none")  # fmt: skip
    # sorted, so that a file that lists its categories in another order is split the same
    order = np.argsort(column.values, kind="stable")
    return np.argsort(order).astype(np.int32)[column.codes], [column.values[i] for i in order]


def _drop_small(cells: Cells, dataset: ExpressionDataset, source: ExpressionSource) -> None:
    names = np.array(cells.names())
    codes = np.unique(names, return_inverse=True)[1]
    held = cells.condition >= 0
    counts = np.bincount(codes[cells.condition[held]], minlength=codes.max() + 1)[codes]
    small = (counts < dataset.min_cells) & (names != CONTROL)
    listed = {str(n): int(c) for n, c in zip(names[small], counts[small], strict=True)}
    if listed and dataset.on_few_cells == "fail":
        first = min(listed, key=listed.get)
        raise InputError(
            f"{source.path}: {len(listed)} perturbations have fewer than min_cells {dataset.min_cells} "
            f"cells, e.g. {first!r} {listed[first]}; set on_few_cells: drop, or a lower min_cells"
        )
    out = held & small[cells.condition]
    cells.log["dropped_cells"]["few_cells"] = int(out.sum())
    cells.log["dropped_perturbations"] = {name: n for name, n in listed.items() if n > 0}
    cells.condition = np.where(out, -1, cells.condition).astype(np.int32)
    if not (cells.condition > 0).any():
        raise InputError(f"{source.path}: no perturbation with {dataset.min_cells} cells is left; "
                         "check keys.perturbation, or lower min_cells")  # fmt: skip
