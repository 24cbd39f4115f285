"""Resume checkpoints: complete, atomic, verified.

A checkpoint is ``step-<n>.pt`` with its sha256 beside it in ``step-<n>.json``, which is written
last: a checkpoint without a matching manifest does not count. The previous one is kept.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError
from ..files import atomic_write, sha256


def save(folder: Path, step: int, state: dict[str, Any], keep: int = 2) -> None:
    """Write the checkpoint of ``step`` and drop all but the newest ``keep``.

    Raises:
        InputError: the disk is full or not writable; earlier checkpoints are untouched.
    """
    path = folder / f"step-{step:09d}.pt"
    try:
        atomic_write(path, lambda temporary: torch.save(state, temporary))
        manifest = json.dumps({"step": step, "sha256": sha256(path)})
        atomic_write(path.with_suffix(".json"), lambda t: t.write_text(manifest))
    except (OSError, RuntimeError) as error:
        reason, free = str(error).splitlines()[0][:160], shutil.disk_usage(folder).free
        raise InputError(
            f"{path}: checkpoint cannot be written ({reason}; {free:,} bytes free on this disk); "
            "earlier checkpoints are intact: make room and run again"
        ) from None
    for old in sorted(folder.glob("step-*.pt"))[:-keep]:
        old.with_suffix(".json").unlink(missing_ok=True)
        old.unlink()


def load_newest(folder: Path, log: Callable[[str], None]) -> dict[str, Any] | None:
    """The newest valid checkpoint, or None; damaged ones are named and passed over."""
    for path in sorted(folder.glob("step-*.pt"), reverse=True):
        try:
            expected = json.loads(path.with_suffix(".json").read_text())["sha256"]
        except (OSError, ValueError, KeyError, TypeError):
            log(f"{path}: no valid manifest, trying the previous checkpoint")
            continue
        if sha256(path) == expected:
            return torch.load(path, map_location="cpu", weights_only=True)
        log(f"{path}: sha256 differs from its manifest, trying the previous checkpoint")
    return None


def remove_leftovers(folder: Path) -> None:
    """Drop temporary files of a killed run; for the one process that holds the folder's lock."""
    for leftover in folder.glob(".*"):
        leftover.unlink(missing_ok=True)
