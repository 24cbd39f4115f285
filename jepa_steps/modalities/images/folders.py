"""Folders of images as people have them: which files are images, which parts and classes they are in.

What is no data is known by name and listed; anything else that is no image stops the run, or is left out
and counted where the settings say so. Splits are coded 0 = train, 1 = val, 2 = test.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...data.splits import SPLITS
from ...errors import InputError

PARTS = {
    "train": 0,
    "training": 0,
    "val": 1,
    "valid": 1,
    "validation": 1,
    "dev": 1,
    "test": 2,
    "testing": 2,
}
NO_DATA = {
    "__macosx",
    "@eadir",
    "thumbs.db",
    "desktop.ini",
    "license",
    "readme",
    "readme.md",
    "readme.txt",
}
# Pillow reads of these the embedded preview, or nothing.
CAMERA_RAW = {
    *(".3fr", ".arw", ".cr2", ".cr3", ".dng", ".erf", ".iiq", ".kdc", ".mrw", ".nef", ".nrw"),
    *(".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
}


@dataclass(frozen=True)
class Listed:
    """The images of a folder.

    root: the folder that names are relative to. files: of each image; parts: split code, -1 = the
    project decides; classes: name of its folder, or None.
    notes: what was guessed and what was left out, a sentence each.
    """

    root: Path
    files: list[Path]
    parts: list[int]
    classes: list[str | None]
    notes: list[str]


def list_folder(path: Path) -> Listed:
    """Class folders, or images without labels; train, val and test folders at the top are given parts.

    Raises:
        InputError: not a folder, an empty class, a layout that can be read in two ways, a link to
        nothing.
    """
    if not path.is_dir():
        raise InputError(f"path: {path} is not a folder")
    ignored: set[Path] = set()
    root, notes = _unwrapped(path, ignored)
    parts = _parts(root, ignored, notes)
    found = Listed(root, [], [], [], notes)
    for folder, part in parts:
        for name, files in _classes(folder, ignored):
            found.files.extend(files)
            found.parts.extend([part] * len(files))
            found.classes.extend([name] * len(files))
    if None in found.classes and any(found.classes):
        raise InputError(f"{path}: some parts have class folders and some have none")
    _spelt_alike({name for name in found.classes if name}, path)
    raw = sorted(file for file in ignored if file.suffix.lower() in CAMERA_RAW)
    if raw:
        notes.append(f"left out: {_few(raw)}, camera raw files, of which only a preview could be read")
    others = sorted(file for file in ignored - set(raw) if not file.name.startswith("."))
    if others:
        notes.append(f"left out: {_few(others)}, known to be no data")
    if not found.files and raw:
        raise InputError(
            f"{path}: found camera raw files only ({_few(raw)}); convert them to PNG or JPEG"
        )
    return found


def all_files(path: Path) -> list[Path]:
    """Every image below a folder, whatever its layout.

    Raises:
        InputError: not a folder, no images, or a link to nothing.
    """
    if not path.is_dir():
        raise InputError(f"{path}: found no folder, expected one of images")
    files = list(_below(path, set(), ()))
    if not files:
        raise InputError(f"{path}: no images found")
    return files


def _unwrapped(path: Path, ignored: set[Path]) -> tuple[Path, list[str]]:
    """The folder that holds parts or classes: below ``path`` where that holds one folder of folders."""
    notes, root = [], path
    while True:
        entries = _entries(root, ignored)
        if len(entries) != 1 or not entries[0].is_dir() or entries[0].name.lower() in PARTS:
            return root, notes
        if not any(entry.is_dir() for entry in _entries(entries[0], set())):
            return root, notes
        root = entries[0]
        notes = [f"read below {root}, the one folder in {path}"]


def _parts(root: Path, ignored: set[Path], notes: list[str]) -> list[tuple[Path, int]]:
    folders = [entry for entry in _entries(root, ignored) if entry.is_dir()]
    named = {folder: PARTS[folder.name.lower()] for folder in folders if folder.name.lower() in PARTS}
    if not named:
        return [(root, -1)]
    others = [folder.name for folder in folders if folder not in named]
    given = ", ".join(folder.name for folder in named)
    if others:
        raise InputError(
            f"{root}: found {given}, names of parts, beside {', '.join(others[:5])}; expected "
            "either parts or classes here: move the others away, or rename a class that is called "
            "like a part"
        )
    twice = [part for part in set(named.values()) if list(named.values()).count(part) > 1]
    if twice:
        same = " and ".join(folder.name for folder, part in named.items() if part == twice[0])
        raise InputError(
            f"{root}: found {same}, which both mean {SPLITS[twice[0]]}; expected one of them"
        )
    if 0 not in named.values():
        raise InputError(f"{root}: found {given} without a train folder; add one, or rename the classes")
    notes.append(
        "parts given: " + ", ".join(f"{folder.name} = {SPLITS[p]}" for folder, p in named.items())
    )
    return list(named.items())


def _classes(folder: Path, ignored: set[Path]) -> Iterator[tuple[str | None, list[Path]]]:
    entries = _entries(folder, ignored)
    folders = [entry for entry in entries if entry.is_dir()]
    loose = [entry for entry in entries if not entry.is_dir()]
    if folders and loose:
        raise InputError(
            f"{folder}: found {len(loose)} files (first: {loose[0].name}) beside "
            f"{len(folders)} class folders, expected one or the other"
        )
    if not folders:
        yield None, loose
    for name in folders:
        files = list(_below(name, ignored, (folder.resolve(),)))
        if not files:
            raise InputError(f"{name}: no images in this folder; add some or remove it")
        yield name.name, files
    if not entries:
        raise InputError(f"{folder}: no images in this folder; add some or remove it")


def _below(folder: Path, ignored: set[Path], above: tuple[Path, ...]) -> Iterator[Path]:
    here = folder.resolve()
    if here in above:
        raise InputError(f"{folder}: a link to {here}, a folder above it; remove it")
    for entry in _entries(folder, ignored):
        if entry.is_dir():
            yield from _below(entry, ignored, (*above, here))
        else:
            yield entry


def _entries(folder: Path, ignored: set[Path]) -> list[Path]:
    """What may be data in a folder, by name; the rest goes to ``ignored``.

    Raises:
        InputError: a link to nothing, or a name that is not UTF-8.
    """
    found = []
    for entry in sorted(folder.iterdir()):
        name = entry.name
        try:
            name.encode()
        except UnicodeEncodeError:
            raise InputError(
                f"{os.fsencode(folder).decode(errors='replace')}: found a file name that is not UTF-8, "
                f"{os.fsencode(name)!r}; rename it"
            ) from None
        if name.startswith(".") or name.lower() in NO_DATA or entry.suffix.lower() in CAMERA_RAW:
            ignored.add(entry)
        elif entry.is_symlink() and not entry.exists():
            raise InputError(
                f"{entry}: a link to {entry.readlink()}, which is not there; mend or remove it"
            )
        else:
            found.append(entry)
    return found


def _spelt_alike(names: set[str], path: Path) -> None:
    by_fold: dict[str, str] = {}
    for name in sorted(names):
        other = by_fold.setdefault(name.casefold(), name)
        if other != name:
            raise InputError(
                f"{path}: found classes {other!r} and {name!r}, equal but for case; rename one"
            )


def few(names: list[str], most: int = 5) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more


def _few(files: list[Path]) -> str:
    names = [file.name for file in files]
    return f"{len(files)} file{'s' if len(files) > 1 else ''} ({few(names, 3)})"
