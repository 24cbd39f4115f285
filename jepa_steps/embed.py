"""Embed a prepared data set with a trained encoder or a floor, or embed new samples.

    python -m jepa_steps.embed --encoder results/train/mine --data data/digits --out results/embed/mine
    python -m jepa_steps.embed --encoder results/train/mine --images photos --out photos.npy

The first form writes embeddings.npy (one row per sample, in the order of splits.csv),
poolings.safetensors (the same with other poolings) and embed.json. For statistics it also writes, for a
limited number of samples, tokens.npy, snapshots.npy (embeddings by every snapshot of training) and
views.npy (several views of the same thing by every snapshot: an image under context masks, cells of one
condition). The second form writes one row per new sample, and a .csv with their names beside it.
"""

import os
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

from . import draws
from .arrays import write_npy_header
from .cli import add_spec, parser, read_spec, run
from .config import Embed, parse
from .config.training import parse_training
from .device import judging_device
from .errors import InputError
from .files import sha256, staged, write_csv, write_json
from .modalities import MODALITIES, has_part, open_store, optional_part, part
from .modalities.contract import Store
from .model.export import Encoder, batches, load_encoder, load_online, load_snapshots

_WIDEST = 16_384  # values of one embedding
_ONLINE = "online-"
_ENOUGH = 10  # snapshot samples a dimension, for a rank that can be trusted


def embed_store(folder: Path, store: Store, settings: Embed, out: Path) -> None:
    """Write embeddings of all samples, and of bounded samples the tokens, snapshots and views."""
    torch.set_num_threads(settings.threads)
    device = judging_device()
    encoder, size = load_encoder(folder, device), settings.batch_size
    online = load_online(folder, device) if any(map(_is_online, settings.poolings)) else None
    snapshots = load_snapshots(folder, device)
    tokens = _sample(store, dict.fromkeys(("train", "val", "test"), settings.token_samples))
    with staged(out) as temporary:
        width, others = write_embeddings(temporary / "embeddings.npy", encoder, store, settings, online)
        save_file(others, temporary / "poolings.safetensors")
        most = settings.snapshot_samples
        ranked = max(most, _ENOUGH * width) if snapshots else most
        over_training = _sample(store, {"train": ranked, "val": most})
        parts = [encoder.encode(store.samples(rows)).cpu().numpy() for rows in batches(tokens, size)]
        np.save(temporary / "tokens.npy", np.concatenate(parts))
        rows = [snapshot.embedded(store, over_training, settings) for _, snapshot in snapshots]
        empty = np.empty((0, len(over_training), width), np.float32)
        np.save(temporary / "snapshots.npy", np.stack(rows) if rows else empty)
        views, viewed, what = _views([*(s for _, s in snapshots), encoder], store, settings)
        np.save(temporary / "views.npy", views)
        train = parse_training(encoder.config["train"], "encoder.json", encoder.config["modality"])
        description = {
            "encoder": train.kind,
            "encoder_sha256": sha256(folder / "encoder.safetensors"),
            "data_sha256": store.manifest["sha256"],
            "pooling": settings.pooling,
            "poolings": sorted(others),
            "snapshot_fractions": [fraction for fraction, _ in snapshots],
            "snapshot_rows": over_training.tolist(),
            "token_rows": tokens.tolist(),
            "views": what,
            "view_rows": viewed.tolist(),
        }
        write_json(temporary / "embed.json", description)


def _sample(store: Store, most: dict[str, int]) -> np.ndarray:
    """Random samples of parts, ascending; of each at most as many as ``most`` says."""
    chosen = [draws.sample(store.rows(part), n, 0, "embed sample") for part, n in most.items()]
    return np.sort(np.concatenate(chosen))


def _views(
    stages: list[Encoder], store: Store, settings: Embed
) -> tuple[np.ndarray, np.ndarray, str | None]:
    """(embeddings float32 (stages, n, q, D) of n things seen q times each, their rows, what they
    are)."""
    module = optional_part(store.manifest["modality"], "views")
    if module is None:
        return np.empty((len(stages), 0, 0, 1), np.float32), np.empty(0, np.int64), None
    return *module.views(stages, store, settings), module.WHAT


def write_embeddings(
    path: Path, encoder: Encoder, store: Store, settings: Embed, online: Encoder | None = None
) -> tuple[int, dict[str, np.ndarray]]:
    """Write the embeddings of all samples, float32 (n, D), batch by batch: they may be more than memory.

    Returns:
        D; and the embeddings (n, D_p) under the settings' further poolings, by name, in memory.

    Raises:
        InputError: concatenated tokens that make too wide an embedding.
    """
    names = _poolings(encoder, settings, online is not None)
    own, moved = [n for n in names if not _is_online(n)], [n for n in names if _is_online(n)]
    others: dict[str, list[np.ndarray]] = {name: [] for name in names[1:]}
    with path.open("wb") as file:
        for rows in batches(np.arange(len(store)), settings.batch_size):
            parts = encoder.poolings(store.samples(rows), own)
            if online is not None:
                plain = [name.removeprefix(_ONLINE) for name in moved]
                of_online = online.poolings(store.samples(rows), plain)
                parts |= {_ONLINE + name: part for name, part in of_online.items()}
            first = np.ascontiguousarray(parts[settings.pooling].cpu().numpy())
            if not rows[0]:
                write_npy_header(file, "<f4", (len(store), first.shape[1]))
            file.write(first.data)
            for name, found in others.items():
                found.append(parts[name].cpu().numpy())
    return first.shape[1], {name: np.concatenate(found) for name, found in others.items()}


def _is_online(pooling: str) -> bool:
    return pooling.startswith(_ONLINE)


def _poolings(encoder: Encoder, settings: Embed, online: bool) -> list[str]:
    """Names of the poolings, that of embeddings.npy first; floors of one vector have no other, and those
    of the online encoder are left out where there is none."""
    names = [settings.pooling]
    if encoder.grid is not None:
        further = [name for name in settings.poolings if name != settings.pooling]
        if not encoder.class_token:
            further = [name for name in further if not name.endswith("class")]
        names += [name for name in further if online or not _is_online(name)]
        width = encoder.tokens * encoder.module.dim
        if {"concat", _ONLINE + "concat"} & set(names) and width > _WIDEST:
            raise InputError(
                f"embed.poolings: concat gives {width} values per sample, expected at most {_WIDEST}; "
                "leave it out"
            )
    return names


def embed_new(folder: Path, modality: str, path: Path, settings: Embed, out: Path) -> int:
    """Embed new samples of a kind of data; writes ``out`` (.npy) and their names beside it (.csv).

    Raises:
        InputError: an encoder of another kind, or samples that cannot be read.
    """
    torch.set_num_threads(settings.threads)
    encoder, size = load_encoder(folder, judging_device()), settings.batch_size
    if encoder.config["modality"] != modality:
        raise InputError(
            f"{folder}: found an encoder of {encoder.config['modality']}, which takes no {modality}"
        )
    names, read = part(modality, "samples").read(path, encoder.config)
    ends = [(a, min(a + size, len(names))) for a in range(0, len(names), size)]
    rows = np.concatenate([encoder.embed(read(a, b), settings.pooling).cpu().numpy() for a, b in ends])
    temporary = out.with_name(f".{out.name}.{os.getpid()}.npy")
    np.save(temporary, rows)
    write_csv(out.with_suffix(".csv"), ["file"], ([name] for name in names))
    os.replace(temporary, out)
    return len(names)


def main(argv: list[str] | None = None) -> None:
    """The command line; see the top of this file or ``--help``."""
    p = parser(__doc__)
    add_spec(p, "experiments.NAME.embed")
    p.add_argument("--encoder", type=Path, required=True, help="folder written by train")
    what = p.add_mutually_exclusive_group(required=True)
    what.add_argument("--data", type=Path, help="folder written by prepare")
    new = [name for name in MODALITIES if has_part(name, "samples")]
    for name in new:
        what.add_argument(f"--{name}", type=Path, help=f"folder or file of new {name}")
    p.add_argument("--out", type=Path, required=True, help="result folder, or .npy of new samples")
    args = p.parse_args(argv)
    settings = parse(Embed, *read_spec(args.spec))
    if args.data:
        return embed_store(args.encoder, open_store(args.data), settings, args.out)
    if args.out.suffix != ".npy":
        raise InputError(f"--out: found {args.out}, expected a file name ending in .npy")
    if not args.out.parent.is_dir():
        raise InputError(f"--out: found no folder {args.out.parent}; make it first")
    modality, path = next((name, path) for name in new if (path := getattr(args, name)))
    n = embed_new(args.encoder, modality, path, settings, args.out)
    print(f"{args.out}: {n} embeddings, names in {args.out.with_suffix('.csv')}")


if __name__ == "__main__":
    run(main)
