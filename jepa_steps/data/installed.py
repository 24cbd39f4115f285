"""Data that come in packages, found without importing these: their dependencies are not installed.

Part of the code digest of every prepare.
"""

from importlib import metadata
from pathlib import Path

from ..errors import InputError


def installed(package: str, entry: str, where: str, install: str) -> Path:
    """A file or folder of an installed package.

    Args:
        entry: below its root. where: the setting, for messages. install: the command that installs it.

    Raises:
        InputError: the package is not installed, or lacks the entry.
    """
    try:
        path = Path(str(metadata.distribution(package).locate_file(entry)))
    except metadata.PackageNotFoundError:
        raise InputError(f"{where}: the package {package} is not installed; {install}") from None
    if not path.exists():
        raise InputError(f"{where}: {path} does not exist; {install}")
    return path
