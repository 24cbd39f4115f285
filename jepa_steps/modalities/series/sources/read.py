"""Opens what a data set names."""

from pathlib import Path

from ....errors import InputError
from ..dataset import SeriesDataset
from .arrays import open_arrays
from .packaged import open_packaged
from .source import SeriesSource
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
    return {
        "ts": lambda: open_ts(path),
        "ucr": lambda: open_ucr(path),
        "table": lambda: open_table(path, dataset),
        "arrays": lambda: open_arrays(path, dataset),
        "sktime": lambda: open_packaged(str(dataset.name)),
    }[dataset.source]()
