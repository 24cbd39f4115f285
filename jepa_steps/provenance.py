"""Which source files make which result, and a digest of them: changed code is a reason to run again."""

import hashlib
from pathlib import Path

# The modules that read prepared tables, without those that decode images.
_TABLES = ("data/__init__.py", "data/counter.py", "data/splits.py", "data/store.py")
# What training measures of its own embeddings.
_MEASURES = tuple(
    f"metrics/{name}.py" for name in ("__init__", "embedding", "moments", "neighbours", "spectrum")
)
# What the figure of the masks draws from.
_MASKS = ("data/masks.py", "engine/__init__.py", "engine/schedules.py")

# Files and folders of the package that a step runs, beside cli.py and errors.py; as in dvc.yaml.
CODE: dict[str, tuple[str, ...]] = {
    "prepare": ("prepare.py", "config", "data"),
    "train": ("train.py", "config", "provenance.py", "data", "model", "engine", *_MEASURES),
    "embed": ("embed.py", "config", "data", "model"),
    "monitor": ("monitor.py", "config", *_TABLES, *_MASKS, "metrics", "figures"),
    "rank": ("rank.py", "config", *_TABLES, "metrics", "figures"),
    "probe": ("probe.py", "config", *_TABLES, "metrics", "figures"),
    "report": ("report.py", "config", *_TABLES, "metrics", "figures", "templates/report.html"),
}


def code_files(step: str, package: Path = Path(__file__).parent) -> list[Path]:
    """The source files of a step, in a fixed order."""
    found: list[Path] = []
    for entry in CODE[step]:
        path = package / entry
        found += [path] if path.suffix else sorted(path.glob("*.py"))
    return found


def code_digest(step: str, package: Path = Path(__file__).parent) -> str:
    """SHA-256 of names and contents of a step's source files, the first 16 hex digits."""
    digest = hashlib.sha256()
    for file in code_files(step, package):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(package).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]
