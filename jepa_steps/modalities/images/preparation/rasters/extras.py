"""Libraries that read formats of their own, each an extra of this package."""

from importlib import import_module
from pathlib import Path
from typing import Any

from .....errors import InputError


def imported(library: str, extra: str, path: Path) -> Any:
    """A library that is needed for a file.

    Raises:
        InputError: it is not installed.
    """
    try:
        return import_module(library)
    except ImportError:
        raise InputError(
            f"{path}: is read by {library}, which is not installed; pip install 'jepa-steps[{extra}]'"
        ) from None
