"""From recordings to the prepared store: all of it, or nothing."""

from pathlib import Path
from typing import Any

import numpy as np

from ...arrays import map_array, release
from ...data.labels import Labels
from ...data.oddities import extreme_note, repeated_extreme
from ...data.splits import FIELDS, RECORDING, SPLITS
from ...data.targets import PREFIX
from ...data.windows import Windows
from ...errors import InputError
from ...files import sha256, staged, write_csv, write_json
from .dataset import SeriesDataset
from .preparation.division import divide
from .preparation.labels import read_labels
from .preparation.manifest import described, spoken, steps_in_several_parts
from .preparation.recordings import Recordings, read_recordings
from .preparation.shared_steps import shared_steps
from .preparation.statistics import channel_statistics, offsets_and_scales
from .sources.read import open_source
from .store import windows_of

OFFSET, SCALE = "offset", "scale"
_MOST_SAMPLES = 5_000_000  # rows of splits.csv
_LOOKED_AT = 4_000_000  # values among which codes for missing ones are looked for


def prepare(dataset: SeriesDataset, out: Path, workers: int) -> dict[str, Any]:
    """Run the step; returns the manifest.

    Raises:
        InputError: a source that cannot be used; nothing is left behind then.
    """
    source = open_source(dataset)
    path = str(source.path)
    with staged(out) as folder:
        found = read_recordings(source, dataset, folder / "values.npy")
        labels, notes = read_labels(found, dataset, path)
        segments, groups = divide(found, labels.codes, dataset, path)
        values = map_array(folder / "values.npy")
        leaks = {} if dataset.split.kind == "time" else shared_steps(values, found, segments[:, 3])
        if leaks and dataset.on_shared != "keep":
            segments = _without(leaks, segments, found, dataset, path)
            notes.append(f"left out: {len(leaks)} series that share time steps with an earlier part")
        if torn := steps_in_several_parts(segments):
            raise InputError(f"{path}: {torn} time steps are in more than one part, expected none")
        np.save(folder / "segments.npy", segments)
        mean, std = channel_statistics(values, segments)
        windows = _windows(segments, dataset, path)
        scales = offsets_and_scales(values, windows, mean, std)
        notes += _oddities(values, found.channels)
        columns = _write_splits(folder, windows, segments, found, labels, groups, scales, dataset)
        manifest = {
            **described(dataset, found, labels, segments, windows, groups),
            "channels": {
                "names": list(found.channels),
                "mean": mean.tolist(),
                "std": std.tolist(),
                "fitted_on": "train",
            },
            "step": source.step,
            "shared": {
                "series": len(leaks) if dataset.on_shared == "keep" else 0,
                "examples": [[found.names[i] for i in pair] for pair in list(leaks.items())[:20]],
            },
            "columns": columns,
            "notes": [*source.notes, *notes],
            "sha256": {
                name: sha256(folder / name) for name in ("values.npy", "segments.npy", "splits.csv")
            },
        }
        write_json(folder / "manifest.json", manifest)
    return manifest


def _oddities(values: np.ndarray, channels: tuple[str, ...]) -> list[str]:
    """A sentence for each channel with a value that looks as if it stood for a missing one."""
    every = max(1, values.size // _LOOKED_AT)
    some = np.asarray(values[::every])
    release(values)
    looked_at = f" (of {len(some):,} looked at)" if every > 1 else ""
    odd = {name: repeated_extreme(some[:, i]) for i, name in enumerate(channels)}
    return [extreme_note(f"CHECK {name}{looked_at}", found) for name, found in odd.items() if found]


def _without(
    leaks: dict[int, int], segments: np.ndarray, found: Recordings, dataset: SeriesDataset, path: str
) -> np.ndarray:
    """Segments without the series that share time steps with an earlier part.

    Raises:
        InputError: the settings do not let them be left out, or a part would be empty.
    """
    part = segments[:, 3]
    if dataset.on_shared == "fail":
        test = sum(part[i] == 2 for i in leaks)
        first = next((pair for pair in leaks.items() if part[pair[0]] == 2), next(iter(leaks.items())))
        here, there = (found.names[i] for i in first)
        raise InputError(
            f"{path}: {len(leaks)} series of val and test ({test} of test) share time steps with one of "
            f"an earlier part, e.g. {here} and {there}: split recordings before cutting windows; set "
            "on_shared: drop to leave them out, or keep"
        )
    kept = segments[~np.isin(segments[:, 0], list(leaks))]
    for code, name in enumerate(SPLITS):
        if not (kept[:, 3] == code).any():
            raise InputError(
                f"{path}: every series of {name} shares time steps with an earlier part; give the "
                "recording of each series as its group, so that val is not drawn from windows of "
                "training"
            )
    return kept


def _windows(segments: np.ndarray, dataset: SeriesDataset, path: str) -> Windows:
    windows = windows_of(segments, dataset.model_dump())
    if len(windows) > _MOST_SAMPLES:
        raise InputError(
            f"{path}: stride {dataset.stride or dataset.context_length} gives {len(windows):,} windows, "
            f"expected at most {_MOST_SAMPLES:,}; set a larger stride"
        )
    return windows


def _write_splits(
    folder: Path,
    windows: Windows,
    segments: np.ndarray,
    found: Recordings,
    labels: Labels,
    groups: np.ndarray | None,
    scales: tuple[np.ndarray, np.ndarray],
    dataset: SeriesDataset,
) -> dict[str, Any]:
    """Write splits.csv, a row per sample; returns what its columns are (``data.splits.Columns``)."""
    rows = np.arange(len(windows))
    segment = windows.segment(rows)
    series, whole = segments[segment, 0], dataset.context_length is None
    start = windows.places(rows)[0] - found.begin[series]
    sources = (
        found.names[s] if whole else f"{found.names[s]}@{t}" for s, t in zip(series, start, strict=True)
    )
    columns = [rows, (SPLITS[c] for c in segments[segment, 3]), labels.codes[series], sources]
    header, unit = list(FIELDS), "series"
    if groups is not None or not whole:
        header, unit = [*header, "group"], "series" if groups is None else dataset.group or "group"
        columns.append(_units(series, start, found, groups, dataset))
    cut = groups is not None and not whole and dataset.split.kind == "series"
    if cut:
        header.append(RECORDING)
        columns.append([found.names[s] for s in series])
    for name, texts in labels.targets.items():
        header.append(PREFIX + name)
        columns.append([texts[s] for s in series])
    taken = {OFFSET, SCALE} & set(labels.targets)
    own = {name: v for name, v in zip((OFFSET, SCALE), scales, strict=True) if name not in taken}
    for name, values in own.items():
        header.append(PREFIX + name)
        columns.append(f"{v:.6g}" for v in values)
    write_csv(folder / "splits.csv", header, zip(*columns, strict=True))
    return {
        "unit": "stretch of time" if dataset.split.kind == "time" else unit,
        "stretches": dataset.split.kind == "time",
        "recordings": "series" if cut else None,
        "targets": labels.kinds | dict.fromkeys(own, "numbers"),
        "nuisance_targets": [*labels.nuisances, *own],
    }


def _units(
    series: np.ndarray,
    start: np.ndarray,
    found: Recordings,
    groups: np.ndarray | None,
    dataset: SeriesDataset,
) -> list[str]:
    """What is resampled for intervals, a text per sample: the group or series; of series that are cut in
    time, stretches of one window with its future, as windows that overlap rise and fall together."""
    if dataset.split.kind == "time":
        return [f"{found.names[s]} {t // dataset.span}" for s, t in zip(series, start, strict=True)]
    names = found.names if groups is None else groups
    return [str(names[s]) for s in series]


def summary(manifest: dict[str, Any], folder: Path) -> list[str]:
    """What was found, for the terminal."""
    return spoken(manifest)
