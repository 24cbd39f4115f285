"""Recordings and data sets of time series, for tests."""

from pathlib import Path

import numpy as np

from jepa_steps.config.training import parse_dataset
from jepa_steps.modalities.series.preparation.recordings import Recordings
from jepa_steps.modalities.series.prepare import prepare
from jepa_steps.modalities.series.store import SeriesStore, open_store


def recordings(*steps: int, groups=None, given=None) -> Recordings:
    n = len(steps)
    names = [f"s{i}" for i in range(n)]
    texts = [""] * n
    return Recordings(
        ("x",), np.array(steps), np.zeros(n, int), np.full(n, -1) if given is None else np.array(given),
        names, texts, groups or texts, {}, [None] * n, [], np.zeros(1, int),
    )  # fmt: skip


def dataset(**changes):
    return parse_dataset({"source": "arrays", "path": "x.npy", **changes}, "test", "series")


def stored(values: np.ndarray, folder: Path, **settings) -> SeriesStore:
    """The prepared store of float32 (series, steps, channels)."""
    np.save(folder / "x.npy", values)
    spec = {"source": "arrays", "path": str(folder / "x.npy"), **settings}
    prepare(parse_dataset(spec, "test", "series"), folder / "data", 1)
    return open_store(folder / "data")
