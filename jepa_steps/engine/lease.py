"""The run folder belongs to one process at a time, on whichever machine it runs.

A lock of the kernel (flock) does not hold across nodes on every shared file system. Here the holder
writes ``lease.json`` anew every few seconds. Whoever finds one of a dead process of the same machine
takes it over at once; one of another machine is watched, by the own clock, and taken over when it has
not changed for a while. A holder whose lease was taken over ends.
"""

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from ..errors import InputError

BEAT = 5.0  # seconds between signs of life
SILENT = 35.0  # seconds without one after which a holder counts as dead


@contextmanager
def lease(folder: Path) -> Iterator[None]:
    """Hold ``folder``.

    Raises:
        InputError: another process holds it.
    """
    path, here = folder / "lease.json", socket.gethostname()
    me = {"host": here, "pid": os.getpid(), "began": _began(os.getpid())}
    me["job"] = os.environ.get("SLURM_JOB_ID")
    found = _read(path)
    if found and _alive(found, path):
        job = f", Slurm job {found['job']}" if found.get("job") else ""
        raise InputError(
            f"{folder}: another process is training in this folder ({found['host']}, process "
            f"{found['pid']}{job}); wait for it or end it"
        )
    path.unlink(missing_ok=True)
    try:
        with path.open("x") as file:  # of two that found it free, one gets it
            json.dump({**me, "beat": 0}, file)
    except FileExistsError:
        raise InputError(f"{folder}: another process began training in this folder just now") from None
    over = threading.Event()
    thread = threading.Thread(target=_keep, args=(path, me, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        if _same(_read(path), me):
            path.unlink(missing_ok=True)


def _keep(path: Path, me: dict[str, Any], over: threading.Event) -> None:
    beat, new = 0, path.with_name("lease.json.new")
    while not over.wait(BEAT):
        found = _read(path)
        if found and not _same(found, me):
            print(
                f"error: {path.parent}: taken over by {found['host']}, process {found['pid']}, while "
                "this process was silent; it ends",
                file=sys.stderr,
                flush=True,
            )
            os._exit(1)
        beat += 1
        try:
            new.write_text(json.dumps({**me, "beat": beat}))
            os.replace(new, path)
        except OSError:  # a shared file system that stumbles; the next beat may succeed
            continue


def _alive(found: dict[str, Any], path: Path) -> bool:
    if found["host"] == socket.gethostname():
        return _began(found["pid"]) == found["began"]
    end = time.monotonic() + SILENT
    while time.monotonic() < end:
        time.sleep(1)
        now = _read(path)
        if now is None:
            return False
        if now != found:
            return True
    return False


def _began(pid: int) -> float | None:
    """When a process began, which tells it from a later one of its number; None where there is none.

    On Linux in clock ticks since boot, which no setting of the clock changes; elsewhere in seconds.
    """
    try:
        if Path("/proc/self/stat").exists():
            return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
        return psutil.Process(pid).create_time()
    except (OSError, ValueError, IndexError, psutil.Error):
        return None


def _same(found: dict[str, Any] | None, me: dict[str, Any]) -> bool:
    return found is not None and all(found.get(key) == me[key] for key in ("host", "pid", "began"))


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text())
    except (OSError, json.JSONDecodeError):  # the latter: written this moment, or cut off
        return None
    return found if isinstance(found, dict) and {"host", "pid", "began"} <= found.keys() else None
