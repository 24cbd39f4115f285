"""Question: does an encoder of videos see motion, beside its floors, and does it predict later frames?

    python benchmarks/video.py                  # direction, axis, speed and digit on moving digits
    python benchmarks/video.py --order          # the direction by one frame and by shuffled frames
    python benchmarks/video.py --future         # predicted embeddings of later frames on moving digits
    python benchmarks/video.py --real FOLDER    # the same on the clips of FOLDER/train, val and test

Moving digits are semi-synthetic: 5,391 videos, three for each digit image, split by image (val .15,
test .25), clips of 8 frames. Trained: the preset video-vicreg-tiny, three seeds. Floors: the same
encoder untrained; an image encoder applied frame by frame (the same recipe with tubelets of one frame
and attention within frames, 300 steps; and untrained), frame differences, the mean frame. Linear probe;
pooling and strength chosen on val, refitted on train and val. Mean over seeds with t interval; paired
differences in points with a 95 % interval over test groups and seeds. Then the motion controls of
evaluate, seed by seed.

--order: the accuracy of the direction by one frame, by shuffled frames and by whole clips, all seeds
together, with intervals over test digit images; and among the clips whose axis is right, the share whose
way along it is right, too. Frames of a straight path show its axis in any order: shuffling can take away
the way, not the axis. Chance is 1/8 for the direction by one frame, 1/2 for the way.

--future: clips of 16 frames, tubelets of 2 x 6 x 6, task future with a moving average, 600 steps of 64;
errors by horizon as shares of the variance, with the verdict of each seed. --real: frames of 48 x 48 at
8 per second, clips of 16, the same model with patches of 8, 300 steps.
"""

import argparse
import json
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import steps

from jepa_steps import evaluate, load_encoder, probe
from jepa_steps.data.splits import read_splits
from jepa_steps.draws import evenly
from jepa_steps.embed import embed_store
from jepa_steps.files import read_json
from jepa_steps.metrics.changed import probed
from jepa_steps.metrics.comparison import paired, read_correct
from jepa_steps.modalities import open_store
from jepa_steps.modalities.video import motion as motion_controls
from jepa_steps.modalities.video.settings import PRESETS
from jepa_steps.modalities.video.sources.moving_digits import DIRECTIONS

PRESET = PRESETS["video-vicreg-tiny"]
FRAMES = {"tubelet_length": 1, "attention": "frame"}
EMBED = {"poolings": ["max", "slices"], "view_samples": 64, "token_samples": 64}
PROBE = {"logistic_c": [0.001, 0.01, 0.1, 1.0], "few_labels": [10]}
CONTROLS = {
    "one frame": motion_controls.one_frame,
    "shuffled frames": motion_controls.shuffled,
    "whole clips": lambda clips, rows: clips,
}
FUTURE = {
    "encoder": "video-jepa",
    "task": "future",
    "steps": 600,
    "batch_size": 64,
    "model": {"tubelet_length": 2, "patch_size": 6, "dim": 64, "depth": 3, "heads": 2},
    "predictor": {"dim": 64, "depth": 2, "heads": 2},
    "objective": {"ema_momentum": [0.99, 1.0]},
    "optimizer": {"lr": 0.001},
    "validate_every": 300,
}


def digits(length: int, videos: int) -> dict:
    return {
        "source": "moving-digits", "path": __file__, "videos": videos, "image_size": 24, "channels": 1,
        "clip_length": length, "split": {"val": 0.15, "test": 0.25},
    }  # fmt: skip


def judged(run: dict, data: Path, out: Path) -> tuple[dict[str, np.ndarray], str, float, dict | None]:
    """(right answers by measure, pooling, seconds of training, evaluation.json) of one experiment."""
    block = {"dataset": "video", "modality": "video", "train": run, "embed": EMBED, "probe": PROBE}
    experiment, start = steps.parsed(block, data, str(out)), time.perf_counter()
    folder = steps.trained(experiment, data, out)
    seconds = time.perf_counter() - start
    embed_store(folder, open_store(data), experiment.embed, out / "embed")
    probe.probe(out / "embed" / "embeddings.npy", data / "splits.csv", experiment.probe, out / "probe",
                out / "embed" / "poolings.safetensors")  # fmt: skip
    found = read_json(out / "probe" / "probe.json")
    correct, _ = read_correct(out / "probe" / "predictions.csv")
    right = {"direction": correct["logistic"], "direction, 10 labels": correct["few10"]}
    right |= {name: of["logistic"]["accuracy"] for name, of in found["of_targets"].items()}
    motion = None
    if "model" in run:
        pooling = found["pooling"]["chosen"]
        motion = evaluate.evaluate(folder, data, ({"pooling": pooling}, "-"), out / "evaluate")
    return right, found["pooling"]["chosen"], seconds, motion


def told(name: str, runs: list[tuple]) -> str:
    """One line: means over seeds of every measure, with t intervals."""
    parts = []
    for measure in runs[0][0]:
        means = [float(np.mean(right[measure])) for right, *_ in runs]
        low, high = steps.over_seeds(means)
        spread = f" [{low:.3f}, {high:.3f}]" if len(means) > 1 else ""
        parts.append(f"{measure} {np.mean(means):.3f}{spread}")
    poolings = "/".join(dict.fromkeys(pooling for _, pooling, *_ in runs))
    return f"{name} ({poolings}): {', '.join(parts)}, {np.mean([s for *_, s, _ in runs]):.0f} s"


def controls(name: str, runs: list[tuple]) -> None:
    """The motion controls, seed by seed."""
    for seed, (*_, found) in enumerate(runs):
        for target, of in found["controls"].items():
            parts = [
                f"{what} {s['accuracy']:.3f} [{s['low']:.3f}, {s['high']:.3f}]"
                for what, s in of["scores"].items()
            ]
            print(f"{name} {seed}, {target}: {', '.join(parts)}", flush=True)


def motion(seeds: list[int], out: Path) -> None:
    data = steps.prepared(digits(8, 5391), out / "data", "video")
    model = PRESET["model"]
    image = steps.changed(PRESET, {"model": FRAMES, "steps": 300})
    runs = {
        "preset": [{**PRESET, "seed": s} for s in seeds],
        "untrained": [{"encoder": "video-untrained", "seed": s, "model": model} for s in seeds],
        "frame by frame": [{**image, "seed": s} for s in seeds],
        "frame by frame, untrained": [
            {"encoder": "video-untrained", "seed": s, "model": image["model"]} for s in seeds
        ],
        "frame differences": [{"encoder": "frame-differences"}],
        "mean frame": [{"encoder": "mean-frame"}],
    }
    groups = open_groups(data)
    found = {}
    for row, of in runs.items():
        found[row] = [judged(run, data, out / f"{row}-{i}") for i, run in enumerate(of)]
        print(told(row, found[row]), flush=True)
        if found[row][0][3]:
            controls(row, found[row])
        for measure in ("direction", "direction, 10 labels") if row != "preset" else ():
            ours, theirs = ([r[measure] for r, *_ in found[name]] for name in ("preset", row))
            d = paired(ours, theirs, groups)
            ends = f"[{d['low']:+.1f}, {d['high']:+.1f}]"
            print(f"preset less {row}, {measure}: {d['points']:+.1f} {ends}", flush=True)


def open_groups(data: Path) -> np.ndarray:
    """Groups int64 of the test clips."""
    table = read_splits(data / "splits.csv")
    return table.groups[table.split == 2]


def order(seeds: list[int], out: Path) -> None:
    """Print what one frame, shuffled frames and whole clips say of the direction and of the way along a
    right axis, all seeds together."""
    data = steps.prepared(digits(8, 5391), out / "data", "video")
    store, table = open_store(data), read_splits(data / "splits.csv")
    parts = [evenly(store.rows(name), 4000) for name in ("train", "val", "test")]
    rows, ends = np.concatenate(parts), np.cumsum([0, *map(len, parts)])
    known = [np.arange(a, b) for a, b in pairwise(ends)]
    labels, axes = [table.labels[part] for part in parts], axis_of(store.manifest["classes"])
    found: dict[str, list[np.ndarray]] = {}
    for seed in seeds:
        _, pooling, *_ = judged({**PRESET, "seed": seed}, data, out / str(seed))
        encoder = load_encoder(out / str(seed) / "train")
        for name, change in CONTROLS.items():
            x = motion_controls.embedded(encoder, store, rows, pooling, change)
            found.setdefault(name, []).append(probed(x, known, labels))
    true, groups = labels[2], table.groups[parts[2]]
    for name, guesses in found.items():
        right = np.stack([guess == true for guess in guesses])
        axis = np.stack([axes[guess] == axes[true] for guess in guesses])
        print(f"{name}: direction {interval(right, np.ones_like(axis), groups)}, "
              f"way along a right axis {interval(right, axis, groups)}", flush=True)  # fmt: skip


def axis_of(directions: list[str]) -> np.ndarray:
    """A number int64 (8,) for each direction, equal for opposite ones."""
    return np.array([DIRECTIONS.index(name) % (len(DIRECTIONS) // 2) for name in directions])


def interval(right: np.ndarray, among: np.ndarray, groups: np.ndarray, draws: int = 2000) -> str:
    """Share of right answers of those ``among``, bool (seeds, clips), with a 95 % interval: test groups
    are resampled."""
    codes = np.unique(groups, return_inverse=True)[1]
    hits, all_ = (np.bincount(codes, part.sum(0)) for part in (right & among, among))
    some = np.random.default_rng(0).integers(0, len(hits), (draws, len(hits)))
    low, high = np.quantile(hits[some].sum(1) / all_[some].sum(1), [0.025, 0.975])
    return f"{hits.sum() / all_.sum():.3f} [{low:.3f}, {high:.3f}]"


def future(data: Path, run: dict, seeds: list[int], out: Path) -> None:
    for seed in seeds:
        block = {"dataset": "video", "modality": "video", "train": {**run, "seed": seed}}
        experiment, start = steps.parsed(block, data, "future"), time.perf_counter()
        folder = steps.trained(experiment, data, out / str(seed))
        seconds = time.perf_counter() - start
        found = evaluate.evaluate(folder, data, ({}, "-"), out / f"{seed}-evaluate")
        print(f"seed {seed}: {seconds:.0f} s, {found['held_out']}, {found['interval']}")
        for name, lines in found["methods"].items():
            print(f"  {name}: " + ", ".join(f"{c} {v['mean']:.3f}" for c, v in lines.items()))
        for row in found["verdicts"]:
            low, high = (float("nan") if row[e] is None else row[e] for e in ("low", "high"))
            beside = f"{row['verdict']} {row['best_baseline']}, {row['difference']:+.3f}"
            print(f"  {row['metric']}: {beside} [{low:+.3f}, {high:+.3f}]", flush=True)
        print(f"  latent: {found.get('persistence')}", flush=True)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    p.add_argument("--train", default="{}", help="changes of the settings of training, as JSON")
    p.add_argument("--future", action="store_true")
    p.add_argument("--order", action="store_true")
    p.add_argument("--real", type=Path)
    args = p.parse_args()
    changes = json.loads(args.train)
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch)
        if args.real:
            clips = {
                "source": "folder", "path": str(args.real), "image_size": 48, "frame_rate": 8,
                "clip_length": 16, "clip_stride": 4,
            }  # fmt: skip
            run = steps.changed(FUTURE, {"model": {"patch_size": 8}, "steps": 300})
            data = steps.prepared(clips, out / "data", "video")
            future(data, steps.changed(run, changes), args.seeds, out)
        elif args.order:
            PRESET.update(steps.changed(PRESET, changes))
            order(args.seeds, out)
        elif args.future:
            data = steps.prepared(digits(16, 5391), out / "data", "video")
            future(data, steps.changed(FUTURE, changes), args.seeds, out)
        else:
            PRESET.update(steps.changed(PRESET, changes))
            motion(args.seeds, out)


if __name__ == "__main__":
    main()
