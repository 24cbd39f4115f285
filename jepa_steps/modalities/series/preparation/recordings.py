"""Reads all recordings once: their values go to a file, what is known of them stays in memory.

Shapes: S series, T time steps of all of them, C channels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....arrays import write_npy_header
from ....errors import InputError
from ..dataset import SeriesDataset
from ..sources.source import Series, SeriesSource


@dataclass
class Recordings:
    """What is known of S series whose values are in ``values.npy``, one after another.

    steps: int64 (S,). missing: int64 (S,), missing values of each. given: int64 (S,) parts, -1 =
    undecided. names, labels, groups: S texts; "" = none. columns: S texts by name. times: of the first
    and last step, None where unknown. skipped: a sentence per series that was left out. constant: of
    each channel, series in which it never changes, int64 (C,).
    """

    channels: tuple[str, ...]
    steps: np.ndarray
    missing: np.ndarray
    given: np.ndarray
    names: list[str]
    labels: list[str]
    groups: list[str]
    columns: dict[str, list[str]]
    times: list[tuple[str, str] | None]
    skipped: list[str]
    constant: np.ndarray

    @property
    def begin(self) -> np.ndarray:
        """The first step of each series in ``values.npy``, int64 (S,)."""
        return np.cumsum(self.steps) - self.steps


def read_recordings(source: SeriesSource, dataset: SeriesDataset, path: Path) -> Recordings:
    """Write values.npy, float32 (T, C); memory holds one series at a time.

    Raises:
        InputError: no series, series of different channels, an unusable one, or too many of those.
    """
    kept: list[Series] = []  # without their values
    missing, constant, skipped, count = [], 0, [], 0
    with path.open("wb") as file:
        write_npy_header(file, "<f4", (0, 1))
        for series in source.series:
            count += 1
            _check_shape(series, kept, source.path)
            if reason := _unusable(series, dataset):
                skipped.append(_refuse_or_skip(series, reason, dataset, source.path))
                continue
            missing.append(int(np.isnan(series.values).sum()))
            constant = constant + _constant(series.values)
            file.write(np.ascontiguousarray(series.values, "<f4").data)
            kept.append(_without_values(series))
        if not kept:
            raise InputError(
                f"{source.path}: found no series" + f" that can be used of {count}" * (count > 0)
            )
        steps = np.array([len(series.values) for series in kept], np.int64)
        channels = _channels(source, kept[0].values.shape[1])
        file.seek(0)
        write_npy_header(file, "<f4", (int(steps.sum()), len(channels)))
    if len(skipped) > dataset.max_skipped * count:
        raise InputError(
            f"{source.path}: {len(skipped)} of {count} series cannot be used, more than max_skipped "
            f"{dataset.max_skipped:g}; first {skipped[0]}"
        )
    return Recordings(
        channels,
        steps,
        np.array(missing, np.int64),
        np.array([series.given for series in kept], np.int64),
        [series.name for series in kept],
        [series.label for series in kept],
        [series.group for series in kept],
        {name: [series.columns[name] for series in kept] for name in kept[0].columns},
        [series.times for series in kept],
        skipped,
        np.atleast_1d(np.asarray(constant, np.int64)),
    )


def _channels(source: SeriesSource, number: int) -> tuple[str, ...]:
    return source.channels or tuple(f"channel {c}" for c in range(1, number + 1))


def _without_values(series: Series) -> Series:
    """The same with an array that says its shape and takes no memory."""
    empty = np.broadcast_to(np.float32(0), series.values.shape)
    return Series(
        series.name, empty, series.label, series.group, series.given, series.columns, series.times
    )


def _check_shape(series: Series, kept: list[Series], path: Path) -> None:
    if series.values.ndim != 2 or not series.values.shape[1]:
        raise InputError(
            f"{path}: {series.name}: found values of shape {series.values.shape}, expected (time steps, "
            "channels)"
        )
    expected = kept[0].values.shape[1] if kept else series.values.shape[1]
    if series.values.shape[1] != expected:
        raise InputError(
            f"{path}: {series.name}: found {series.values.shape[1]} channels, expected {expected} as in "
            f"{kept[0].name}"
        )


def _unusable(series: Series, dataset: SeriesDataset) -> str:
    """Why a series is of no use; "" = it is."""
    least = dataset.span if dataset.split.kind == "series" and dataset.span else 2
    if len(series.values) < least:
        what = "context_length + target_length" if dataset.span else "a series has at least"
        return f"{len(series.values)} time steps, fewer than {what} = {least}"
    share = np.isnan(series.values).mean()
    if share == 1:
        return "all values are missing"
    if share > dataset.max_missing:
        return f"{share:.0%} of its values are missing, more than max_missing {dataset.max_missing:g}"
    return ""


def _refuse_or_skip(series: Series, reason: str, dataset: SeriesDataset, path: Path) -> str:
    if dataset.on_error == "fail":
        raise InputError(
            f"{path}: {series.name}: {reason}; mend it, or set on_error: skip to leave it out (up to "
            "max_skipped of the series)"
        )
    return f"{series.name}: {reason}"


def _constant(values: np.ndarray) -> np.ndarray:
    """Of each channel whether it never changes, int64 (C,); missing values aside."""
    low = np.where(np.isnan(values), np.inf, values).min(0)
    high = np.where(np.isnan(values), -np.inf, values).max(0)
    return (low >= high).astype(np.int64)


def blocks(steps: np.ndarray, most: int) -> Iterator[slice]:
    """Runs of whole series of at most ``most`` time steps together, of at least one series each."""
    a, total = 0, 0
    for b, length in enumerate(steps):
        if b > a and total + length > most:
            yield slice(a, b)
            a, total = b, 0
        total += length
    if len(steps):
        yield slice(a, len(steps))
