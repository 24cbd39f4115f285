"""What docs/scale.md reckons with: parameters, operations and bytes of a ViT-B/16 and a ViT-H/14 JEPA,
how fast checkpoints are written and read back here, and how long processes of this machine take to agree
on one integer over Gloo. Run: python benchmarks/scale.py [folder]"""

import os
import sys
import tempfile
import time
from pathlib import Path

import torch
import torch.distributed as dist
from common import header
from torch.multiprocessing.spawn import spawn

from jepa_steps.config.training import parse_training
from jepa_steps.engine import checkpoint, flops
from jepa_steps.modalities.images.jepa import image_jepa

PREDICTOR = {"dim": 384, "depth": 12, "heads": 12}
MODELS = {
    "ViT-B/16": {"patch_size": 16, "dim": 768, "depth": 12, "heads": 12},
    "ViT-H/14": {"patch_size": 14, "dim": 1280, "depth": 32, "heads": 16},
}


def pieces(name: str) -> None:
    """Counts of one model on images of 224 pixels, with I-JEPA's masks."""
    spec = {"encoder": "jepa", "model": MODELS[name], "predictor": PREDICTOR}
    jepa = image_jepa(parse_training(spec, name, "images"), 224, 3)
    trained = sum(p.numel() for p in jepa.parameters() if p.requires_grad)
    target = sum(p.numel() for p in jepa.target_encoder.parameters())
    tokens = (224 // MODELS[name]["patch_size"]) ** 2
    x = torch.zeros(1, 3, 224, 224)
    context = torch.arange(tokens // 2)[None]
    targets = torch.arange(4 * (tokens // 6)).reshape(1, 4, -1) % tokens
    operations = flops.count(jepa, lambda: jepa.loss(jepa(x, context, targets), alone=True)[0])[0]
    print(
        f"{name}: {trained / 1e6:.0f} M trained, {target / 1e6:.0f} M target; "
        f"gradients {4 * trained / 1e9:.2f} GB; checkpoint {(12 * trained + 4 * target) / 1e9:.2f} GB; "
        f"{operations / 1e9:.0f} GFLOP an image and step"
    )


def disk(folder: Path, numbers: int = 125_000_000) -> None:
    """Seconds and bytes a second of one checkpoint with its hash and fsync, and of reading it."""
    state = {"model": torch.randn(numbers)}
    start = time.perf_counter()
    checkpoint.save(folder, 1, state)
    saved = time.perf_counter()
    checkpoint.load(folder, checkpoint.newest(folder, print))
    read, size = time.perf_counter(), 4 * numbers / 1e9
    print(
        f"checkpoint of {size:.1f} GB: written and hashed at {size / (saved - start):.2f} GB/s, "
        f"verified and read at {size / (read - saved):.2f} GB/s (in the page cache)"
    )


def agree(rank: int, world: int, folder: str, rounds: int = 2000) -> None:
    """One process of ``world``: the mean time of an all-reduce of one integer, printed by rank 0."""
    store = dist.FileStore(f"{folder}/rendezvous{world}", world)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=world)
    number = torch.zeros(1, dtype=torch.int64)
    for repeat in (100, rounds):  # the first to warm up
        start = time.perf_counter()
        for _ in range(repeat):
            dist.all_reduce(number)
        seconds = time.perf_counter() - start
    if rank == 0:
        print(
            f"all-reduce of one integer, {world} processes: {1e6 * seconds / rounds:.0f} us", flush=True
        )
    dist.destroy_process_group()


def main() -> None:
    header("What a step moves, how fast a checkpoint is written, how fast processes agree")
    for name in MODELS:
        pieces(name)
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        disk(Path(folder))
        for world in (2, 4):
            spawn(agree, (world, folder), nprocs=world)
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
