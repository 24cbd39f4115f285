"""Folders of samples as people have them: what is a sample, which parts and classes samples are in.

What is no data is known by name and listed; what else cannot be read is the reader's to refuse, or to
leave out and count where the settings say so. Splits are coded 0 = train, 1 = val, 2 = test.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from .splits import SPLITS

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


def is_file(entry: Path) -> bool:
    """Whether an entry is no folder; so is a link to a file."""
    return not entry.is_dir()


@dataclass(frozen=True)
class Samples:
    """What a kind of data looks for in folders.

    what: samples in the plural, and entries: what they are in a folder, for messages.
    is_sample: whether an entry of a folder is one; folders that are none are searched.
    useless: endings of files that no sample can be read from, which are listed and left out; about:
    what these are, and of them; remedy: what to do where there is nothing else.
    sidecars: endings of files that tell of samples and are none; table: one such file.
    """

    what: str
    entries: str = "files"
    is_sample: Callable[[Path], bool] = is_file
    useless: frozenset[str] = frozenset()
    about: tuple[str, str] = ("", "")
    remedy: str = ""
    sidecars: tuple[str, ...] = ()
    table: Path | None = None

    def is_table(self, entry: Path) -> bool:
        """Whether an entry is the table."""
        table = self.table  # names are compared first: to resolve every path takes long
        return table is not None and entry.name == table.name and entry.resolve() == table.resolve()


@dataclass(frozen=True)
class Listed:
    """The samples of a folder.

    root: the folder that names are relative to. files: of each sample; parts: split code, -1 = the
    project decides; classes: name of its folder, or None.
    notes: what was guessed and what was left out, a sentence each.
    """

    root: Path
    files: list[Path]
    parts: list[int]
    classes: list[str | None]
    notes: list[str]


def list_folder(path: Path, samples: Samples) -> Listed:
    """Class folders, or samples without labels; train, val and test folders at the top are given parts.

    Raises:
        InputError: not a folder, an empty class, a layout that can be read in two ways, a link to
        nothing.
    """
    if not path.is_dir():
        raise InputError(f"path: {path} is not a folder")
    look = _Look(samples, set())
    root, notes = _unwrapped(path, look)
    parts = _parts(root, look, notes)
    found = Listed(root, [], [], [], notes)
    for folder, part in parts:
        for name, files in _classes(folder, look):
            found.files.extend(files)
            found.parts.extend([part] * len(files))
            found.classes.extend([name] * len(files))
    if None in found.classes and any(found.classes):
        raise InputError(f"{path}: some parts have class folders and some have none")
    _spelt_alike({name for name in found.classes if name}, path)
    useless = sorted(file for file in look.ignored if file.suffix.lower() in samples.useless)
    if useless:
        notes.append(f"left out: {_few(useless)}, {', '.join(samples.about)}")
    others = sorted(file for file in look.ignored - set(useless) if not file.name.startswith("."))
    if others:
        notes.append(f"left out: {_few(others)}, known to be no data")
    if not found.files and useless:
        raise InputError(f"{path}: found {samples.about[0]} only ({_few(useless)}); {samples.remedy}")
    return found


def all_files(path: Path, samples: Samples) -> list[Path]:
    """Every sample below a folder, whatever its layout.

    Raises:
        InputError: not a folder, no samples, or a link to nothing.
    """
    if not path.is_dir():
        raise InputError(f"{path}: found no folder, expected one of {samples.what}")
    files = list(_below(path, _Look(samples, set()), ()))
    if not files:
        raise InputError(f"{path}: no {samples.what} found")
    return files


@dataclass(frozen=True)
class _Look:
    """What is looked for, and what was met on the way that is no data."""

    samples: Samples
    ignored: set[Path]

    def holds_more(self, entry: Path) -> bool:
        """Whether an entry is a folder that is no sample."""
        return entry.is_dir() and not self.samples.is_sample(entry)


def _unwrapped(path: Path, look: _Look) -> tuple[Path, list[str]]:
    """The folder that holds parts or classes: below ``path`` where that holds one folder of folders."""
    notes, root = [], path
    while True:
        entries = _entries(root, look)
        if len(entries) != 1 or not look.holds_more(entries[0]) or entries[0].name.lower() in PARTS:
            return root, notes
        if not any(look.holds_more(entry) for entry in _entries(entries[0], _Look(look.samples, set()))):
            return root, notes
        root = entries[0]
        notes = [f"read below {root}, the one folder in {path}"]


def _parts(root: Path, look: _Look, notes: list[str]) -> list[tuple[Path, int]]:
    entries = _entries(root, look)
    folders = [entry for entry in entries if entry.is_dir()]
    named = {
        folder: PARTS[folder.name.lower()]
        for folder in folders
        if folder.name.lower() in PARTS and look.holds_more(folder)
    }
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
    if loose := [entry for entry in entries if not entry.is_dir()]:
        notes.append(f"left out: {_few(loose)}, beside the parts and in none of them")
    return list(named.items())


def _classes(folder: Path, look: _Look) -> Iterator[tuple[str | None, list[Path]]]:
    entries, what = _entries(folder, look), look.samples.what
    folders = [entry for entry in entries if look.holds_more(entry)]
    loose = [entry for entry in entries if not look.holds_more(entry)]
    if folders and loose:
        raise InputError(
            f"{folder}: found {len(loose)} {look.samples.entries} (first: {loose[0].name}) beside "
            f"{len(folders)} class folders, expected one or the other"
        )
    if not folders:
        yield None, [_checked(entry, look) for entry in loose]
    for name in folders:
        files = list(_below(name, look, (folder.resolve(),)))
        if not files:
            raise InputError(f"{name}: no {what} in this folder; add some or remove it")
        yield name.name, files
    if not entries:
        raise InputError(f"{folder}: no {what} in this folder; add some or remove it")


def _below(folder: Path, look: _Look, above: tuple[Path, ...]) -> Iterator[Path]:
    here = folder.resolve()
    if here in above:
        raise InputError(f"{folder}: a link to {here}, a folder above it; remove it")
    for entry in _entries(folder, look):
        if look.holds_more(entry):
            yield from _below(entry, look, (*above, here))
        else:
            yield _checked(entry, look)


def _checked(entry: Path, look: _Look) -> Path:
    """An entry that is a sample.

    Raises:
        InputError: a file where samples are folders.
    """
    if not look.samples.is_sample(entry):
        raise InputError(
            f"{entry}: found a file, expected {look.samples.entries} here; move it away, or into one"
        )
    return entry


def _entries(folder: Path, look: _Look) -> list[Path]:
    """What may be data in a folder, by name; the rest goes to ``look.ignored``.

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
        useless = entry.suffix.lower() in look.samples.useless
        if look.samples.is_table(entry):
            continue
        beside = name.lower() in NO_DATA or name.lower().endswith(look.samples.sidecars)
        if name.startswith(".") or beside or useless:
            look.ignored.add(entry)
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
