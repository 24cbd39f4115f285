"""Files of a set that is divided already: NAME_TRAIN and NAME_TEST."""

import re
from pathlib import Path

from ....data.splits import SPLITS
from ....errors import InputError

_NAME = re.compile(r"(.*)_(train|test)", re.IGNORECASE)
_CODES = {"train": 0, "test": 2}


def find_files(path: Path, endings: tuple[str, ...], notes: list[str]) -> list[tuple[Path, int]]:
    """(file, given part) of a lone file, or of the one pair in a folder; -1 = to be decided.

    Args:
        endings: of file names, such as .ts; each may be followed by .gz.
        notes: gets what was left out.

    Raises:
        InputError: another ending, no pair, several, or half of one.
    """
    if not path.is_dir():
        return [(_lone(path, endings, notes), -1)]
    pairs: dict[tuple[str, str], dict[str, Path]] = {}
    others = []
    for file in sorted(path.iterdir()):
        stem, ending = _divided(file, endings)
        if not ending or file.name.startswith(".") or not file.is_file():
            continue
        if match := _NAME.fullmatch(stem):
            parts = pairs.setdefault((match[1], file.name[len(stem) :]), {})
            if other := parts.get(match[2].casefold()):
                raise InputError(f"{path}: found {other.name} and {file.name}, expected one of them")
            parts[match[2].casefold()] = file
        else:
            others.append(file.name)
    pair = _the_one(pairs, path, endings)
    if others:
        notes.append(f"left out: {', '.join(others)}, named neither _TRAIN nor _TEST")
    return [(pair[part], code) for part, code in _CODES.items()]


def _the_one(pairs: dict, path: Path, endings: tuple[str, ...]) -> dict[str, Path]:
    expected = f"one pair NAME_TRAIN{endings[0]} and NAME_TEST{endings[0]}"
    if not pairs:
        raise InputError(
            f"{path}: found no file named _TRAIN or _TEST with {' or '.join(endings)}, expected "
            f"{expected}"
        )
    if len(pairs) > 1:
        names = ", ".join(f"{name}_*{ending}" for name, ending in list(pairs)[:4])
        raise InputError(
            f"{path}: found {len(pairs)} sets ({names}), expected {expected}; move each into a folder "
            "of its own, or give one file"
        )
    ((name, ending), pair) = pairs.popitem()
    for part in _CODES:
        if part not in pair:
            raise InputError(
                f"{path}: found no {name}_{part.upper()}{ending} beside "
                f"{next(iter(pair.values())).name}, expected {expected}; add it, or give the one file "
                "as path"
            )
    return pair


def _lone(path: Path, endings: tuple[str, ...], notes: list[str]) -> Path:
    stem, ending = _divided(path, endings)
    if not ending:
        raise InputError(
            f"{path}: found a name without {' or '.join(endings)}, expected a file of these"
        )
    if match := _NAME.fullmatch(stem):
        other = "TEST" if match[2].casefold() == "train" else "TRAIN"
        beside = path.with_name(f"{match[1]}_{other}{path.name[len(stem) :]}")
        if beside.is_file():
            notes.append(
                f"read {path.name} alone, to be divided into {', '.join(SPLITS)}, without {beside.name}"
            )
    return path


def _divided(file: Path, endings: tuple[str, ...]) -> tuple[str, str]:
    """(name without its ending, ending); both "" where the ending is none of these."""
    name = file.name.removesuffix(".gz")
    ending = next((e for e in endings if name.lower().endswith(e)), "")
    return (name[: -len(ending)], ending) if ending else ("", "")
