"""What is asked of the embeddings: the label, further targets, and what they should not tell.

Shapes: k samples.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ....config.base import Target
from ....data.columns import class_codes, read_column
from ....data.matching import NONE
from ....data.tables import Table
from ....data.targets import Kind
from ..dataset import VectorDataset

USUAL = ("label", "class", "target", "cell_type", "y")
"""Columns of the label, where the settings name neither a label nor targets."""
_MOST_COVARIATE = 200  # values up to which a nuisance is tried as a predictor of the label


@dataclass(frozen=True)
class Asked:
    """What embeddings are asked for.

    label: column of the label, None without one. codes: int64 (k,), -1 = no label; classes: their names.
    targets: k texts by name, "" = unknown, nuisances among them; kinds: what these are.
    nuisances: those that embeddings should not tell; covariates: those of them that are tried as
        predictors of the label.
    """

    label: str | None
    codes: np.ndarray
    classes: list[str]
    targets: dict[str, list[str]]
    kinds: dict[str, Kind]
    nuisances: tuple[str, ...]
    covariates: tuple[str, ...]

    @property
    def label_texts(self) -> list[str]:
        """The label of each sample; "" where it is unknown."""
        return [self.classes[code] if code >= 0 else "" for code in self.codes]


def read_labels(table: Table, rows: np.ndarray, dataset: VectorDataset) -> tuple[Asked, list[str]]:
    """(what is asked, notes) of the rows int64 (k,) of a table.

    Raises:
        InputError: a column that is not there, holds nothing or one value, names every sample, or has
            texts where numbers are expected.
    """
    notes: list[str] = []
    columns, kinds = {}, {}
    for field, name, wanted in _wanted(table, dataset, notes):
        columns[name], kinds[name], note = read_column(table, name, field, wanted, rows, " (--{})")
        notes.append(note)
    asked = [name for name in columns if name not in dataset.nuisances]
    label = next((name for name in asked if kinds[name] == "classes"), None)
    if dataset.label not in (None, NONE) and label != dataset.label:
        label = None  # numbers: a target like others
    if label is not None:
        notes.append(f"label: column {label!r}")
    codes, classes = class_codes(columns[label]) if label else (np.full(len(rows), -1), [])
    targets = {name: texts for name, texts in columns.items() if name != label}
    nuisances = tuple(name for name in targets if name in dataset.nuisances)
    covariates = tuple(n for n in nuisances if label and kinds[n] == "classes" and _few(columns[n]))
    kinds = {name: kinds[name] for name in targets}
    return Asked(label, codes, classes, targets, kinds, nuisances, covariates), notes


def _wanted(table: Table, dataset: VectorDataset, notes: list[str]) -> Iterator[tuple[str, str, Target]]:
    """(setting, column, kind) of all that is asked for, the label first."""
    if dataset.label == NONE:
        pass
    elif dataset.label is not None:
        yield "label", dataset.label, dataset.labels
    elif not dataset.targets:
        found = [name for name in USUAL if name in table.columns and name not in dataset.nuisances]
        if found and len({text for text in table.columns[found[0]] if text}) > 1:
            yield "label", found[0], dataset.labels
        else:
            notes.append("label: found no such column; only measures without labels are given")
    for name, kind in dataset.targets.items():
        if name != dataset.label:
            yield "targets", name, kind
    for name, kind in dataset.nuisances.items():
        yield "nuisances", name, kind


def _few(texts: list[str]) -> bool:
    return 1 < len(set(texts)) <= _MOST_COVARIATE
