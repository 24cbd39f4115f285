"""Folders of images: what of ``data.folders`` is their own."""

from dataclasses import replace
from pathlib import Path

from ...data import folders
from ...data.folders import Listed, Samples
from .preparation.rasters.opening import is_image

# Pillow reads of these the embedded preview, or nothing.
CAMERA_RAW = {
    *(".3fr", ".arw", ".cr2", ".cr3", ".dng", ".erf", ".iiq", ".kdc", ".mrw", ".nef", ".nrw"),
    *(".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
}
# What lies beside maps and tells of them.
SIDECARS = (".aux.xml", ".tfw", ".tifw", ".jgw", ".pgw", ".wld", ".prj", ".ovr")
_IMAGES = Samples(
    "images",
    is_sample=is_image,
    sidecars=SIDECARS,
    useless=frozenset(CAMERA_RAW),
    about=("camera raw files", "of which only a preview could be read"),
    remedy="convert them to PNG or JPEG",
)


def list_folder(path: Path, table: str | None = None) -> Listed:
    """The images of a folder, which may hold the table of them, too; see ``data.folders.list_folder``,
    which says what it raises."""
    return folders.list_folder(path, replace(_IMAGES, table=Path(table) if table else None))


def all_files(path: Path) -> list[Path]:
    """Every image below a folder, whatever its layout; see ``data.folders.all_files``."""
    return folders.all_files(path, _IMAGES)
