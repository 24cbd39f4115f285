"""Claims: where one weak channel carries the class, the page shows it: the trained encoder, its
untrained floor and what each channel says by itself.

    python benchmarks/channels.py [--seeds 3]

600 images of 32 x 32 with 6 channels of 16 bit, in three classes: five channels of strong random
blocks, and one whose textures, a tenth as strong, are horizontal, vertical or diagonal waves by class.
Encoders: JEPAs of hidden tokens and of two crops (400 steps of 64), untrained, raw values and 64
principal components. Logistic probe on 150 test images; channels are taken away as the step evaluate
does it."""

import argparse
import sys
import tempfile
from itertools import product
from pathlib import Path

import numpy as np
import steps
from common import header

from jepa_steps import evaluate, probe
from jepa_steps.embed import embed_store
from jepa_steps.files import read_json
from jepa_steps.metrics.comparison import paired, read_correct
from jepa_steps.modalities import open_store

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from scientific_factory import WEAK, satellites

MODEL = {"patch_size": 4, "dim": 64, "depth": 2, "heads": 2}
JEPA = {"encoder": "jepa", "steps": 400, "batch_size": 64, "model": MODEL, "optimizer": {"lr": 0.002}}
TRAINED = {
    "hidden tokens": {**JEPA, "augment": {"gain": 0.2}},
    "two crops": {
        **JEPA,
        "objective": {"kind": "vicreg", "level": "pooled", "projector": 256},
        "augment": {"target": "own", "crop_scale": [0.5, 1.0], "gain": 0.2, "noise": 0.1},
    },
}


FLOORS = {
    "untrained": {"encoder": "untrained", "model": MODEL},
    "raw values": {"encoder": "raw"},
    "64 components": {"encoder": "pca", "dim": 64},
}


def judged(train: dict, data: Path, out: Path) -> tuple[np.ndarray, np.ndarray, dict]:
    """(right answers with all labels, with 10 per class, what evaluate writes) of an encoder."""
    block = {"dataset": "images", "modality": "images", "train": train}
    experiment = steps.parsed(block, data, "channels")
    folder = steps.trained(experiment, data, out)
    embed_store(folder, open_store(data), experiment.embed, out / "embed")
    probe.probe(out / "embed" / "embeddings.npy", data / "splits.csv", experiment.probe, out / "probe",
                out / "embed" / "poolings.safetensors")  # fmt: skip
    correct, _ = read_correct(out / "probe" / "predictions.csv")
    evaluate.evaluate(folder, data, ({}, "channels"), out / "evaluate")
    return correct["logistic"], correct["few10"], read_json(out / "evaluate" / "evaluation.json")


def channels(found: dict) -> str:
    """What the probe says without each channel, and with it alone."""
    label = found["targets"]["label"]
    parts = [
        f"{name}: without {label['without'][name]['accuracy']:.2f} "
        f"({label['lost'][name]['verdict']}), alone {label['only'][name]['accuracy']:.2f}"
        for name in found["channels"]
    ]
    return f"all {label['all']['accuracy']:.2f}; " + "; ".join(parts)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seeds", type=int, default=3)
    seeds = range(arguments.parse_args().seeds)
    header("one weak channel carries the class")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        satellites(folder / "files", n=600, size=32, channels=6)
        spec = {"source": "folder", "path": str(folder / "files"), "image_size": 32,
                "split": {"val": 0.15, "test": 0.25}}  # fmt: skip
        data = steps.prepared(spec, folder / "data", "images")
        print(f"the class lies in channel {WEAK + 1}")
        runs = {}
        for name, train in {**TRAINED, **FLOORS}.items():
            some = seeds if name in ("untrained", *TRAINED) else [0]
            runs[name] = [
                judged(train | ({"seed": s} if len(some) > 1 else {}), data, folder / f"{name}{s}")
                for s in some
            ]
            means = [(every.mean(), few.mean()) for every, few, _ in runs[name]]
            print(
                f"{name}: all labels, 10 per class: " + ", ".join(f"{a:.3f} {b:.3f}" for a, b in means)
            )
            if runs[name][0][2]["task"]:
                print(f"  {channels(runs[name][0][2])}", flush=True)
        for trained, floor in product(TRAINED, FLOORS):
            for i, measure in enumerate(("all labels", "10 per class")):
                ours, theirs = ([run[i] for run in runs[name]] for name in (trained, floor))
                row = paired(ours, theirs, np.arange(len(ours[0])))
                print(
                    f"{trained} less {floor}, {measure}: {row['points']:+.1f} "
                    f"[{row['low']:.1f}, {row['high']:.1f}]"
                )


if __name__ == "__main__":
    main()
