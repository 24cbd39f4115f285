"""Where a result comes from: the source files of a step and a digest of them (changed code is a
reason to run again), the commit, the package versions, the machine."""

import hashlib
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from . import __version__

# What every step runs, beside what cannot change a result: command lines, errors, and the list of the
# kinds of data, which would run all experiments again when one is added.
_SHARED = ("arrays.py", "files.py", "draws.py")
# The same where torch runs.
_WITH_TORCH = (*_SHARED, "device.py", "cards.py")
# The tables that say what each sample is, without what draws batches from them.
_TABLES = ("data/__init__.py", "data/splits.py", "data/targets.py")
# What training measures of its own embeddings.
_MEASURES = tuple(f"metrics/{name}.py" for name in ("__init__", "embedding", "embedding_rules"))
_MEASURES += tuple(f"metrics/{name}.py" for name in ("evidence", "moments", "neighbours"))
_MEASURES += ("metrics/nuisance.py", "metrics/remedies.py", "metrics/spectrum.py")
# What pictures of the samples draw from.
_PICTURES = ("data", "engine/__init__.py", "engine/schedules.py")

_SOURCES = (".py", ".html", ".css")
_PACKAGE = Path(__file__).parent
# Packages whose version can change a result.
_PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "pillow", "safetensors", "pydantic")
_PACKAGES += ("matplotlib", "snakemake", "dvc", "av")

# Files and folders of the package that a step runs; as in dvc.yaml.
CODE: dict[str, tuple[str, ...]] = {
    "prepare": (*_SHARED, "prepare.py", "config", "data"),
    "train": (
        *_WITH_TORCH,
        "train.py",
        "provenance.py",
        "config",
        "data",
        "model",
        "engine",
        *_MEASURES,
    ),
    "embed": (*_WITH_TORCH, "embed.py", "config", "data", "model"),
    "evaluate": (*_WITH_TORCH, "evaluate.py", "config", "data", "model", "metrics", "figures"),
    "monitor": (*_WITH_TORCH, "monitor.py", "config", *_PICTURES, "metrics", "figures"),
    "rank": (*_SHARED, "rank.py", "config", *_TABLES, "metrics", "figures"),
    "probe": (*_SHARED, "probe.py", "config", *_TABLES, "data/probed.py", "metrics", "figures"),
    "report": (
        *_SHARED,
        "report.py",
        "reporting",
        "templates",
        "config",
        *_TABLES,
        "metrics",
        "figures",
    ),
}
# Steps that run nothing of a kind of data: they read tables and arrays.
OF_NO_KIND = ("rank", "probe")


def code_files(step: str, *modalities: str, package: Path = _PACKAGE) -> list[Path]:
    """The source files of a step on these kinds of data, in a fixed order.

    A step runs the core, and of the kinds of data only those that it is given: a change in the folder of
    one kind is a reason to run its experiments again, and no other's. What runs nothing of a kind has
    none.
    """
    entries = CODE[step] + tuple(f"modalities/{m}" for m in modalities if step not in OF_NO_KIND)
    found: list[Path] = []
    for entry in entries:
        path = package / entry
        found += [path] if path.suffix else sorted(p for p in path.rglob("*") if p.suffix in _SOURCES)
    return list(dict.fromkeys(found))


def code_digest(step: str, *modalities: str, package: Path = _PACKAGE) -> str:
    """SHA-256 of names and contents of a step's source files, the first 16 hex digits."""
    digest = hashlib.sha256()
    for file in code_files(step, *modalities, package=package):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(package).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def source_digest(paths: list[Path]) -> str:
    """What tells that the files which prepare reads are others than before, 16 hex digits.

    Contents where they are few and small, else names, sizes and times: times alone would miss a file
    that was deleted, or replaced by an older one.
    """
    digest = hashlib.sha256()
    for path in paths:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        stats = [(file, file.stat()) for file in files if file.exists()]
        cheap = len(stats) <= _FEW_FILES and sum(s.st_size for _, s in stats) <= _FEW_BYTES
        for file, s in stats:
            what = hashlib.sha256(file.read_bytes()).hexdigest() if cheap else str(s.st_mtime_ns)
            name = os.fsencode(file.relative_to(path))
            digest.update(name + f"\0{s.st_size}\0{what}\0".encode())
    return digest.hexdigest()[:16]


_FEW_FILES, _FEW_BYTES = 1000, 32 * 2**20


def facts(gpus: list[str]) -> dict[str, Any]:
    """What a result depends on beside data and settings; ``gpus`` are the devices' names."""
    return {"commit": commit(), "versions": versions(), "machine": {**machine(), "gpus": gpus}}


def commit(folder: Path = _PACKAGE) -> dict[str, Any]:
    """Git commit of the source files in ``folder``, and whether they differ from it ("dirty").

    Both null without git, or where the files are not those of a repository (an installed wheel).
    """
    tracked = _git(folder, "ls-files", "--", ".")
    changes = _git(folder, "status", "--porcelain", "--", ".")
    if not tracked or changes is None:
        return {"hash": None, "dirty": None}
    return {"hash": _git(folder, "rev-parse", "HEAD"), "dirty": bool(changes)}


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()


def versions() -> dict[str, str]:
    """Versions of Python and of the installed packages that can change a result."""
    found = {"python": platform.python_version(), "jepa-steps": __version__}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine(proc: Path = Path("/proc")) -> dict[str, Any]:
    """Processor, usable cores, memory (bytes) and system; null where /proc does not tell."""
    memory = _field(proc / "meminfo", "MemTotal")
    return {
        "cpu": _field(proc / "cpuinfo", "model name") or platform.processor() or None,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": int(memory.split()[0]) * 1024 if memory else None,
        "system": f"{platform.system()} {platform.machine()}",
    }


def _field(path: Path, name: str) -> str | None:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), None)
