"""Videos in arrays of numpy: .npy, and .npz with labels.

Shapes: N videos, T frames, H x W pixels, C channels.
"""

from functools import partial
from pathlib import Path

import numpy as np

from ....arrays import release
from ....data import groups
from ....data.splits import SPLITS
from ....errors import InputError
from ..dataset import VideoDataset
from .parts import part_code
from .source import Video, VideoSource

_VIDEOS, _LABELS = ("x", "videos", "clips"), ("labels", "y")
_OWN = (*_LABELS, "groups", "split")

# (videos, labels (n,) or None, split code) of each part.
Parts = list[tuple[np.ndarray, np.ndarray | None, int]]


def open_arrays(path: Path, dataset: VideoDataset) -> VideoSource:
    """An .npy, mapped into memory, or an .npz, which is read whole.

    Raises:
        InputError: damaged files, pickles, other types or shapes than told, arrays of unequal length.
    """
    arrays = _read(path)
    notes: list[str] = []
    parts = _parts(arrays, path, notes) if path.suffix != ".npy" else [(arrays["x"], None, -1)]
    number = 0
    for x, labels, _ in parts:
        _check_videos(x, path, notes)
        number += len(x)
        if labels is not None and labels.size != len(x):
            raise InputError(f"{path}: found {labels.size} labels for {len(x)} videos, expected equal")
    labels = [text for x, y, _ in parts for text in _labels(y, len(x), path)]
    named = groups.of_array(arrays.get("groups"), number, path)
    _check_groups(named, path)
    given = _given(arrays.get("split"), parts, path)
    further = {
        name: _column(arrays, name, number, path) for name in (*dataset.targets, *dataset.nuisances)
    }
    _note_unused(arrays, dataset, path, notes)
    if len(parts) > 1:
        brought = ", ".join(SPLITS[code] for _, _, code in parts)
        notes.append(f"parts given: {brought}")
    videos, at = [], 0
    for x, _, code in parts:
        for i in range(len(x)):
            name = f"{path.name}[{f'{SPLITS[code]}:' if code >= 0 else ''}{i}]"
            group = "" if named is None else str(named[at])
            columns = {key: texts[at] for key, texts in further.items()}
            videos.append(
                Video(name, partial(_video, x, i), x.shape[1], labels[at], group, given[at], columns)
            )
            at += 1
    return VideoSource(path, videos, notes, "" if named is None else "of array 'groups'")


def _check_groups(named: np.ndarray | None, path: Path) -> None:
    """Every video has a group where any has: one without would count as a group of its own."""
    empty = [i for i, text in enumerate([] if named is None else named.tolist()) if not text.strip()]
    if empty:
        raise InputError(
            f"{path}: groups: video {empty[0]}: found an empty text ({len(empty)} of {len(named)} are), "
            "expected a group for every video; fill it in, or leave the array groups out"
        )


def _video(x: np.ndarray, i: int) -> np.ndarray:
    video = np.array(x[i])
    release(x)
    return video


def _read(path: Path) -> dict[str, np.ndarray]:
    """Arrays by name; of an .npy "x"."""
    name = ""
    try:
        if path.suffix == ".npy":
            return {"x": np.load(path, mmap_mode="r", allow_pickle=False)}
        with path.open("rb") as raw:
            file = np.load(raw, allow_pickle=False)
            if isinstance(file, np.ndarray):
                raise ValueError("an .npy file under another name")
            arrays = {}
            for name in file.files:
                arrays[name] = file[name]
            return arrays
    except Exception as error:  # a damaged file raises what its decoder raises
        text, place = (str(error).splitlines() or [type(error).__name__])[0], path
        if "ickle" in text or "object" in text.lower():
            raise InputError(
                f"{place}{f': array {name!r}' if name else ''}: found Python objects (a pickle), or no "
                "file of numpy; expected numbers or texts: write videos of equal shape as one uint8 "
                "array, and texts with astype(str)"
            ) from None
        raise InputError(f"{path}: not a readable .npz or .npy file: {text}; write it again") from None


def _parts(arrays: dict[str, np.ndarray], path: Path, notes: list[str]) -> Parts:
    whole = [name for name in _VIDEOS if name in arrays]
    if len(whole) > 1:
        raise InputError(f"{path}: found arrays {' and '.join(whole)}, expected one of them")
    train = [(name, s) for s, part in enumerate(SPLITS) if (name := f"x_{part}") in arrays]
    if whole and train:
        raise InputError(f"{path}: found arrays {whole[0]} and {train[0][0]}, expected one or the other")
    if whole:
        own = [name for name in _LABELS if name in arrays]
        if len(own) > 1:
            raise InputError(f"{path}: found arrays labels and y, expected one of them")
        notes.append(f"{path.name}: took array {whole[0]!r} as the videos")
        notes += [f"{path.name}: took array {name!r} as the labels" for name in own]
        return [(arrays[whole[0]], arrays[own[0]] if own else None, -1)]
    if not train or train[0][1] != 0:
        raise InputError(
            f"{path}: found arrays {', '.join(sorted(arrays)) or 'none'}; expected the videos as "
            f"{', '.join(_VIDEOS[:-1])} or {_VIDEOS[-1]}, or x_train/y_train/x_test/y_test"
        )
    if "split" in arrays:
        raise InputError(f"{path}: found arrays x_train and split, expected one or the other")
    if no := [name for name, s in train if (f"y_{SPLITS[s]}" in arrays) != ("y_train" in arrays)]:
        raise InputError(f"{path}: found labels of some parts only, expected y_{no[0][2:]} as y_train")
    return [(arrays[name], arrays.get(f"y_{SPLITS[s]}"), s) for name, s in train]


def _check_videos(x: np.ndarray, path: Path, notes: list[str]) -> None:
    want = "expected uint8 (N, T, H, W), or (N, T, H, W, C) with C = 1 or 3"
    if x.ndim == 3:
        raise InputError(f"{path}: found shape {x.shape}, as of one video; {want}: add an axis, x[None]")
    if x.ndim not in (4, 5) or (x.ndim == 5 and x.shape[4] not in (1, 3)):
        first = x.ndim == 5 and x.shape[2] in (1, 3)
        remedy = ": move the channels to the end, np.moveaxis(x, 2, 4)" if first else ""
        raise InputError(f"{path}: found shape {x.shape}; {want}{remedy}")
    if x.ndim == 4 and x.shape[3] in (1, 3, 4):
        raise InputError(f"{path}: found shape {x.shape}, as of one video in colour; {want}: x[None]")
    if x.dtype.kind == "f":
        raise InputError(
            f"{path}: found pixels of type {x.dtype}, {want}; bring them to 0..255 and convert them, "
            "such as np.round(255 * x).astype(np.uint8) of values from 0 to 1"
        )
    if x.dtype != np.uint8:
        raise InputError(
            f"{path}: found pixels of type {x.dtype}, {want}; bring them to 0..255 and convert them "
            "with astype(np.uint8)"
        )
    if 0 in x.shape:
        raise InputError(f"{path}: found shape {x.shape}, without any pixels; {want}")
    if len(x) < x.shape[1]:
        notes.append(
            f"{path.name}: read as N = {len(x)} videos of T = {x.shape[1]} frames; where it is the "
            "other way round, as in the file of Moving MNIST, swap the first two axes"
        )


def _labels(labels: np.ndarray | None, n: int, path: Path) -> list[str]:
    """Labels as texts, "" for -1 and for none."""
    if labels is None:
        return [""] * n
    if labels.dtype.kind not in "iuUS":
        raise InputError(f"{path}: found labels of type {labels.dtype}, expected integers or texts")
    return [_text(value, path) for value in labels.reshape(-1).tolist()]


def _text(value: object, path: Path) -> str:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise InputError(
                f"{path}: found a text that is not UTF-8, {value!r}; encode it anew"
            ) from None
    if value == -1 or (isinstance(value, float) and value != value):
        return ""
    return str(value)


def _given(split: np.ndarray | None, parts: Parts, path: Path) -> list[int]:
    if split is None:
        return [code for x, _, code in parts for _ in range(len(x))]
    number = len(parts[0][0])
    if split.size != number or split.dtype.kind not in "iuUS":
        raise InputError(
            f"{path}: split: found {split.size} of type {split.dtype}, expected {number} texts (train, "
            "val, test), or codes 0, 1, 2"
        )
    codes = {str(code): code for code in range(3)} | {"-1": -1}
    texts = [value.decode(errors="replace") if isinstance(value, bytes) else str(value)
             for value in split.reshape(-1).tolist()]  # fmt: skip
    return [
        codes[text] if text in codes else part_code(text, f"{path}: split: video {i}")
        for i, text in enumerate(texts)
    ]


def _column(arrays: dict[str, np.ndarray], name: str, n: int, path: Path) -> list[str]:
    """An array of one value per video, as texts."""
    if name not in arrays:
        found = ", ".join(sorted(arrays))
        raise InputError(f"{path}: targets and nuisances: found no array {name!r}; there are {found}")
    values = arrays[name]
    if values.size != n or values.dtype.kind not in "iufUSb":
        raise InputError(
            f"{path}: {name}: found {values.size} of type {values.dtype}, expected {n} numbers or "
            "texts, one per video (train, then val, then test)"
        )
    if values.dtype.kind in "iub":  # here -1 is a number like others
        return [str(int(value)) for value in values.reshape(-1).tolist()]
    return [
        _text(value, path) if isinstance(value, bytes) or value != value else str(value)
        for value in values.reshape(-1).tolist()
    ]


def _note_unused(
    arrays: dict[str, np.ndarray], dataset: VideoDataset, path: Path, notes: list[str]
) -> None:
    if path.suffix == ".npy":
        return
    known = {*_VIDEOS, *_OWN, *dataset.targets, *dataset.nuisances}
    known |= {f"{axis}_{part}" for axis in "xy" for part in SPLITS}
    if unused := sorted(arrays.keys() - known):
        notes.append(f"{path.name}: {len(unused)} further arrays are not used: {', '.join(unused[:5])}")
