"""Where images come from: each reader lists samples, labels and given splits, and decodes nothing.

Splits are coded 0 = train, 1 = val, 2 = test; labels are class numbers, -1 = no label.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from ...arrays import map_array
from ...data import groups
from ...data.beside import asked_columns, read_beside
from ...data.columns import array_texts, class_codes, take_column
from ...data.folders import Listed
from ...data.matching import SampleNames
from ...data.splits import SPLITS
from ...data.targets import Kind
from ...errors import InputError
from .arrays import Parts, idx_parts, npz_parts, read_npz
from .dataset import ImageDataset
from .folders import list_folder
from .preparation.items import Item, Row, Stack
from .preparation.stacks import stacked

# Columns of a table that name images, where the settings say none.
_USUAL = ("path", "filename", "file_name", "image", "image_id", "image_path")


@dataclass(frozen=True)
class Annotations:
    """What embeddings of n samples are asked for beside the label.

    columns, kinds: targets and nuisances by name, n texts each, "" = unknown. notes: what was guessed,
    counted or left out. left_out: names of samples that the table does not name.
    """

    columns: dict[str, list[str]]
    kinds: dict[str, Kind]
    notes: list[str]
    left_out: list[str]


@dataclass(frozen=True)
class Source:
    """SampleNames before decoding.

    items: ``items(i)`` is sample i: a path, a pixel array, or what else ``items`` has.
    names: where each sample comes from, for messages and the split table.
    labels: int64 (n,), -1 where unknown.
    classes: class names; empty without labels.
    given: int64 (n,) split codes, -1 where the project decides.
    groups: str (n,), the unit that never crosses splits, None where the source knows of none.
    notes: what was guessed and what was left out, a sentence each.
    ids: names that a table is matched by, None where samples are known by their order.
    annotations: what a table or further arrays say, None without.
    channels: their names, where files are named by them. unreadable: reasons of samples that were left
    out already.
    """

    items: Callable[[int], Item]
    names: list[str]
    labels: np.ndarray
    classes: list[str]
    given: np.ndarray
    groups: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    ids: list[str] | None = None
    annotations: Annotations | None = None
    channels: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()


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
        "npy": _npy,
        "idx": _idx,
        "torchvision": _torchvision,
    }[dataset.source]
    source = reader(path, dataset)
    if not source.names:
        raise InputError(f"{path}: no images found")
    if dataset.table is not None:
        source = _with_table(source, dataset)
    _check_labels(source, path)
    return source


def _with_table(source: Source, dataset: ImageDataset) -> Source:
    """What the table says, in place of what the source says of the same."""
    files, n = dataset.source == "folder", len(source.names)
    told = read_beside(SampleNames(dataset.path, "images", n, source.ids, files, _USUAL), dataset)
    kept, labels, classes = told.kept, source.labels[told.kept], source.classes
    if told.labels is not None:
        labels, classes = class_codes(told.labels)
    groups = source.groups if source.groups is None else source.groups[kept]
    return replace(
        source,
        items=lambda i: source.items(int(kept[i])),
        names=[source.names[i] for i in kept],
        labels=labels,
        classes=classes,
        given=source.given[kept] if told.given is None else told.given,
        groups=groups if told.groups is None else told.groups,
        ids=None,
        annotations=Annotations(
            told.columns, told.kinds, [*told.notes, *told.of_columns], told.left_out
        ),
    )


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


def _arrays(parts: Parts, path: Path) -> Source:
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

    text = [_class_name(value, path) for value in known.tolist()]
    unlabelled = int((codes < 0).sum()) if len(known) else 0
    notes = [f"{unlabelled} of {len(codes)} samples have label -1 and count as unlabelled"] * (
        unlabelled > 0
    )
    return Source(item, names, codes, text, given, notes=tuple(notes))


def _class_name(value: object, path: Path) -> str:
    if not isinstance(value, bytes):
        return str(value)
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InputError(f"{path}: found a label that is not UTF-8, {value!r}; encode it anew") from None


def _folder(path: Path, dataset: ImageDataset) -> Source:
    return of_files(list_folder(path, dataset.table), dataset)


def of_files(listed: Listed, dataset: ImageDataset) -> Source:
    """A source over listed files, one an image, or with ``channel_pattern`` one a channel.

    Raises:
        InputError: names in which a pattern finds nothing, or images that lack a channel.
    """
    names: list[str] = [str(file.relative_to(listed.root)) for file in listed.files]
    items: list[Item] = list(listed.files)
    channels, unreadable = (), ()
    if dataset.channel_pattern is not None:
        stacks = stacked(listed, dataset.channel_pattern, dataset.on_error == "skip")
        items, names = [Stack(paths) for paths in stacks.files], stacks.names
        channels, unreadable = stacks.channels, stacks.skipped
        listed = replace(listed, parts=stacks.parts, classes=stacks.classes)
    classes = sorted({name for name in listed.classes if name is not None})
    code = {name: i for i, name in enumerate(classes)}
    labels = np.array([code.get(name, -1) for name in listed.classes], dtype=np.int64)
    given = np.array(listed.parts, dtype=np.int64)
    named = groups.of_paths(names, dataset.groups, listed.root)
    return Source(
        items.__getitem__,
        names,
        labels,
        classes,
        given,
        named,
        tuple(listed.notes),
        names,
        channels=channels,
        unreadable=unreadable,
    )


def _npy(path: Path, dataset: ImageDataset) -> Source:
    if path.is_dir():
        raise InputError(f"path: {path}: found a folder, expected an .npy file")
    shape = map_array(path).shape
    if len(shape) not in (3, 4):
        raise InputError(f"{path}: found an array of shape {shape}, expected (n, H, W) or four axes")
    names = [f"{path.name}[{i}]" for i in range(shape[0])]
    unknown = np.full(shape[0], -1)
    return Source(partial(Row, path), names, unknown, [], unknown.copy())


def _npz(path: Path, dataset: ImageDataset) -> Source:
    arrays = read_npz(path)
    source = _arrays(npz_parts(arrays, path), path)
    n, named = len(source.names), next((name for name in ("names", "ids") if name in arrays), None)
    source = replace(
        source,
        groups=groups.of_array(arrays.get("groups"), n, path),
        ids=array_texts(arrays, named, n, "image", str(path)) if named else None,
    )
    return source if dataset.table is not None else _with_arrays(source, arrays, dataset)


def _with_arrays(source: Source, arrays: dict[str, np.ndarray], dataset: ImageDataset) -> Source:
    """Targets and nuisances from arrays of an .npz, one value per image."""
    columns, kinds, notes = {}, {}, []
    for setting, name, wanted in asked_columns(dataset):
        texts = array_texts(arrays, name, len(source.names), "image", dataset.path)
        place = f"{dataset.path}: {setting}: array {name!r}"
        kinds[name], note = take_column(texts, name, setting, wanted, place)
        columns[name] = texts
        notes.append(note)
    return replace(source, annotations=Annotations(columns, kinds, notes, [])) if columns else source


def _idx(path: Path, dataset: ImageDataset) -> Source:
    return _arrays(idx_parts(path), path)


def _digits(path: Path, dataset: ImageDataset) -> Source:
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)
    return _arrays([(images, digits.target, -1)], Path("digits"))


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
