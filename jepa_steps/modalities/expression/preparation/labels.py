"""What was done to each cell: genes, types and doses out of labels as people write them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ....errors import InputError
from ..dataset import TYPES, ExpressionDataset
from ..sources.keys import find_gene_names, nearest, other_labels
from ..sources.source import Column, ExpressionSource
from .columns import LabelColumns, read_columns
from .combinations import in_one_case, known_names, split_labels
from .doses import Dose, doses_of, in_one_unit
from .label_text import CONTROLS, is_control, types_of, words

CONTROL = "control"
# Labels that people give to controls beside the usual ones: proposed, never assumed.
_CONTROL_LIKE = re.compile(
    r"(?i)(^|[^a-z])(ntc?|nc|ctrl|control|mock|scrambled?|safe|neg|non.?target|dmso|vehicle|luciferase|"
    r"intergenic|aavs1|untreated|unperturbed|wt|wild.?type)([^a-z]|$)"
)


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
    columns = read_columns(source, dataset)
    keys, label = columns.keys, columns.perturbation
    _check_missing(label, keys["perturbation"], source, dataset)
    controls = dataset.control or CONTROLS
    pieces = {piece for text in label.values for piece in words(text)}
    gene_column, genes = find_gene_names(source, dataset, pieces | set(label.values))
    known = known_names(label.values, genes, controls)
    parsed = split_labels(source, dataset, columns, known, genes)
    if dataset.ignore_case:
        parsed = in_one_case(parsed, genes)
    acting = [tuple(p for p in parts if not is_control(p, controls)) for parts in parsed]
    control = [not parts for parts in acting]
    if not any(control):
        raise InputError(_no_control(label, keys["perturbation"], source, dataset))
    condition, conditions, dropped, doses = _conditions(source, dataset, columns, parsed, control)
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
        "other_labels": other_labels(source, dataset, keys["perturbation"]),
        "control_labels": {t: int(counts[i]) for i, t in enumerate(label.values) if control[i]},
        "combinations": combined,
        "doses": doses,
        "dropped_cells": dropped,
    }  # fmt: skip
    _drop_small(cells, dataset, source)
    return cells


def _check_missing(label: Column, key: str, source: ExpressionSource, dataset) -> None:
    missing = int((label.codes < 0).sum())
    if missing and dataset.unlabelled == "fail":
        none = ""
        if label.absent:
            text = min(label.absent)
            none = f'; if "{text}" is the control, set control: ["{text}"]'
        raise InputError(
            f"{source.path}: {key}: {missing} of {source.cells} cells have no label{none}; "
            "set unlabelled: drop to leave them out"
        )


def _no_control(label: Column, key: str, source: ExpressionSource, dataset: ExpressionDataset) -> str:
    common = [label.values[i] for i in np.argsort(-label.counts(), kind="stable")[:5]]
    if dataset.control:
        usual = [text for text in label.values if is_control(text, CONTROLS)]
        wanted = nearest(dataset.control[0], usual or label.values)
        return f"{source.path}: control: no cell of {key!r} is {', '.join(dataset.control)}; {wanted}"
    like = sorted(text for text in label.values if _CONTROL_LIKE.search(text))[:5]
    some = f"such as control: {json.dumps(like)}" if like else f"most frequent: {', '.join(common)}"
    return (
        f"{source.path}: {key}: found no control among {len(label.values)} labels; set control to the "
        f"labels of unperturbed cells; {some}"
    )


def _conditions(
    source: ExpressionSource,
    dataset: ExpressionDataset,
    columns: LabelColumns,
    parsed: list[tuple[str, ...]],
    control: list[bool],
) -> tuple[np.ndarray, list[tuple[Part, ...]], dict[str, int], str | None]:
    """(condition of each cell, conditions sorted by name, cells left out for each reason, what to say of
    doses in several units)."""
    label, type_, dose = columns.perturbation, columns.type, columns.dose
    codes = [label.codes] + [c.codes if c else np.zeros_like(label.codes) for c in (type_, dose)]
    triples, member = np.unique(np.stack(codes), axis=1, return_inverse=True)
    cells_of = np.bincount(member.reshape(-1), minlength=triples.shape[1]).tolist()
    meant: list[tuple[list[str], list[Dose]] | None] = []
    faults: dict[str, list[tuple[str, int]]] = {"unknown_type": [], "unknown_dose": []}
    for (text, *of_text), count in zip(triples.T.tolist(), cells_of, strict=True):
        if text < 0 or control[text]:
            meant.append(None)
            continue
        parts = len(parsed[text])
        read = types_of(type_, of_text[0], parts, dataset), doses_of(dose, of_text[1], parts)
        for name, values, column, code in zip(faults, read, (type_, dose), of_text, strict=True):
            if values is None:
                faults[name].append((column.values[code] if code >= 0 else "(missing)", count))
        meant.append(None if None in read else read)
    for name, found in faults.items():
        if found and getattr(dataset, name) == "fail":
            raise InputError(_fault(source, columns.keys, name, found))
    amounts, note = _amounts(source, columns.keys, meant, cells_of)
    of_triple: list[tuple[Part, ...] | None] = []
    for text, read in zip(triples[0].tolist(), meant, strict=True):
        if read is None:
            of_triple.append(() if text >= 0 and control[text] else None)
            continue
        parts = {g: Part(g, k, next(amounts)) for g, k in zip(parsed[text], read[0], strict=True)}
        acting = (p for g, p in parts.items() if not is_control(g, dataset.control or CONTROLS))
        of_triple.append(tuple(sorted(acting)))
    conditions = sorted({p for p in of_triple if p}, key=lambda p: (name_of(p), p))
    number = {parts: i for i, parts in enumerate([(), *conditions])} | {None: -1}
    lookup = np.array([number[parts] for parts in of_triple], np.int32)
    dropped = {name: sum(n for _, n in found) for name, found in faults.items()}
    return lookup[member.reshape(-1)], [(), *conditions], dropped, note


def _amounts(
    source: ExpressionSource, keys, meant: list, cells_of: list[int]
) -> tuple[Iterator, str | None]:
    """The doses of all that is understood, one after the other, in one unit."""
    doses = [(dose, n) for read, n in zip(meant, cells_of, strict=True) if read for dose in read[1]]
    amounts, note = (
        in_one_unit(*zip(*doses, strict=True), f"{source.path}: {keys['dose']}") if doses else ([], None)
    )
    return iter(amounts), note


def _fault(source: ExpressionSource, keys, name: str, found: list[tuple[str, int]]) -> str:
    what = name.removeprefix("unknown_")
    text, cells = found[0][0], sum(count for _, count in found)
    expected = {
        "type": f"one of {', '.join(t[0] for t in TYPES.values())} or a usual name of theirs; set "
        "unknown_type: unk or drop, or keys.type: none and perturbation_type",
        "dose": "a positive number with a decimal point, or one per gene (1+1), with a unit or without; "
        "set unknown_dose: drop, or keys.dose: none",
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
