"""What the benchmarks share: a trainer on random images, interleaved timing, the evidence header."""

import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import lru_cache
from importlib.metadata import version
from io import StringIO
from pathlib import Path

import numpy as np
import torch

from jepa_steps import prepare
from jepa_steps.config.training import parse_training
from jepa_steps.engine.distributed import World
from jepa_steps.engine.loop import Trainer
from jepa_steps.modalities import open_store

# (image side, ours): the sizes of the published figures, I-JEPA's masks, predictor of 6 blocks.
MODELS = {
    "ViT-T 32/4, batch 64": (32, 64, {"patch_size": 4, "dim": 192, "depth": 12, "heads": 3}),
    "ViT-S 96/8, batch 16": (96, 16, {"patch_size": 8, "dim": 384, "depth": 12, "heads": 6}),
}


def header(claim: str) -> None:
    """Print what is claimed, and where and with which versions it was measured."""
    names = " ".join(f"{name} {version(name)}" for name in ("torch", "numpy"))
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.split(":")[1].strip() for line in lines if "model name" in line), "?")
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    where = f"{cpu} x {os.cpu_count()}, {device}, Python {platform.python_version()}, {names}"
    print(f"{claim}\n{time.strftime('%Y-%m-%d')}, {where}, load {os.getloadavg()[0]:.1f}", flush=True)


def random_store(folder: Path, side: int, images: int):
    """A prepared store of random RGB images in ten classes."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (images, side, side, 3), dtype=np.uint8)
    np.savez(folder / "images.npz", images=pixels, labels=np.arange(images) % 10)
    spec = {"source": "npz", "path": str(folder / "images.npz"), "image_size": side, "channels": 3}
    prepare.main(["images", "--spec", json.dumps(spec), "--out", str(folder / "data")])
    return open_store(folder / "data")


@lru_cache
def _store(side: int, images: int):
    with redirect_stdout(StringIO()):
        return random_store(Path(tempfile.mkdtemp()), side, images)


def trainer(side: int, batch: int, model: dict, device: str = "cpu", images: int = 512, **changes):
    """A trainer of an I-JEPA on random images."""
    store = _store(side, images)
    settings = {
        "encoder": "jepa",
        "steps": 100_000,
        "batch_size": batch,
        "model": model,
        "predictor": {"dim": model["dim"], "depth": 6, "heads": model["heads"]},
        "optimizer": {"lr": 0.0001, "warmup": 0.0},
        "threads": 1,
        **changes,
    }
    train = parse_training(settings, "benchmark", "images")
    made = Trainer(train, store, Path(tempfile.mkdtemp()), World(0, 1, torch.device(device)))
    made.store = store  # what it was made from
    return made


def interleaved(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Least CPU seconds of each call over ``repeats`` rounds in which all take turns."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.process_time()
            call()
            best[name] = min(best[name], time.process_time() - start)
    return best
