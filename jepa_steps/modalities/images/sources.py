"""Where images come from: each reader lists samples, labels and given splits, and decodes nothing.

Splits are coded 0 = train, 1 = val, 2 = test; labels are class numbers, -1 = no label.
"""

import gzip
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...data import groups
from ...data.splits import SPLITS
from ...errors import InputError
from .settings import ImageDataset

_SPLIT_FOLDERS = {"train": 0, "training": 0, "val": 1, "valid": 1, "validation": 1, "test": 2}
_SKIPPED_FILES = {"thumbs.db", "desktop.ini", "license", "readme", "readme.md", "readme.txt"}


@dataclass(frozen=True)
class Source:
    """Samples before decoding.

    items: ``items(i)`` is sample i: a path, or a pixel array.
    names: where each sample comes from, for messages and the split table.
    labels: int64 (n,), -1 where unknown.
    classes: class names; empty without labels.
    given: int64 (n,) split codes, -1 where the project decides.
    groups: str (n,), the unit that never crosses splits, None where the source knows of none.
    """

    items: Callable[[int], Path | np.ndarray]
    names: list[str]
    labels: np.ndarray
    classes: list[str]
    given: np.ndarray
    groups: np.ndarray | None = None


def read_source(dataset: ImageDataset) -> Source:
    """List the samples of a data set.

    Raises:
        InputError: missing path, no images, an empty class, a single class, label mismatch.
    """
    path = Path(dataset.path)
    if not path.exists() and not (dataset.source == "torchvision" and dataset.download):
        raise InputError(f"path: {path} does not exist; expected the file or folder of the images")
    reader = {
        "digits": _digits,
        "folder": _folder,
        "npz": _npz,
        "idx": _idx,
        "torchvision": _torchvision,
    }[dataset.source]
    source = reader(path, dataset)
    if not source.names:
        raise InputError(f"{path}: no images found")
    _check_labels(source, path)
    return source


def _check_labels(source: Source, path: Path) -> None:
    if not source.classes:
        return
    if len(source.classes) == 1:
        raise InputError(
            f"{path}: found one class ({source.classes[0]!r}), expected at least 2; "
            "images without labels belong directly into the folder"
        )
    counts = np.bincount(source.labels[source.labels >= 0], minlength=len(source.classes))
    for name, count in zip(source.classes, counts, strict=True):
        if count < 3:
            raise InputError(
                f"{path}: class {name!r} has {count} images, expected at least 3 "
                "(train, val, test); add images or remove the class"
            )


def _arrays(parts: list[tuple[np.ndarray, np.ndarray | None, int]], path: Path) -> Source:
    """A source over in-memory arrays: (images (n, H, W[, C]), labels (n,) or None, split code)."""
    images, labels, given, names = [], [], [], []
    for x, y, split in parts:
        if x.ndim not in (3, 4):
            raise InputError(
                f"{path}: found images of shape {x.shape}, expected (n, H, W) or (n, H, W, C)"
            )
        if y is not None and y.size != len(x):
            raise InputError(f"{path}: found {y.size} labels for {len(x)} images, expected equal")
        names += [f"{path.name}[{SPLITS[split] + ':' if split >= 0 else ''}{i}]" for i in range(len(x))]
        labels.append(np.full(len(x), -1) if y is None else y.reshape(-1))
        given.append(np.full(len(x), split))
        images.append(x)
    starts = np.cumsum([0] + [len(x) for x in images])
    labels, given = np.concatenate(labels), np.concatenate(given).astype(np.int64)
    known = np.unique(labels[labels != -1]) if labels.dtype.kind in "iu" else np.unique(labels)
    if labels.dtype.kind not in "iuUS":
        raise InputError(f"{path}: found labels of type {labels.dtype}, expected integers or text")
    codes = np.full(len(labels), -1, dtype=np.int64)
    for code, value in enumerate(known):
        codes[labels == value] = code

    def item(i: int) -> np.ndarray:
        part = int(np.searchsorted(starts, i, side="right")) - 1
        return images[part][i - starts[part]]

    text = [v.decode() if isinstance(v, bytes) else str(v) for v in known.tolist()]
    return Source(item, names, codes, text, given)


def _digits(path: Path, dataset: ImageDataset) -> Source:
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)
    return _arrays([(images, digits.target, -1)], Path("digits"))


def _folder(path: Path, dataset: ImageDataset) -> Source:
    if not path.is_dir():
        raise InputError(f"path: {path} is not a folder")
    top = [p for p in _listed(path) if p.is_dir()]
    if top and {p.name.lower() for p in top} <= set(_SPLIT_FOLDERS):
        parts = [(p, _SPLIT_FOLDERS[p.name.lower()]) for p in top]
    else:
        parts = [(path, -1)]
    names, split_codes, class_of = [], [], []
    for folder, split in parts:
        folders = [p for p in _listed(folder) if p.is_dir()]
        loose = [p for p in _listed(folder) if p.is_file()]
        if folders and loose:
            raise InputError(
                f"{folder}: found {len(loose)} files (first: {loose[0].name}) beside "
                f"{len(folders)} class folders, expected one or the other"
            )
        for name, found in [(p.name, _files(p)) for p in folders] or [(None, loose)]:
            if not found:
                where = folder / name if name else folder
                raise InputError(f"{where}: no images in this folder; add some or remove it")
            names += [str(f.relative_to(path)) for f in found]
            split_codes += [split] * len(found)
            class_of += [name] * len(found)
    if None in class_of and any(class_of):
        raise InputError(f"{path}: some parts have class folders and some have none")
    classes = sorted({c for c in class_of if c is not None})
    code = {name: i for i, name in enumerate(classes)}
    labels = np.array([code.get(c, -1) for c in class_of], dtype=np.int64)
    given = np.array(split_codes, dtype=np.int64)
    named = groups.of_paths(names, dataset.groups, path)
    return Source(lambda i: path / names[i], names, labels, classes, given, named)


def _listed(folder: Path) -> list[Path]:
    hidden = (".", "_", "@")  # .DS_Store, __MACOSX, @eaDir
    return sorted(
        p
        for p in folder.iterdir()
        if not p.name.startswith(hidden) and p.name.lower() not in _SKIPPED_FILES
    )


def _files(folder: Path) -> list[Path]:
    return [f for p in _listed(folder) for f in (_files(p) if p.is_dir() else [p])]


def _npz(path: Path, dataset: ImageDataset) -> Source:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: not a readable .npz without pickles: {error}") from None
    source = _arrays(_npz_parts(arrays, path), path)
    return replace(source, groups=groups.of_array(arrays.get("groups"), len(source.names), path))


def _npz_parts(arrays: dict[str, np.ndarray], path: Path) -> list:
    if "images" in arrays:
        return [(arrays["images"], arrays.get("labels"), -1)]
    parts = []
    for split, name in enumerate(SPLITS):
        for images, labels in ((f"x_{name}", f"y_{name}"), (f"{name}_images", f"{name}_labels")):
            if images in arrays:
                parts.append((arrays[images], arrays.get(labels), split))
    if not parts or parts[0][2] != 0:
        raise InputError(
            f"{path}: found arrays {', '.join(sorted(arrays)) or 'none'}, expected images/labels, "
            "x_train/y_train/x_test/y_test, or train_images/train_labels/test_images/test_labels"
        )
    return parts


def _idx(path: Path, dataset: ImageDataset) -> Source:
    parts = []
    for split, prefixes in ((0, ("train",)), (2, ("t10k", "test"))):
        images = _one(path, [f"{p}-images*" for p in prefixes])
        labels = _one(path, [f"{p}-labels*" for p in prefixes])
        if images is not None:
            parts.append((_read_idx(images), _read_idx(labels) if labels else None, split))
    if not parts or parts[0][2] != 0:
        raise InputError(f"{path}: no train-images* file, expected IDX files of the MNIST family")
    return _arrays(parts, path)


def _one(folder: Path, patterns: list[str]) -> Path | None:
    found = sorted(f for pattern in patterns for f in folder.glob(pattern))
    return found[0] if found else None


def _read_idx(path: Path) -> np.ndarray:
    """An IDX file: two zero bytes, type code 8 (uint8), rank, big-endian int32 sizes, data."""
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            data = file.read()
    except (OSError, EOFError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    if len(data) < 8 or data[:3] != b"\0\0\x08":
        raise InputError(f"{path}: not an IDX file of unsigned bytes (starts {data[:4].hex()})")
    start = 4 + 4 * data[3]
    shape = tuple(int(n) for n in np.frombuffer(data[4:start], ">i4"))
    if len(data) - start != int(np.prod(shape)):
        raise InputError(
            f"{path}: found {len(data) - start} bytes, expected {int(np.prod(shape))} for {shape}; "
            "the file is truncated or damaged"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def _torchvision(path: Path, dataset: ImageDataset) -> Source:
    from .torchvision_source import open_datasets

    parts = open_datasets(dataset.torchvision_class, path, dataset.download)
    starts = np.cumsum([0] + [len(d) for d, _ in parts])
    labels, given, names = [], [], []
    for data, split in parts:
        targets = getattr(data, "targets", getattr(data, "labels", None))
        targets = [data[i][1] for i in range(len(data))] if targets is None else targets
        labels.append(np.asarray(targets, dtype=np.int64))
        given.append(np.full(len(data), split))
        names += [f"{dataset.torchvision_class}[{SPLITS[split]}:{i}]" for i in range(len(data))]
    labels = np.concatenate(labels)
    classes = getattr(parts[0][0], "classes", None) or [str(v) for v in range(labels.max() + 1)]

    def item(i: int) -> np.ndarray:
        part = int(np.searchsorted(starts, i, side="right")) - 1
        return np.asarray(parts[part][0][i - starts[part]][0])

    return Source(item, names, labels, [str(c) for c in classes], np.concatenate(given))
