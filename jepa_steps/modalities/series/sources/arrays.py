"""Series in arrays: .npy of shape (N, T) or (N, T, C), and .npz with labels and parts.

Names in an .npz: X, x, data or series, with y or labels. Or a part each: x_train (X_train, train_x,
train_X) with y_train (labels_train, train_y, train_labels), and the same of val and test. Beside them
groups, split, lengths, and the arrays that targets and nuisances name (with parts: groups_train or
train_groups); channels holds names. Pickles are not read.

Shapes: N series, T time steps, C channels.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np

from ....data.splits import SPLITS
from ....errors import InputError
from ..dataset import SeriesDataset
from .array_files import load_npy, load_npz, shaped
from .keys import listed
from .source import Series, SeriesSource
from .text import as_float32, count, label_text, part_code

_VALUES = ("X", "x", "data", "series")
_LABELS = ("y", "labels")


@dataclass(frozen=True)
class Part:
    """Series of one array.

    x: (N, T, C); name: of its array; given: part; label and group: N texts; lengths: int64 (N,);
    splits: N texts of the array ``split``; columns: N texts by name. None and empty = there are none.
    """

    x: np.ndarray
    name: str
    given: int = -1
    label: list[str] | None = None
    group: list[str] | None = None
    splits: list[str] | None = None
    lengths: np.ndarray | None = None
    columns: dict[str, list[str]] = field(default_factory=dict)


def open_arrays(path: Path, dataset: SeriesDataset) -> SeriesSource:
    """An .npy, mapped into memory, or an .npz.

    Raises:
        InputError: another kind of file, pickles, damage, shapes or names that do not fit; iterating
            raises infinite values.
    """
    notes: list[str] = []
    further = (*dataset.targets, *dataset.nuisances)
    ending = path.suffix.lower()
    if ending == ".npy":
        if further:
            raise InputError(
                f"{path}: targets or nuisances: found {further[0]!r}, expected none with "
                ".npy; write an .npz"
            )
        parts, channels = [Part(shaped(load_npy(path), str(path), notes), path.name)], ()
    elif ending == ".npz":
        arrays = load_npz(path)
        parts = _parts(arrays, path, further, notes)
        channels = _channel_names(arrays.pop("channels", None), parts, path)
        if arrays:
            notes.append(f"{path.name}: left out: arrays {listed(sorted(arrays))}, not used")
    else:
        raise InputError(f"{path}: expected a name that ends in .npy or .npz")
    series = chain.from_iterable(_read(part, path, notes) for part in parts)
    return SeriesSource(path, series, channels, notes=notes)


def _parts(
    arrays: dict[str, np.ndarray], path: Path, further: tuple[str, ...], notes: list[str]
) -> list[Part]:
    """The parts of an .npz; what is read is taken out of ``arrays``."""
    whole = [name for name in _VALUES if name in arrays]
    given = [
        (code, part) for code, part in enumerate(SPLITS) if _names(_VALUES[:2], part) & arrays.keys()
    ]
    if bool(whole) == bool(given) or (given and given[0][0] != 0):
        raise InputError(
            f"{path}: found arrays {listed(sorted(arrays))}, expected one of {', '.join(_VALUES)}, or "
            "x_train and x_test (with y_train and y_test)"
        )
    parts = [_part(arrays, path, part, code, further, notes) for code, part in given or [(-1, "")]]
    widths = {part.name: part.x.shape[2] for part in parts}
    if len(set(widths.values())) > 1:
        found = ", ".join(f"{n} in {name}" for name, n in widths.items())
        raise InputError(f"{path}: found channels: {found}; expected equal numbers")
    return parts


def _part(
    arrays: dict[str, np.ndarray],
    path: Path,
    part: str,
    code: int,
    further: tuple[str, ...],
    notes: list[str],
) -> Part:
    name, x = _take(arrays, _VALUES if not part else _VALUES[:2], part, path)
    x = shaped(x, f"{path}: array {name!r}", notes)
    taken = {}
    for what, names in (("label", (*_LABELS, "Y")), ("group", ("groups",)), ("splits", ("split",))):
        of, values = _take(arrays, names, part, path)
        taken[what] = None if values is None else _texts(values, len(x), f"{path}: array {of!r}", name)
    if part and taken["splits"]:
        raise InputError(f"{path}: found an array split beside {name}, expected one or the other")
    columns = {}
    for column in further:
        of, values = _take(arrays, (column,), part, path)
        if values is None:
            wanted = f"{column}_{part}" if part else column
            raise InputError(
                f"{path}: targets or nuisances: found no array {wanted!r}, expected one of "
                f"{listed(sorted(arrays))}"
            )
        columns[column] = _texts(values, len(x), f"{path}: array {of!r}", name)
    of, lengths = _take(arrays, ("lengths",), part, path)
    if lengths is not None:
        lengths = _checked_lengths(lengths, x.shape, f"{path}: array {of!r}", name)
    return Part(x, name, code, lengths=lengths, columns=columns, **taken)


def _names(names: tuple[str, ...], part: str) -> set[str]:
    return {n for name in names for n in (f"{name}_{part}", f"{part}_{name}")} if part else set(names)


def _take(
    arrays: dict[str, np.ndarray], names: tuple[str, ...], part: str, path: Path
) -> tuple[str, np.ndarray | None]:
    found = sorted(_names(names, part) & arrays.keys())
    if len(found) > 1:
        raise InputError(f"{path}: found arrays {listed(found)}, expected one of them")
    return (found[0], arrays.pop(found[0])) if found else ("", None)


def _texts(values: np.ndarray, number: int, place: str, of: str) -> list[str]:
    if values.size != number or values.ndim not in (1, 2):
        raise InputError(
            f"{place}: found shape {values.shape}, expected {number} values, one per series of {of}"
        )
    if values.dtype.kind not in "biufUS":
        raise InputError(f"{place}: found values of type {values.dtype}, expected numbers or texts")
    try:
        texts = [label_text(value) for value in values.reshape(-1).tolist()]
    except UnicodeDecodeError:
        raise InputError(f"{place}: found bytes that are not UTF-8; encode the texts anew") from None
    if values.dtype.kind == "f" and np.isinf(values).any():
        raise InputError(f"{place}: found an infinite value, expected finite ones; NaN = unknown")
    return texts


def _checked_lengths(lengths: np.ndarray, shape: tuple[int, ...], place: str, of: str) -> np.ndarray:
    if lengths.shape != (shape[0],) or lengths.dtype.kind not in "iu":
        raise InputError(
            f"{place}: found {lengths.dtype} of shape {lengths.shape}, expected {shape[0]} whole "
            f"numbers, one per series of {of}"
        )
    bad = np.flatnonzero((lengths < 1) | (lengths > shape[1]))
    if len(bad):
        raise InputError(
            f"{place}: found {lengths[bad[0]]} for series {bad[0]}, expected 1 to {shape[1]}, the time "
            f"steps of {of}"
        )
    return lengths.astype(np.int64)


def _channel_names(values: np.ndarray | None, parts: list[Part], path: Path) -> tuple[str, ...]:
    if values is None:
        return ()
    place, wanted = f"{path}: array 'channels'", parts[0].x.shape[2]
    if values.dtype.kind not in "US" or values.ndim != 1:
        raise InputError(
            f"{place}: found {values.dtype} of shape {values.shape}, expected names as texts"
        )
    names = tuple(_texts(values, values.size, place, "channels"))
    if len(names) != wanted:
        hint = "; use transpose(0, 2, 1)" if len(names) == parts[0].x.shape[1] else ""
        raise InputError(
            f"{place}: found {count(len(names), 'name')}, expected {wanted}: {parts[0].name} has shape "
            f"{parts[0].x.shape}, (series, time steps, channels){hint}"
        )
    if len(set(names)) < len(names) or "" in names:
        raise InputError(
            f"{place}: found {listed(names)}, expected names that differ, none of them empty"
        )
    return names


def _read(part: Part, path: Path, notes: list[str]) -> Iterator[Series]:
    padded = 0
    for i in range(len(part.x)):
        place = f"{path}: {part.name}: series {i}"
        steps = part.x.shape[1] if part.lengths is None else int(part.lengths[i])
        values = as_float32(
            part.x[i, :steps], lambda at, place=place: f"{place}, time step {at[0]}, channel {at[1]}"
        )
        padded += bool(part.lengths is None and np.isnan(values[-1]).all())
        split = part.given
        if part.splits:
            split = part_code(part.splits[i], place, "take out the array split")
        yield Series(
            f"{path.name}[{'' if part.name == path.name else part.name + ':'}{i}]",
            values,
            part.label[i] if part.label else "",
            part.group[i] if part.group else "",
            split,
            {name: texts[i] for name, texts in part.columns.items()},
        )
    if padded:
        notes.append(
            f"{part.name}: {padded} of {count(len(part.x), 'series', 'series')} end in missing values, "
            "which count as missing; give an array lengths where they are padding"
        )
