"""Resume checkpoints: complete, atomic, verified.

A checkpoint is ``step-<n>.pt`` with its sha256 beside it in ``step-<n>.json``, which is written
last: a checkpoint without a matching manifest does not count. The previous one is kept.
"""

import json
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError
from ..files import atomic_write, sha256

LAG = 60.0  # seconds after which a shared disk shows all machines the same files


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
        # Of a full disk torch's writer says what its file looks like; an error of CUDA is no disk's.
        writer = ("inline_container", "PytorchStreamWriter")
        if isinstance(error, RuntimeError) and not any(name in str(error) for name in writer):
            raise
        reason, free = str(error).splitlines()[0][:160], shutil.disk_usage(folder).free
        raise InputError(
            f"{path}: checkpoint cannot be written ({reason}; {free:,} bytes free on this disk); "
            "earlier checkpoints are intact: make room and run again"
        ) from None
    for old in sorted(folder.glob("step-*.pt"))[:-keep]:
        old.with_suffix(".json").unlink(missing_ok=True)
        old.unlink()


def newest(folder: Path, log: Callable[[str], None]) -> int:
    """Step of the newest valid checkpoint, -1 without one; damaged ones are named and passed over."""
    for path in sorted(folder.glob("step-*.pt"), reverse=True):
        problem = _problem(path)
        if problem is None:
            return int(path.stem.removeprefix("step-"))
        log(f"{path}: {problem}, trying the previous checkpoint")
    return -1


def load(folder: Path, step: int, wait: float = LAG) -> dict[str, Any]:
    """The checkpoint of ``step``, which ``newest`` has found on one of the machines.

    Raises:
        InputError: this machine does not see it whole within ``wait`` seconds, or it is of another step.
    """
    path, end = folder / f"step-{step:09d}.pt", time.monotonic() + wait
    while problem := _problem(path):
        if time.monotonic() > end:
            raise InputError(
                f"{path}: {problem} on {socket.gethostname()}, while another machine reads it whole; is "
                "the folder on a disk that all nodes share?"
            )
        time.sleep(0.5)
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["step"] != step:
        raise InputError(f"{path}: found step {state['step']} in it, expected {step}; remove it")
    return state


def _problem(path: Path) -> str | None:
    """What is wrong with a checkpoint, None for a whole one."""
    try:
        expected = json.loads(path.with_suffix(".json").read_text())["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return "no valid manifest"
    try:
        return None if sha256(path) == expected else "sha256 differs from its manifest"
    except OSError as error:
        return str(error.strerror)


def remove_leftovers(folder: Path) -> None:
    """Drop temporary files of a killed run; for the one process that holds the folder's lock."""
    for leftover in folder.glob(".*"):
        leftover.unlink(missing_ok=True)
