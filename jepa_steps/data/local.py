"""Prepared data on a node's own disk, for shared file systems that are slow at random reads."""

import fcntl
import hashlib
import os
import shutil
from pathlib import Path

from ..errors import InputError


def on_this_node(folder: Path, disk: Path) -> Path:
    """A copy of ``folder`` under ``disk``, made by the first process of the node that asks for it.

    Its name is a digest of the manifest, which holds the hashes of the data: prepared anew, they are
    copied anew. The lock is the kernel's, since the disk is this machine's.

    Raises:
        InputError: the disk is full, missing or not writable.
    """
    digest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()[:16]
    target = disk / f"jepa-steps-{digest}"
    try:
        with (disk / f"{target.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not target.exists():
                partial = disk / f"{target.name}.partial"
                shutil.rmtree(partial, ignore_errors=True)  # of a copy that was killed
                shutil.copytree(folder, partial)
                os.replace(partial, target)
    except OSError as error:
        raise InputError(
            f"{disk}: the data cannot be copied to this disk ({error}); make room, or set "
            "resources.local_disk to null"
        ) from None
    return target
