"""Tables with named columns, read by pandas: a row per time step (long) or a row per series (wide)."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ....errors import InputError
from ..dataset import SeriesDataset
from .columns import Texts, as_texts, channel_matrix, check_constant, id_text, pick_channels
from .frames import open_frame
from .keys import find_keys
from .source import Series, SeriesSource
from .steps import check_steps
from .text import count, part_code, shown, trimmed
from .times import Timeline, drop_repeated, parse_times, timeline

if TYPE_CHECKING:
    import pandas as pd


def open_table(path: Path, dataset: SeriesDataset) -> SeriesSource:
    """A .csv, .tsv (also .gz) or .parquet.

    Raises:
        InputError: as ``open_frame`` and ``find_keys``; values that are no numbers; times that are
            unreadable, out of order, repeated or uneven; annotations that change within a series.
    """
    names, read = open_frame(path)
    notes: list[str] = []
    if dataset.layout == "wide" and (dataset.keys.time or dataset.step):
        field = "step" if dataset.step else "keys.time"
        raise InputError(
            f"{path}: {field}: found with layout wide, expected null: columns are the steps"
        )
    keys = find_keys(names, dataset, path, notes)
    annotations = {key: keys[key] for key in ("label", "group", "split") if keys[key]}
    further = [*dataset.targets, *dataset.nuisances]
    text = {*annotations.values(), *further, *filter(None, [keys["series"]])}
    frame = read(text)
    _refuse_guessed_merge(frame, keys, dataset, path)
    used = text | {name for name in keys.values() if name}
    channels = pick_channels(frame, used, dataset, path, notes)
    places = {f"column {name}": name for name in further} | annotations
    marks = {key: as_texts(frame[name], f"{path}: column {name!r}") for key, name in places.items()}
    _check_groups(marks.get("group"), annotations, path)
    opener = _long if dataset.layout == "long" else _wide
    return opener(frame, keys, channels, _Marks(marks, places, path), dataset, notes)


def _check_groups(groups: Texts | None, annotations: dict[str, str], path: Path) -> None:
    """Every series has a group where any has: one without would count as a group of its own.

    Raises:
        InputError: a row without a group.
    """
    empty = [] if groups is None else np.flatnonzero(groups.codes == groups.texts.index(""))
    if len(empty):
        raise InputError(
            f"{path}: column {annotations['group']!r}: row {empty[0] + 1}: found no group, expected one "
            "for every series; fill it in, or set keys.group: none to do without groups"
        )


def _refuse_guessed_merge(
    frame: "pd.DataFrame", keys: dict[str, str | None], dataset: SeriesDataset, path: Path
) -> None:
    """Refuse to take rows of several groups for one series because no column of series was found.

    Raises:
        InputError: as it says.
    """
    group = keys["group"]
    if dataset.layout == "wide" or keys["series"] or not group or dataset.keys.series == "none":
        return
    if frame[group].nunique() > 1:
        raise InputError(
            f"{path}: found no column of series, but groups in column {group!r}; set keys.series: "
            f"{group} if each is one recording (and keys.group: none), or the column that tells "
            "recordings apart"
        )


class _Marks:
    """Annotations of rows: label, group, split, and further columns."""

    def __init__(self, texts: dict[str, Texts], places: dict[str, str], path: Path) -> None:
        self.texts, self.places, self.path = texts, places, path

    def of(self, row: int) -> dict:
        """What a row says of its series, as fields of ``Series``."""
        found = {key: texts[row] for key, texts in self.texts.items()}
        split = found.get("split", "")
        place = f"{self.path}: column {self.places.get('split')!r}: row {row + 1}"
        columns = {k.removeprefix("column "): v for k, v in found.items() if k.startswith("column ")}
        return {
            "label": found.get("label", ""),
            "group": found.get("group", ""),
            "given": part_code(split, place, "set keys.split: none"),
            "columns": columns,
        }


def _ids(frame: "pd.DataFrame", name: str | None, path: Path) -> Texts:
    """Which series each row belongs to."""
    if name is None:
        return Texts(np.zeros(len(frame), np.int64), [path.name])
    ids = as_texts(frame.pop(name), f"{path}: column {name!r}", id_text)
    missing = np.flatnonzero(ids.codes == ids.texts.index("")) if "" in ids.texts else []
    if len(missing):
        raise InputError(
            f"{path}: column {name!r}: row {missing[0] + 1}: found no series, expected the name of one"
        )
    return ids


def _long(
    frame: "pd.DataFrame",
    keys: dict[str, str | None],
    channels: list[str],
    marks: _Marks,
    dataset: SeriesDataset,
    notes: list[str],
) -> SeriesSource:
    path = marks.path
    ids = _ids(frame, keys["series"], path)
    order = np.argsort(ids.codes, kind="stable")
    line = None
    if keys["time"]:
        place = f"{path}: column {keys['time']!r}"
        times = parse_times(frame.pop(keys["time"]), place, notes)
        order = drop_repeated(times, order, ids, place, dataset, notes)
        line = timeline(times, order, ids, place, dataset, notes)
        notes[:] = [note.replace(f"{path}:", f"{path.name}:", 1) for note in notes]
    elif dataset.step:
        raise InputError(
            f"{path}: step: found {dataset.step!r} without a column of times; set keys.time"
        )
    same = np.diff(ids.codes[order]) == 0
    if len(order) > 3 and not same.any():
        raise InputError(
            f"{path}: column {keys['series']!r}, taken for the series: found another value in every "
            "row, expected one per recording; name the column in keys.series"
        )
    if not dataset.keys.channels:
        _refuse_constant(frame, channels, order, same, path)
    for key, texts in marks.texts.items():
        named = key.startswith("column ")
        remedy = "take it out of targets or nuisances" if named else f"set keys.{key}: none"
        if key == "split":  # parts of one series by row, most often without a gap between them
            remedy += " and split.kind: time, which leaves a gap at each cut,"
        check_constant(texts, order, same, ids, f"{path}: column {marks.places[key]!r}", remedy)
    values = channel_matrix(frame, channels, path)
    edges = [0, *(np.flatnonzero(~same) + 1).tolist(), len(order)]
    series = _long_series(values, order, edges, ids, marks, line)
    return SeriesSource(path, series, tuple(channels), line.step if line else "", notes)


def _refuse_constant(
    frame: "pd.DataFrame", channels: list[str], order: np.ndarray, same: np.ndarray, path: Path
) -> None:
    """Refuse a column that was taken for a channel and is a label or a key, by what it holds.

    Raises:
        InputError: it never changes within a series, and differs between series.
    """
    for name in channels:
        values = frame[name].to_numpy()[order]
        equal = (values[1:] == values[:-1]) | (values[1:] != values[1:])
        if same.any() and not same.all() and equal[same].all() and not equal.all():
            raise InputError(
                f"{path}: column {name!r}: found one value within each series and several between them, "
                f"which is a label or a key more often than a channel; set keys.label or keys.group: "
                f"{name}, or list the channels in keys.channels"
            )


def _long_series(
    values: np.ndarray,
    order: np.ndarray,
    edges: list[int],
    ids: Texts,
    marks: _Marks,
    line: Timeline | None,
) -> Iterator[Series]:
    for a, b in pairwise(edges):
        rows = order[a:b]
        found, times = values[rows], None
        if line:
            places = line.places(a, b)
            if places[-1] + 1 > len(rows):
                found = np.full((places[-1] + 1, values.shape[1]), np.nan, np.float32)
                found[places] = values[rows]
            times = line.times.text(rows[0]), line.times.text(rows[-1])
        yield Series(ids[rows[0]], found, times=times, **marks.of(rows[0]))


def _wide(
    frame: "pd.DataFrame",
    keys: dict[str, str | None],
    steps: list[str],
    marks: _Marks,
    dataset: SeriesDataset,
    notes: list[str],
) -> SeriesSource:
    path = marks.path
    if not dataset.keys.channels:
        check_steps(steps, path, notes)
    names = _ids(frame, keys["series"], path) if keys["series"] else None
    if names and len(names.texts) - ("" in names.texts) < len(frame):
        row = next(i for i in range(len(frame)) if names.codes[i] in names.codes[:i])
        raise InputError(
            f"{path}: column {keys['series']!r}: row {row + 1}: found {shown(names[row])} again, "
            "expected a row per series; for a row per time step set layout: long"
        )
    notes.append(
        f"{path.name}: took {count(len(steps), 'column')} as time steps, {steps[0]!r} to {steps[-1]!r}"
    )
    values = channel_matrix(frame, steps, path)
    return SeriesSource(path, _wide_series(values, names, marks, notes), notes=notes)


def _wide_series(
    values: np.ndarray, names: Texts | None, marks: _Marks, notes: list[str]
) -> Iterator[Series]:
    shorter = 0
    for row, steps in enumerate(values):
        kept = trimmed(steps)
        shorter += len(kept) < len(steps)
        name = names[row] if names else f"{marks.path.name}: row {row + 1}"
        yield Series(name, kept[:, np.newaxis].copy(), **marks.of(row))
    if shorter:
        notes.append(
            f"{marks.path.name}: missing values at the end of {shorter} of "
            f"{count(len(values), 'series', 'series')} are read as the end of a shorter series"
        )
