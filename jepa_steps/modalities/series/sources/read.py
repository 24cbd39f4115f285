"""Opens what a data set names."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ....data.beside import Told, read_beside
from ....data.matching import SampleNames
from ....errors import InputError
from ..dataset import SeriesDataset
from .arrays import open_arrays
from .packaged import open_packaged
from .source import Series, SeriesSource
from .table import open_table
from .ts import open_ts
from .ucr import open_ucr

_EXPECTED = {
    "ts": "a .ts file, or a folder with NAME_TRAIN.ts and NAME_TEST.ts",
    "ucr": "a .tsv, .csv or .txt file, or a folder with NAME_TRAIN and NAME_TEST of one of these",
    "table": "a .csv, .tsv or .parquet file",
    "arrays": "an .npz or .npy file",
    "sktime": "a data card, such as config/cards/NAME.md",
}
_FOLDERS = ("ts", "ucr")  # sources that may be one


def open_source(dataset: SeriesDataset) -> SeriesSource:
    """The recordings of a data set, read as they are asked for.

    Raises:
        InputError: a missing path, or what the format's own reader finds; iterating ``series`` raises
        what is wrong further on in the source.
    """
    path = Path(dataset.path)
    if not path.exists():
        raise InputError(f"path: {path} does not exist; expected {_EXPECTED[dataset.source]}")
    if path.is_dir() and dataset.source not in _FOLDERS:
        raise InputError(
            f"path: {path} is a folder; source {dataset.source} expects {_EXPECTED[dataset.source]}"
        )
    source = {
        "ts": lambda: open_ts(path),
        "ucr": lambda: open_ucr(path),
        "table": lambda: open_table(path, dataset),
        "arrays": lambda: open_arrays(path, dataset),
        "sktime": lambda: open_packaged(str(dataset.name)),
    }[dataset.source]()
    return source if dataset.table is None else _with_table(source, dataset)


def _with_table(source: SeriesSource, dataset: SeriesDataset) -> SeriesSource:
    """What the table says, in place of what the source says of the same."""
    told = read_beside(SampleNames(str(source.path), "series", None), dataset)
    source.notes.extend(told.notes)
    return replace(source, series=_told_of(source, told, dataset))


def _told_of(source: SeriesSource, told: Told, dataset: SeriesDataset) -> Iterator[Series]:
    """The series with what the table says of them, row by row: they are read only once.

    Raises:
        InputError: more or fewer series than rows.
    """
    rows, number = len(told.kept), 0
    for number, series in enumerate(source.series, 1):
        if number <= rows:
            yield replace(
                series,
                label=series.label if told.labels is None else told.labels[number - 1],
                group=series.group if told.groups is None else str(told.groups[number - 1]),
                given=series.given if told.given is None else int(told.given[number - 1]),
                columns={name: texts[number - 1] for name, texts in told.columns.items()},
            )
    if number != rows:
        raise InputError(
            f"{dataset.table}: found {rows} rows for {number} series in {source.path}, expected as "
            "many, in the same order"
        )
