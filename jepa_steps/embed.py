"""Embed a prepared data set with a trained encoder or a floor, or embed new images.

    python -m jepa_steps.embed --encoder results/train/mine --data data/digits --out results/embed/mine
    python -m jepa_steps.embed --encoder results/train/mine --images photos --out photos.npy

The first form writes embeddings.npy (one row a sample, in the order of splits.csv),
poolings.safetensors (the same under other poolings), bounded samples for statistics: tokens.npy,
snapshots.npy (embeddings over training) and views.npy (the same images under different context
masks, or cells of the same condition, over training); and embed.json. The second writes one row an
image, and the file names beside it as .csv.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file

from .cli import add_spec, parser, read_spec, run, staged, write_csv, write_json
from .config import Embed, ImageDataset, Masks, kind, parse, parse_training
from .data import counter
from .data.decode import open_image, to_pixels
from .data.expression.replicates import replicates
from .data.masks import MultiBlockMasks
from .data.prepared import Prepared, open_prepared
from .data.sources import read_source
from .data.store import Store, sha256
from .errors import InputError
from .model.export import Encoder, load_encoder, load_snapshots
from .model.inputs import ImageInputs

_WIDEST = 16_384  # values of one embedding
_ENOUGH = 10  # snapshot samples a dimension, for a rank that can be trusted
# One hidden block: I-JEPA's four leave a 4x4 grid four tokens, and views that have little in common.
_VIEW_MASKS = Masks(blocks=1, scale=(0.3, 0.5), context_scale=(1.0, 1.0))


def embed_store(folder: Path, store: Prepared, settings: Embed, out: Path) -> None:
    """Write embeddings of all samples, and of bounded samples the tokens, snapshots and views."""
    torch.set_num_threads(settings.threads)
    encoder, size = load_encoder(folder), settings.batch_size
    snapshots = load_snapshots(folder)
    tokens = _sample(store, dict.fromkeys(("train", "val", "test"), settings.token_samples))
    with staged(out) as temporary:
        width, others = write_embeddings(temporary / "embeddings.npy", encoder, store, settings)
        save_file(others, temporary / "poolings.safetensors")
        most = settings.snapshot_samples
        ranked = max(most, _ENOUGH * width) if snapshots else most
        over_training = _sample(store, {"train": ranked, "val": most})
        parts = [encoder.encode(store.samples(rows)).numpy() for rows in _batches(tokens, size)]
        np.save(temporary / "tokens.npy", np.concatenate(parts))
        rows = [embed(snapshot, store, over_training, settings) for _, snapshot in snapshots]
        empty = np.empty((0, len(over_training), width), np.float32)
        np.save(temporary / "snapshots.npy", np.stack(rows) if rows else empty)
        stages = [*(snapshot for _, snapshot in snapshots), encoder]
        views, viewed = _views(stages, store, settings)
        np.save(temporary / "views.npy", views)
        description = {
            "encoder": kind(parse_training(encoder.config["train"], "encoder.json")),
            "encoder_sha256": sha256(folder / "encoder.safetensors"),
            "data_sha256": store.manifest["sha256"],
            "pooling": settings.pooling,
            "poolings": sorted(others),
            "snapshot_fractions": [fraction for fraction, _ in snapshots],
            "snapshot_rows": over_training.tolist(),
            "token_rows": tokens.tolist(),
            "views": "context masks" if isinstance(store, Store) else "cells of one condition",
            "view_rows": viewed.tolist(),
        }
        write_json(temporary / "embed.json", description)


def _sample(store: Prepared, most: dict[str, int]) -> np.ndarray:
    """Random samples of parts, ascending; of each at most as many as ``most`` says."""
    chosen = [
        counter.generator(0, "embed sample").permutation(store.rows(part))[:n]
        for part, n in most.items()
    ]
    return np.sort(np.concatenate(chosen))


def _batches(rows: Any, size: int) -> Iterator[Any]:
    return (rows[a : a + size] for a in range(0, len(rows), size))


def write_embeddings(
    path: Path, encoder: Encoder, store: Prepared, settings: Embed
) -> tuple[int, dict[str, np.ndarray]]:
    """Write the embeddings of all samples, float32 (n, D), batch by batch: they may be more than memory.

    Returns:
        D; and the embeddings (n, D_p) under the settings' further poolings, by name, in memory.

    Raises:
        InputError: concatenated tokens that make too wide an embedding.
    """
    names = _poolings(encoder, settings)
    others: dict[str, list[np.ndarray]] = {name: [] for name in names[1:]}
    with path.open("wb") as file:
        for rows in _batches(np.arange(len(store)), settings.batch_size):
            parts = encoder.poolings(store.samples(rows), names)
            first = np.ascontiguousarray(parts[settings.pooling].numpy())
            if not rows[0]:
                header = {"descr": "<f4", "fortran_order": False, "shape": (len(store), first.shape[1])}
                np.lib.format.write_array_header_1_0(file, header)
            file.write(first.data)
            for name, found in others.items():
                found.append(parts[name].numpy())
    return first.shape[1], {name: np.concatenate(found) for name, found in others.items()}


def _poolings(encoder: Encoder, settings: Embed) -> list[str]:
    """Names of the poolings, that of embeddings.npy first; floors of one vector have no other."""
    names = [settings.pooling]
    if encoder.grid is not None:
        names += [name for name in settings.poolings if name != settings.pooling]
        width = encoder.grid[0] * encoder.grid[1] * encoder.module.dim
        if "concat" in names and width > _WIDEST:
            raise InputError(
                f"embed.poolings: concat gives {width} values a sample, expected at most {_WIDEST}; "
                "leave it out"
            )
    return names


def embed(encoder: Encoder, store: Prepared, rows: np.ndarray, settings: Embed) -> np.ndarray:
    """Pooled embeddings float32 (n, D) of samples int64 (n,), batch by batch."""
    parts = (store.samples(some) for some in _batches(rows, settings.batch_size))
    return np.concatenate([encoder.embed(part, settings.pooling).numpy() for part in parts])


def _views(stages: list[Encoder], store: Prepared, settings: Embed) -> tuple[np.ndarray, np.ndarray]:
    """(embeddings float32 (stages, n, q, D) of n things seen q times each, their rows).

    An image is seen under q context masks; a condition in q of its training cells (n, q).
    """
    if isinstance(store, Store):
        viewed = _sample(store, {"train": settings.view_samples})
        return np.stack(
            [masked_views(e, store.images[viewed], viewed, settings) for e in stages]
        ), viewed
    viewed = replicates(store, settings.views, settings.view_samples)
    rows = [embed(e, store, viewed.ravel(), settings) for e in stages] if viewed.size else []
    empty = np.empty((len(stages), 0, 0, 1), np.float32)
    return (np.stack(rows).reshape(len(stages), *viewed.shape, -1) if rows else empty), viewed


def masked_views(encoder: Encoder, images: np.ndarray, index: np.ndarray, settings: Embed) -> np.ndarray:
    """Mean token embeddings float32 (n, q, D) of images under q context masks each.

    A view hides one block of 30 to 50 % of the tokens, a function of the sample's number ``index`` and
    the view, so that all encoders see the same ones; (0, 0, D) for an encoder of one token, which no
    mask can hide from.
    """
    if encoder.grid is None or encoder.grid[0] * encoder.grid[1] < 2:
        return np.empty((0, 0, encoder.embed(images[:1]).shape[1]), np.float32)
    sampler = MultiBlockMasks.of(_VIEW_MASKS, encoder.grid, seed=0)
    views = []
    for view in range(settings.views):
        context = sampler(view, np.full(len(index), view), index).context
        size = settings.batch_size
        both = zip(_batches(images, size), _batches(context, size), strict=True)
        views.append(np.concatenate([encoder.encode(x, keep).mean(1).numpy() for x, keep in both]))
    return np.stack(views, 1)


def embed_images(folder: Path, images: Path, settings: Embed, out: Path) -> int:
    """Embed a folder of images; writes ``out`` (.npy) and the file names beside it (.csv)."""
    torch.set_num_threads(settings.threads)
    encoder = load_encoder(folder)
    if not isinstance(encoder.preprocess, ImageInputs):
        raise InputError(f"{folder}: an encoder of {encoder.config['modality']}, which takes no images")
    size, channels = encoder.preprocess.size, encoder.preprocess.channels
    dataset = ImageDataset(source="folder", path=str(images), image_size=size, channels=channels)
    source = read_source(dataset)
    parts = []
    for a in range(0, len(source.names), settings.batch_size):
        batch = []
        for i in range(a, min(a + settings.batch_size, len(source.names))):
            path = source.items(i)
            try:
                image = open_image(path, dataset.max_pixels)
                batch.append(to_pixels(image, size, channels))
            except ValueError as error:
                raise InputError(f"{path}: {error}") from None
        parts.append(encoder.embed(np.stack(batch), settings.pooling).numpy())
    temporary = out.with_name(f".{out.name}.{os.getpid()}.npy")
    np.save(temporary, np.concatenate(parts))
    write_csv(out.with_suffix(".csv"), ["file"], ([name] for name in source.names))
    os.replace(temporary, out)
    return len(source.names)


def main(argv: list[str] | None = None) -> None:
    """The command line; see the top of this file or ``--help``."""
    p = parser(__doc__)
    add_spec(p, "experiments.NAME.embed")
    p.add_argument("--encoder", type=Path, required=True, help="folder written by train")
    what = p.add_mutually_exclusive_group(required=True)
    what.add_argument("--data", type=Path, help="folder written by prepare")
    what.add_argument("--images", type=Path, help="folder of new images")
    p.add_argument("--out", type=Path, required=True, help="result folder, or .npy with --images")
    args = p.parse_args(argv)
    settings = parse(Embed, *read_spec(args.spec))
    if args.images:
        if args.out.suffix != ".npy":
            raise InputError(f"--out: found {args.out}, expected a file name ending in .npy")
        n = embed_images(args.encoder, args.images, settings, args.out)
        print(f"{args.out}: {n} embeddings, file names in {args.out.with_suffix('.csv')}")
    else:
        embed_store(args.encoder, open_prepared(args.data), settings, args.out)


if __name__ == "__main__":
    run(main)
