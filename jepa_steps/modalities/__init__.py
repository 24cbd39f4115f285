"""The kinds of data: one folder each, and the only place that knows them by name.

``contract.py`` says what each module of a folder gives. The core gets it through ``part``; to add a
kind, see CONTRIBUTING.md.
"""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ..errors import InputError
from ..files import read_json

if TYPE_CHECKING:
    from .contract import Store

MODALITIES = ("images", "expression", "series", "video", "vectors")


def part(modality: str, name: str) -> ModuleType:
    """The module ``name`` of a kind's folder, imported when it is asked for.

    Raises:
        InputError: no such kind, or one without this module.
    """
    _known(modality, "modality")
    whole = f"{__name__}.{modality}.{name}"
    try:
        return import_module(whole)
    except ModuleNotFoundError as error:
        if error.name not in (whole, whole.rpartition(".")[0]):
            raise
        file = Path(__file__).parent / modality / f"{name}.py"
        raise InputError(f"{file}: no such file, expected what contract.py asks for") from None


def has_part(modality: str, name: str) -> bool:
    """Whether a kind has the module ``name``; imports nothing of it.

    Raises:
        InputError: no such kind.
    """
    _known(modality, "modality")
    return find_spec(f"{__name__}.{modality}.{name}") is not None


def optional_part(modality: str, name: str) -> ModuleType | None:
    """The same; None where the kind does without that module.

    Raises:
        InputError: no such kind.
    """
    return part(modality, name) if has_part(modality, name) else None


def modality_of(folder: Path) -> str:
    """The kind of a prepared data set.

    Raises:
        InputError: missing or damaged manifest, or a kind that this version does not know.
    """
    manifest = folder / "manifest.json"
    return _known(read_json(manifest, "modality")["modality"], f"{manifest}: modality")


def open_store(folder: Path) -> "Store":
    """Open what prepare wrote, of whichever kind it is.

    Raises:
        InputError: missing, damaged or inconsistent files.
    """
    return part(modality_of(folder), "store").open_store(folder)


def _known(modality: str, where: str) -> str:
    if modality not in MODALITIES:
        raise InputError(f"{where}: found {modality!r}, expected one of {', '.join(MODALITIES)}")
    return modality
