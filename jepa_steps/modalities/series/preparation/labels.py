"""Labels of series: names of classes, or numbers.

Shapes: S series.
"""

import numpy as np

from ....data.labels import Labels, by_number, check_numbers, is_number
from ....data.targets import Kind, kind_of
from ....errors import InputError
from ..dataset import SeriesDataset, Target
from .recordings import Recordings

VALUE = "label"
"""Name of the target that labels are where they are numbers."""


def read_labels(found: Recordings, dataset: SeriesDataset, path: str) -> tuple[Labels, list[str]]:
    """(labels and targets, notes).

    Raises:
        InputError: one class, a class of too few series, or text where numbers are expected.
    """
    notes: list[str] = []
    targets, kinds = {}, {}
    for where, names in (("targets", dataset.targets), ("nuisances", dataset.nuisances)):
        for name, kind in names.items():
            targets[name], kinds[name] = found.columns[name], _kind(found.columns[name], kind)
            check_numbers(found.names, targets[name], kinds[name], f"{where}.{name}", path)
            notes.append(f"{name}: taken as {kinds[name]}")
    codes, classes = np.full(len(found.names), -1), []
    if any(found.labels):
        kind = _kind_of_labels(found.labels, dataset)
        if kind == "numbers":
            check_numbers(found.names, found.labels, kind, "labels", path)
            targets[VALUE], kinds[VALUE] = found.labels, kind
            notes.append("labels: taken as numbers; set labels: classes if they are names")
        else:
            codes, classes = _codes(found, path)
        if unknown := sum(not text for text in found.labels):
            notes.append(f"labels: {unknown} of {len(codes)} series have none")
    return Labels(codes, classes, targets, kinds, tuple(dataset.nuisances)), notes


def _codes(found: Recordings, path: str) -> tuple[np.ndarray, list[str]]:
    classes = sorted({text for text in found.labels if text}, key=by_number)
    if len(classes) == 1:
        raise InputError(
            f"{path}: found one class ({classes[0]!r}), expected at least 2; leave labels out where "
            "there are none"
        )
    code = {name: i for i, name in enumerate(classes)}
    codes = np.array([code.get(text, -1) for text in found.labels], np.int64)
    for name, count in zip(classes, np.bincount(codes[codes >= 0]), strict=True):
        if count < 3:
            raise InputError(
                f"{path}: class {name!r} has {count} series, expected at least 3 (train, val, test); "
                "add series, or remove the class"
            )
    return codes, classes


def _kind_of_labels(texts: list[str], dataset: SeriesDataset) -> Kind:
    """As ``_kind``; the formats of classification sets number their classes, however many, so that there
    whole numbers are names."""
    if dataset.labels != "auto" or dataset.source in ("table", "arrays"):
        return _kind(texts, dataset.labels)
    known = [text for text in texts if text]
    return "numbers" if all(map(is_number, known)) and any(float(t) % 1 for t in known) else "classes"


def _kind(texts: list[str], kind: Target) -> Kind:
    return kind_of(texts) if kind == "auto" else kind
