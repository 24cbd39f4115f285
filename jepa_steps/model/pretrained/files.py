"""Weights on disk: safetensors alone, whole ones, with the keys that were expected."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from ...errors import InputError

_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_SHOWN = 3


def weight_files(folder: Path) -> list[Path]:
    """The .safetensors files of a folder, each of them whole.

    Raises:
        InputError: none, or one that is empty, a stand-in for a large file, or damaged.
    """
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        pickles = sorted(f.name for f in folder.iterdir() if f.suffix in _PICKLES)
        why = f"only {pickles[0]}, a pickle, which can run code" if pickles else "no weights"
        raise InputError(
            f"{folder}: found {why}; expected model.safetensors (save_pretrained of transformers and "
            "timm's save_for_hf write it)"
        )
    for path in found:
        if not path.stat().st_size:
            raise InputError(f"{path}: found 0 bytes, expected weights; copy it again")
        with path.open("rb") as file:
            if file.read(30).startswith(b"version https://git-lfs"):
                raise InputError(
                    f"{path}: found a pointer of Git LFS, expected weights; run git lfs pull there"
                )
        _check(path)
    return found


def _check(path: Path) -> None:
    try:
        with safe_open(path, "pt"):
            pass
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: cannot be read: {error}; copy it again") from None


def tensors(paths: list[Path]) -> dict[str, Tensor]:
    """All tensors of some files by name."""
    found: dict[str, Tensor] = {}
    for path in paths:
        with safe_open(path, "pt") as file:
            found |= {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return found


def refuse_keys(
    folder: Path,
    name: str,
    missing: Collection[str],
    unexpected: Collection[str],
    other: Iterable[tuple[str, Sequence[int], Sequence[int]]],
) -> None:
    """Raise InputError where weights lack a key of the model ``name``, have one that it lacks, or one of
    another shape: (key, shape found, shape expected)."""
    for key, found, expected in sorted(other):
        raise InputError(
            f"{folder}: weights do not fit {name}: {key}: found the shape {tuple(found)}, expected "
            f"{tuple(expected)} by config.json"
        )
    parts = [
        f"{len(keys)} {what} ({', '.join(sorted(keys)[:_SHOWN])}{', ...' * (len(keys) > _SHOWN)})"
        for what, keys in (("missing", missing), ("unexpected", unexpected))
        if keys
    ]
    if parts:
        raise InputError(
            f"{folder}: weights do not fit {name}: found keys {' and '.join(parts)}, expected exactly "
            "its own; what is missing would stay as it was drawn at random"
        )
