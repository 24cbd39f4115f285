"""Images of any channels, depth and rectangle, from their files to what encoders get."""

import csv
import json
import re

import numpy as np
import pytest
import scientific_factory as scientific
import tifffile
import torch
from PIL import Image

from jepa_steps import embed, evaluate, prepare, train
from jepa_steps.modalities.images.store import open_store
from jepa_steps.model.export import load_encoder

MODEL = {"patch_size": 4, "dim": 16, "depth": 1, "heads": 1}


def call(step, tmp_path, out="out", **spec):
    arguments = ("--spec", json.dumps(spec), "--out", tmp_path / out, "--workers", 1)
    return step(prepare, "images", *arguments)


def prepared(step, tmp_path, out="out", **spec):
    code, said, err = call(step, tmp_path, out, **spec)
    assert code == 0, err
    with (tmp_path / out / "splits.csv").open(newline="") as file:
        names = [row["source"] for row in csv.DictReader(file)]
    return open_store(tmp_path / out), names, said


def trained(step, tmp_path, data="out", out="run", **spec):
    spec = {"encoder": "jepa", "steps": 10, "batch_size": 8, "model": MODEL, **spec}
    code, _, err = step(
        train, "--spec", json.dumps(spec), "--data", tmp_path / data, "--out", tmp_path / out,
        "--checkpoints", tmp_path / f"{out}-runs",
    )  # fmt: skip
    assert code == 0, err
    return load_encoder(tmp_path / out)


def test_bands_of_tiffs(step, tmp_path):
    arrays = scientific.satellites(tmp_path / "sat", n=30)
    store, names, said = prepared(
        step, tmp_path, source="folder", path=str(tmp_path / "sat"), image_size=16
    )
    assert store.images.dtype == np.uint16 and store.images.shape[1:] == (16, 16, 13)
    assert all(np.array_equal(store.images[i], arrays[name]) for i, name in enumerate(names))
    assert "pixels: uint16, 13 channels" in said and store.manifest["settings"]["channels"] == 13
    encoder = trained(step, tmp_path, augment={"gain": 0.2, "noise": 0.1, "quarter_turns": 0.5})
    assert encoder.embed(store.images[:3]).shape == (3, 16)


def test_a_file_per_channel(step, tmp_path):
    arrays = scientific.microscope(tmp_path / "cells")
    spec = {"source": "folder", "path": str(tmp_path / "cells"), "image_size": 20}
    store, names, _said = prepared(step, tmp_path, **spec, channel_pattern="-(ch[0-9]+)")
    assert store.manifest["classes"] == ["dmso", "drug"] and len(names) == len(arrays)
    assert store.manifest["pixels"]["channels"] == [f"ch{c}" for c in range(1, 6)]
    assert all(np.array_equal(store.images[i], arrays[name]) for i, name in enumerate(names))
    assert trained(step, tmp_path).config["channel_names"][0] == "ch1"


@pytest.mark.parametrize(
    "layout",
    [
        "{channel}/{name}",
        "{cls}/{channel}/{name}",
        "{channel}/{cls}/{name}",
        "train/{cls}/{channel}_{name}",
    ],
)
def test_folders_per_channel(step, tmp_path, layout):
    rng = np.random.default_rng(0)
    for i in range(12):
        for channel in ("DAPI", "GFP", "w10", "w2"):
            path = tmp_path / "p" / layout.format(channel=channel, name=f"{i}.tif", cls="ab"[i % 2])
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, rng.integers(0, 9999, (8, 8)).astype(np.uint16))
    spec = {
        "source": "folder",
        "path": str(tmp_path / "p"),
        "image_size": 8,
        "channel_pattern": "(DAPI|GFP|w[0-9]+)",
    }
    store, _, _ = prepared(step, tmp_path, **spec)
    assert len(store) == 12 and store.manifest["pixels"]["channels"] == ["DAPI", "GFP", "w2", "w10"]
    assert store.manifest["classes"] == ([] if "{cls}" not in layout else ["a", "b"])


def test_spectrograms_are_no_squares(step, tmp_path):
    x = scientific.spectrograms(tmp_path / "s.npy")
    spec = {
        "source": "npy",
        "path": str(tmp_path / "s.npy"),
        "image_size": [64, 256],
        "normalise": "log",
    }
    table = {"table": str(tmp_path / "s.csv"), "label": "label"}
    store, _, _ = prepared(step, tmp_path, **spec, **table)
    assert store.images.dtype == np.float32 and np.array_equal(store.images[..., 0], x)
    encoder = trained(step, tmp_path, model={**MODEL, "patch_size": 16})
    assert encoder.grid == (4, 16) and encoder.encode(store.images[:2]).shape == (2, 64, 16)
    values = encoder.config["values"]
    train_x = x[store.rows("train")].astype(np.float64)
    scale = np.quantile(train_x[train_x > 0], 0.01)
    assert values["scale"][0] == pytest.approx(scale)
    logs = np.log1p(train_x / scale)
    got = encoder.preprocess(store.images[:4])[:, 0].numpy()
    reference = (np.log1p(x[:4].astype(np.float64) / scale) - logs.mean()) / logs.std()
    assert np.allclose(got, reference, atol=1e-5)


def test_tiles_of_one_image_stay_together(step, tmp_path):
    arrays = scientific.scenes(tmp_path / "s")
    spec = {
        "source": "folder",
        "path": str(tmp_path / "s"),
        "image_size": 16,
        "tile": 16,
        "stride": 12,
        "no_data": 0,
    }
    store, names, said = prepared(step, tmp_path, **spec)
    parts = {}
    for i, name in enumerate(names):
        file, *box = re.fullmatch(r"(.*)\[(\d+):(\d+),(\d+):(\d+)\]", name).groups()
        top, bottom, left, right = map(int, box)
        assert np.array_equal(store.images[i], arrays[file][top:bottom, left:right])
        parts.setdefault(file, set()).add(int(store.split[i]))
    assert all(len(found) == 1 for found in parts.values()) and len(parts) == 9
    assert len(names) == 9 * 3 * 3 - 1 and "left out: 1 tiles" in said and "s0.tif[0:16,0:16]" in said
    assert "tiles: 81 of 16 x 16 from 9 images; 20.0% of the pixels" in said
    assert store.manifest["groups"]["across_splits"] == 0


def test_missing_values_are_zero_after_normalisation_and_counted(step, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(5, 2, (40, 8, 8, 2)).astype(np.float32)
    x[rng.random(x.shape) < 0.1] = np.nan
    np.save(tmp_path / "x.npy", x)
    store, _, _ = prepared(step, tmp_path, source="npy", path=str(tmp_path / "x.npy"), image_size=8)
    pixels, some = store.manifest["pixels"], x[store.rows("train")]
    assert np.allclose(pixels["mean"], np.nanmean(some.astype(np.float64), (0, 1, 2)))
    assert np.allclose(pixels["std"], np.nanstd(some.astype(np.float64), (0, 1, 2)))
    assert np.allclose(pixels["missing"], np.isnan(some).mean((0, 1, 2)))
    encoder = trained(step, tmp_path, augment={"gain": 0.3, "noise": 0.3})
    got = encoder.preprocess(store.images[:9]).permute(0, 2, 3, 1).numpy()
    assert np.isfinite(got).all() and np.array_equal(got == 0, np.isnan(x[:9]))


@pytest.mark.parametrize("kind", ["standard", "percentiles", "log"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_statistics_are_those_of_the_training_part(step, tmp_path, kind, dtype):
    """Against numpy on all values at once, whatever the type."""
    rng = np.random.default_rng(1)
    x = (rng.gamma(2, 20, (30, 6, 8, 5)) + 1).clip(0, 250).astype(dtype)
    x[:, :2, 0, 1] = 7
    np.save(tmp_path / "x.npy", x)
    spec = {"source": "npy", "path": str(tmp_path / "x.npy"), "image_size": [6, 8], "channels": 5}
    missing = {"no_data": 7}
    store, _, _ = prepared(step, tmp_path, **spec, normalise=kind, **missing)
    flat = x[store.rows("train")].reshape(-1, 5).astype(np.float64)
    flat[flat == 7] = np.nan
    if kind == "percentiles":
        method = "linear" if dtype == "float32" else "inverted_cdf"
        ends = [
            np.array([np.quantile(c[~np.isnan(c)], q, method=method) for c in flat.T])
            for q in (0.01, 0.99)
        ]
        flat = flat.clip(*ends)
        assert np.allclose(store.manifest["pixels"]["values"]["low"], ends[0])
    if kind == "log":
        flat = np.log1p(flat / np.array(store.manifest["pixels"]["values"]["scale"]))
    assert np.allclose(store.manifest["pixels"]["mean"], np.nanmean(flat, 0))
    assert np.allclose(store.manifest["pixels"]["std"], np.nanstd(flat, 0))


def test_new_images_are_read_as_those_of_the_store(step, tmp_path):
    """Tiles, no-data and sizes of the data set hold for images that come later."""
    scientific.scenes(tmp_path / "s")
    spec = {"source": "folder", "path": str(tmp_path / "s"), "image_size": 8, "tile": 16, "no_data": 0}
    store, names, _ = prepared(step, tmp_path, **spec)
    encoder = trained(step, tmp_path)
    code, _, err = step(
        embed, "--encoder", tmp_path / "run", "--images", tmp_path / "s", "--out", tmp_path / "new.npy"
    )
    assert code == 0, err
    with (tmp_path / "new.csv").open(newline="") as file:
        rows = [row[-1] for row in csv.reader(file)][1:]
    new = np.load(tmp_path / "new.npy")
    where = [rows.index(name) for name in names]
    assert np.allclose(new[where], encoder.embed(np.array(store.images)).numpy(), atol=1e-6)


def test_channels_are_taken_away_one_by_one(step, tmp_path):
    """The class lies in one weak channel of six: alone it says all, the others say nothing."""
    scientific.satellites(tmp_path / "sat", n=120, channels=6)
    spec = {"source": "folder", "path": str(tmp_path / "sat"), "image_size": 16}
    prepared(step, tmp_path, **spec)
    spec = {"encoder": "untrained", "model": {"patch_size": 8, "dim": 64, "depth": 1, "heads": 1}}
    step(train, "--spec", json.dumps(spec), "--data", tmp_path / "out", "--out", tmp_path / "run")
    code, _, err = step(
        evaluate, "--train", tmp_path / "run", "--data", tmp_path / "out", "--out", tmp_path / "ev"
    )
    assert code == 0, err
    found = json.loads((tmp_path / "ev" / "evaluation.json").read_text())["targets"]["label"]
    alone = {name: score["accuracy"] for name, score in found["only"].items()}
    weak = str(scientific.WEAK + 1)
    assert max(alone, key=alone.get) == weak and alone[weak] > 0.9
    assert all(found["only"][n]["low"] < found["majority"]["high"] for n in alone if n != weak)
    assert found["without"][weak]["accuracy"] < 0.6


def test_a_channel_that_is_taken_away_is_zero_for_the_encoder(step, tmp_path):
    from jepa_steps.modalities.images.evaluation import _without

    scientific.satellites(tmp_path / "sat", n=30)
    store, _, _ = prepared(step, tmp_path, source="folder", path=str(tmp_path / "sat"), image_size=16)
    encoder = trained(step, tmp_path)
    x, y = (
        encoder.preprocess(store.images[:3]),
        _without(encoder.preprocess, torch.tensor([2, 5]))(store.images[:3]),
    )
    assert (y[:, [2, 5]] == 0).all() and torch.equal(y[:, [0, 1, 3, 4]], x[:, [0, 1, 3, 4]])


def test_what_is_found_may_be_asked_for_and_eight_bit_only_when_asked(step, tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "p").mkdir()
    for i in range(12):
        Image.fromarray(rng.integers(0, 65535, (8, 8)).astype(np.uint16)).save(
            tmp_path / "p" / f"{i:02}.png"
        )
    spec = {"source": "folder", "path": str(tmp_path / "p"), "image_size": 8}
    store, _, _said = prepared(step, tmp_path, **spec)
    assert store.images.dtype == np.uint16 and store.images.shape[3] == 1
    eight, _, _ = prepared(step, tmp_path, "eight", **spec, dtype="uint8", channels=1)
    assert np.array_equal(eight.images, np.round(store.images / 257).astype(np.uint8))
    wide, _, _ = prepared(step, tmp_path, "wide", **spec, dtype="float32")
    assert wide.images.dtype == np.float32 and np.array_equal(wide.images, store.images)


def test_what_is_missed_names_losses_and_counts_what_is_open():
    from jepa_steps.modalities.images.report import _missed

    def lost(*verdicts):
        rows = {str(c): {"verdict": v, "difference": 0.1 * c} for c, v in enumerate(verdicts)}
        return {"label": {"lost": rows}}

    assert _missed(lost("ties", "beats", "beats")) == "label: 2 (+20.0), 1 (+10.0)"
    assert _missed(lost("ties", "undecided", "beats")) == "label: 2 (+20.0); 1 undecided"
    assert _missed(lost("undecided", "undecided")) == "label: 2 undecided"
    assert _missed(lost("ties", "below")) == "label: none"
