"""New series for a trained encoder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from .dataset import SeriesDataset
from .sources.read import open_source
from .sources.source import Series

_SOURCES = {".ts": "ts", ".npy": "arrays", ".npz": "arrays", ".csv": "table", ".tsv": "table"}
_SOURCES |= {".parquet": "table"}


def read(path: Path, description: dict[str, Any]) -> tuple[list[str], Callable[[int, int], np.ndarray]]:
    """Names of the series of a file (.ts, .npy, .npz, or a long table as .csv, .tsv or .parquet), and a
    function from a range of them to float32 (B, L, C), NaN after the end of a shorter series.

    Raises:
        InputError: another kind of file, or series that the encoder does not take.
    """
    source = _SOURCES.get(path.suffix)
    if source is None:
        known = ", ".join(_SOURCES)
        raise InputError(f"{path}: found a name that ends in {path.suffix!r}, expected one of {known}")
    found = list(open_source(SeriesDataset(source=source, path=str(path))).series)
    length, channels = description["length"], len(description["channels"])
    for series in found:
        steps, own = series.values.shape
        if own != channels or steps > length:
            raise InputError(
                f"{path}: {series.name}: found {steps} time steps of {own} channels, expected at most "
                f"{length} of {channels}, as the encoder was trained on; cut it into windows"
            )
    return [series.name for series in found], lambda a, b: _stacked(found[a:b], length)


def _stacked(found: list[Series], length: int) -> np.ndarray:
    padded = np.full((len(found), length, found[0].values.shape[1]), np.nan, np.float32)
    for row, series in zip(padded, found, strict=True):
        row[: len(series.values)] = series.values
    return padded
