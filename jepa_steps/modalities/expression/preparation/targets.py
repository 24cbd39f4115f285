"""Columns of annotations that embeddings are asked for beside the perturbation."""

import math

import numpy as np

from ....data.targets import Kind, kind_of
from ....errors import InputError
from ..dataset import ExpressionDataset
from ..sources.keys import nearest
from ..sources.source import Column, ExpressionSource


def read_targets(
    source: ExpressionSource, dataset: ExpressionDataset
) -> tuple[dict[str, Column], dict[str, Kind]]:
    """(columns, kinds) by name, those that embeddings should not tell among them.

    Raises:
        InputError: a name that is no column, or text or infinity in a column of numbers.
    """
    columns, kinds = {}, {}
    for where in ("targets", "nuisances"):
        for name, kind in getattr(dataset, where).items():
            if name not in source.columns:
                raise InputError(f"{source.path}: {where}: found no column {name!r}; "
                                 f"{nearest(name, source.columns)}")  # fmt: skip
            columns[name] = source.column(name)
            found = kind_of(columns[name].values)
            kinds[name] = found if kind == "auto" else kind
            if kinds[name] == "numbers" and (bad := _no_number(columns[name].values)) is not None:
                raise InputError(
                    f"{source.path}: {where}.{name}: found {bad!r}, expected finite numbers; set "
                    "classes, or leave the value out"
                )
    return columns, kinds


def described(name: str, column: Column, kind: Kind, rows: np.ndarray) -> str:
    """A target in a few words: what it is, and of how many of the cells ``rows`` it is not known."""
    codes = column.codes[rows]
    unknown = f", unknown of {n} cells" if (n := int((codes < 0).sum())) else ""
    different = len(np.unique(codes[codes >= 0]))
    what = f"{different} classes" if kind == "classes" else f"numbers, {different} different"
    return f"{name} ({what}{unknown})"


def _no_number(values: list[str]) -> str | None:
    """The first text that is no finite number."""
    for text in values:
        try:
            if not math.isfinite(float(text)):
                return text
        except ValueError:
            return text
    return None
