"""Question: do encoders of time series help, beside raw values, themselves untrained and MiniRocket?

    python benchmarks/series.py FOLDER                     # the preset on eight sets, three seeds
    python benchmarks/series.py FOLDER --sets FordA Crop   # some of them
    python benchmarks/series.py FOLDER --forecast          # the preset for forecasts on ETTh1
    python benchmarks/series.py FOLDER --train '{"steps": 600}'   # with other settings

FOLDER holds ucr_devel.zip (Crop, FordA, FaceAll); the six small sets come from the package sktime. Given
train and test parts, val is .2 of train; pooling and strength chosen on val, refitted on train and val.
Linear probe with all labels, and with 10 labels a class (5, or 1, where a class has fewer in train;
the line says which). Mean over seeds with t interval; paired differences in points with a 95 %
interval over test series and seeds. Seconds are of training, with the threads of the settings.

--forecast: ETTh1 (17,420 hours, 7 channels), look-back 336, horizons 24, 96 and 336; cut in time (val
.15, test .3) with 671 steps left out on both sides of each cut, stride 1, ridge regressions on 4,096
training windows; errors of evaluate with the verdict of each seed.
"""

import argparse
import json
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import steps

from jepa_steps import evaluate, probe
from jepa_steps.embed import embed_store
from jepa_steps.files import read_json
from jepa_steps.metrics.comparison import paired, read_correct
from jepa_steps.modalities import open_store
from jepa_steps.modalities.series.settings import PRESETS

PRESET = PRESETS["series-views"]
SMALL = ("GunPoint", "ArrowHead", "ItalyPowerDemand", "OSULeaf", "BasicMotions", "JapaneseVowels")
LARGE = ("Crop", "FordA")
KEPT = ("FaceAll",)  # looked at beside the eight
PROBE = {"logistic_c": [0.001, 0.01, 0.1, 1.0], "few_labels": [1, 5, 10]}
EMBED = {"poolings": ["max", "concat"], "batch_size": 128}


def dataset(name: str, folder: Path) -> dict:
    """Settings of one of the sets; large ones are unpacked into ``folder``."""
    split = {"val": 0.2}
    if name in SMALL:
        return {"source": "sktime", "path": __file__, "name": name, "split": split, "on_shared": "keep"}
    return {"source": "ucr", "path": str(folder / name), "split": split, "on_shared": "keep"}


def unpacked(archive: Path, names: list[str], out: Path) -> Path:
    """The folder of the large sets, one folder each."""
    with zipfile.ZipFile(archive) as file:
        for entry in file.namelist():
            name = entry.split("_")[0]
            if name in names:
                (out / name).mkdir(exist_ok=True)
                (out / name / entry).write_bytes(file.read(entry))
    return out


def judged(run: dict, data: Path, out: Path) -> tuple[dict, dict[str, np.ndarray], float]:
    """(probe.json, right answers by measure, seconds of training) of one experiment."""
    block = {"dataset": "series", "modality": "series", "train": run, "embed": EMBED, "probe": PROBE}
    experiment = steps.parsed(block, data, str(out))
    start = time.perf_counter()
    folder = steps.trained(experiment, data, out)
    seconds = time.perf_counter() - start
    embed_store(folder, open_store(data), experiment.embed, out / "embed")
    probe.probe(out / "embed" / "embeddings.npy", data / "splits.csv", experiment.probe, out / "probe",
                out / "embed" / "poolings.safetensors")  # fmt: skip
    found = read_json(out / "probe" / "probe.json")
    correct, _ = read_correct(out / "probe" / "predictions.csv")
    few = next(k for k in ("few10", "few5", "few1") if k in correct)
    return found, {"all labels": correct["logistic"], few: correct[few]}, seconds


def told(name: str, runs: list[tuple]) -> str:
    """One line: means and t intervals over seeds of both measures."""
    parts = []
    for measure in runs[0][1]:
        means = [right[measure].mean() for _, right, _ in runs]
        low, high = steps.over_seeds(means)
        spread = f" [{low:.3f}, {high:.3f}]" if len(means) > 1 else ""
        parts.append(f"{measure} {np.mean(means):.3f}{spread}")
    poolings = "/".join(dict.fromkeys(found["pooling"]["chosen"] for found, _, _ in runs))
    return f"{name} ({poolings}): {', '.join(parts)}, {np.mean([s for *_, s in runs]):.0f} s"


def versus(ours: list[tuple], floor: list[tuple]) -> dict[str, dict]:
    """Paired differences in points by measure."""
    samples = np.arange(len(next(iter(ours[0][1].values()))))
    return {
        measure: paired([r[measure] for _, r, _ in ours], [r[measure] for _, r, _ in floor], samples)
        for measure in ours[0][1]
    }


def forecast(folder: Path, run: dict, seeds: list[int], out: Path) -> None:
    """Errors by method and horizon, and verdicts, seed by seed."""
    spec = {
        "source": "table", "path": str(folder / "ETTh1.csv"), "context_length": 336,
        "target_length": 336, "stride": 1, "split": {"kind": "time", "val": 0.15, "test": 0.3},
    }  # fmt: skip
    data = steps.prepared(spec, out / "data", "series")
    for seed in seeds:
        block = {"dataset": "series", "modality": "series", "train": {**run, "seed": seed}}
        experiment, at = steps.parsed(block, data, "ETTh1"), out / str(seed)
        start = time.perf_counter()
        trained = steps.trained(experiment, data, at)
        seconds = time.perf_counter() - start
        asked = {"horizons": [24, 96, 336], "windows": 4096}
        found = evaluate.evaluate(trained, data, (asked, "ETTh1"), at / "evaluate")
        print(f"seed {seed}: {seconds:.0f} s, season {found['period']}, {found['interval']}")
        for name, lines in found["methods"].items():
            print(f"  {name}: " + ", ".join(f"{c} {v['mean']:.3f}" for c, v in lines.items()))
        for row in found["verdicts"]:
            low, high = (float("nan") if row[e] is None else row[e] for e in ("low", "high"))
            beside = f"{row['verdict']} {row['best_baseline']}, {row['difference']:+.3f}"
            print(f"  {row['metric']}: {beside} [{low:+.3f}, {high:+.3f}]", flush=True)
        print(f"  latent: {found['persistence']}", flush=True)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("--sets", nargs="+", default=[*SMALL, *LARGE])
    p.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    p.add_argument("--train", default="{}", help="changes of the preset, as JSON")
    p.add_argument("--floors", nargs="+", default=["raw", "untrained", "minirocket"])
    p.add_argument("--forecast", action="store_true")
    p.add_argument("--features", type=int, default=9996, help="of MiniRocket")
    args = p.parse_args()
    if args.forecast:
        run = steps.changed(PRESETS["series-future"], json.loads(args.train))
        with tempfile.TemporaryDirectory() as scratch:
            forecast(args.folder, run, args.seeds, Path(scratch))
        return
    preset = steps.changed(PRESET, json.loads(args.train))
    floors = {
        "raw": [{"encoder": "raw"}],
        "untrained": [
            {"encoder": "series-untrained", "seed": s, "model": preset.get("model", {})}
            for s in args.seeds
        ],
        "minirocket": [{"encoder": "minirocket", "features": args.features}],
    }
    won: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        at = Path(scratch)
        large = unpacked(args.folder / "ucr_devel.zip", [n for n in args.sets if n not in SMALL], at)
        for name in args.sets:
            data = steps.prepared(dataset(name, large), at / f"{name}-data", "series")
            runs = {"preset": [{**preset, "seed": s} for s in args.seeds]}
            runs |= {floor: floors[floor] for floor in args.floors}
            found = {
                row: [judged(run, data, at / f"{name}-{row}-{i}") for i, run in enumerate(of)]
                for row, of in runs.items()
            }
            for row, of in found.items():
                print(f"{name}: {told(row, of)}", flush=True)
            for floor in args.floors:
                for measure, d in versus(found["preset"], found[floor]).items():
                    says = "above" if d["low"] > 0 else "below" if d["high"] < 0 else "ties"
                    key = f"{'all labels' if measure == 'all labels' else 'few labels'}, {floor}"
                    won.setdefault(key, []).append(says)
                    print(f"{name}: preset less {floor}, {measure}: {d['points']:+.1f} "
                          f"[{d['low']:+.1f}, {d['high']:+.1f}] {says}", flush=True)  # fmt: skip
    for key, says in won.items():
        print(
            f"{key}: " + ", ".join(f"{word} {says.count(word)}" for word in ("above", "ties", "below"))
        )


if __name__ == "__main__":
    main()
