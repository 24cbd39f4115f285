"""Columns of annotations that embeddings are asked for beside the perturbation."""

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
        InputError: a name that is no column, or text in a column of numbers.
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
            if kind == "numbers" and (bad := _no_number(columns[name].values)) is not None:
                raise InputError(f"{source.path}: {where}.{name}: found {bad!r}, expected numbers; set "
                                 "classes")  # fmt: skip
    return columns, kinds


def _no_number(values: list[str]) -> str | None:
    """The first text that is no number."""
    for text in values:
        try:
            float(text)
        except ValueError:
            return text
    return None
