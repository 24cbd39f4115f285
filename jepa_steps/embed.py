"""Embed a prepared data set with a trained encoder or a floor, or embed new images.

    python -m jepa_steps.embed --encoder results/train/mine --data data/digits --out results/embed/mine
    python -m jepa_steps.embed --encoder results/train/mine --images photos --out photos.npy

The first form writes embeddings.npy (one row a sample, in the order of splits.csv), tokens.npy and
snapshots.npy (bounded samples of the training part, for statistics) and embed.json. The second
writes one row an image, and the file names beside it as .csv.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .cli import add_spec, parser, read_spec, run, staged, write_csv, write_json
from .config import Embed, ImageDataset, parse
from .data import counter
from .data.decode import open_image, to_pixels
from .data.sources import read_source
from .data.store import Store, open_store, sha256
from .errors import InputError
from .model.export import Encoder, load_encoder, load_snapshots


def embed_store(folder: Path, store: Store, settings: Embed, out: Path) -> None:
    """Write embeddings of all samples, and of bounded samples the tokens and the snapshots."""
    encoder = load_encoder(folder)
    rows = store.rows("train")
    rows = counter.generator(0, "embed sample").permutation(rows)
    token_rows = np.sort(rows[: settings.token_samples])
    snapshot_rows = np.sort(rows[: settings.snapshot_samples])
    with staged(out) as temporary:
        np.save(temporary / "embeddings.npy", pooled(encoder, store.images, settings))
        tokens = [
            encoder.encode(store.images[token_rows[a : a + settings.batch_size]]).numpy()
            for a in range(0, len(token_rows), settings.batch_size)
        ]
        np.save(temporary / "tokens.npy", np.concatenate(tokens))
        snapshots = load_snapshots(folder)
        width = np.load(temporary / "embeddings.npy", mmap_mode="r").shape[1]
        images = store.images[snapshot_rows]
        rows_of = [pooled(snapshot, images, settings) for _, snapshot in snapshots]
        empty = np.empty((0, len(images), width), np.float32)
        np.save(temporary / "snapshots.npy", np.stack(rows_of) if rows_of else empty)
        description = {
            "encoder": encoder.config["train"]["encoder"],
            "encoder_sha256": sha256(folder / "encoder.safetensors"),
            "data_sha256": store.manifest["sha256"],
            "pooling": settings.pooling,
            "snapshot_fractions": [fraction for fraction, _ in snapshots],
            "snapshot_rows": snapshot_rows.tolist(),
            "token_rows": token_rows.tolist(),
        }
        write_json(temporary / "embed.json", description)


def pooled(encoder: Encoder, images: np.ndarray, settings: Embed) -> np.ndarray:
    """Pooled embeddings float32 (n, D) of uint8 images (n, H, W, C), batch by batch."""
    torch.set_num_threads(settings.threads)
    step = settings.batch_size
    parts = [
        encoder.embed(images[a : a + step], settings.pooling).cpu().numpy()
        for a in range(0, len(images), step)
    ]
    return np.concatenate(parts)


def embed_images(folder: Path, images: Path, settings: Embed, out: Path) -> int:
    """Embed a folder of images; writes ``out`` (.npy) and the file names beside it (.csv)."""
    encoder = load_encoder(folder)
    spec: dict[str, Any] = {"source": "folder", "path": str(images), "image_size": encoder.image_size}
    dataset = ImageDataset(**spec, channels=encoder.channels)
    source = read_source(dataset)
    parts = []
    for a in range(0, len(source.names), settings.batch_size):
        batch = []
        for i in range(a, min(a + settings.batch_size, len(source.names))):
            path = source.items(i)
            try:
                image = open_image(path, dataset.max_pixels)
                batch.append(to_pixels(image, encoder.image_size, encoder.channels))
            except ValueError as error:
                raise InputError(f"{path}: {error}") from None
        parts.append(pooled(encoder, np.stack(batch), settings))
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
        embed_store(args.encoder, open_store(args.data), settings, args.out)


if __name__ == "__main__":
    run(main)
