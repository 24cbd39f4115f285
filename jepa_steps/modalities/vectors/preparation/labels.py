"""What is asked of the embeddings: the label, further targets, and what they should not tell.

Shapes: k samples.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ....config.base import Target
from ....data.labels import is_number
from ....data.targets import Kind, kind_of
from ....errors import InputError
from ..dataset import VectorDataset
from ..sources.tables import Table
from .matching import NONE

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
        whole = table.column(name, field)
        columns[name] = [whole[row] for row in rows]
        kinds[name] = _kind(columns[name], wanted, f"{table.path}: {field}: column {name!r}")
        _check_values(columns[name], field, f"{table.path}: {field}: column {name!r}")
        notes.append(_note(name, field, columns[name], kinds[name]))
    asked = [name for name in columns if name not in dataset.nuisances]
    label = next((name for name in asked if kinds[name] == "classes"), None)
    if dataset.label not in (None, NONE) and label != dataset.label:
        label = None  # numbers: a target like others
    if label is not None:
        notes.append(f"label: column {label!r}")
    codes, classes = _codes(columns[label]) if label else (np.full(len(rows), -1), [])
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
            notes.append("label: found no column that is one; only what needs no label is said")
    for name, kind in dataset.targets.items():
        if name != dataset.label:
            yield "targets", name, kind
    for name, kind in dataset.nuisances.items():
        yield "nuisances", name, kind


def _kind(texts: list[str], wanted: Target, place: str) -> Kind:
    kind = kind_of(texts) if wanted == "auto" else wanted
    if kind == "numbers":
        for row, text in enumerate(texts, 1):
            if text and not is_number(text):
                raise InputError(
                    f"{place}: sample {row}: found {text!r}, expected a finite number; set classes, or "
                    "leave the value empty"
                )
    return kind


def _check_values(texts: list[str], field: str, place: str) -> None:
    known = [text for text in texts if text]
    different = len(set(known))
    if different < 2 and field != "nuisances":
        found = f"one value, {known[0]!r}, in" if known else "no value in"
        raise InputError(f"{place}: found {found} {len(texts)} rows, expected at least 2 to tell apart")
    if kind_of(texts) == "classes" and len(known) >= 10 and different > len(known) / 2:
        raise InputError(
            f"{place}: found {different} different texts in {len(known)} rows, expected classes of "
            "several samples each; name another column"
        )


def _note(name: str, field: str, texts: list[str], kind: Kind) -> str:
    unknown = sum(not text for text in texts)
    lacking = f", unknown of {unknown}" if unknown else ""
    names = kind == "numbers" and all(float(text).is_integer() for text in texts if text)
    hint = "; set classes (--classes) if these are names" if names else ""
    told = "" if field != "nuisances" else ", which embeddings should not tell"
    return f"{name}: {kind}, {len(set(texts) - {''})} different{lacking}{told}{hint}"


def _codes(texts: list[str]) -> tuple[np.ndarray, list[str]]:
    """(int64 (k,) places in the classes, -1 = unknown; classes, by number where they are numbers)."""
    classes = sorted({text for text in texts if text}, key=_by_number)
    code = {name: i for i, name in enumerate(classes)}
    return np.array([code.get(text, -1) for text in texts], np.int64), classes


def _by_number(text: str) -> tuple[float, str]:
    return (float(text), text) if is_number(text) else (math.inf, text)


def _few(texts: list[str]) -> bool:
    return 1 < len(set(texts)) <= _MOST_COVARIATE
