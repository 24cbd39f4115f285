"""The motion controls: what is changed of clips, and what they say of encoders whose answer is known."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from modalities.video.clips import prepared

from jepa_steps import probe
from jepa_steps.config import parse
from jepa_steps.data.probed import resampled_by
from jepa_steps.data.splits import read_splits
from jepa_steps.modalities.video.motion import backwards, motion, one_frame, shuffled
from jepa_steps.modalities.video.motion_figure import evaluation_figure
from jepa_steps.modalities.video.settings import Evaluate
from jepa_steps.modalities.video.store import open_store


@pytest.fixture(scope="module")
def ramps(tmp_path_factory):
    """Videos of 6 frames that become lighter or darker, each from a brightness of its own."""
    folder, rng = tmp_path_factory.mktemp("ramps"), np.random.default_rng(0)
    label = np.arange(240) % 2
    start = rng.integers(80, 170, 240)
    light = start[:, None] + np.where(label, 8, -8)[:, None] * (np.arange(6) - 2.5)
    frames = np.clip(light[:, :, None, None] + rng.normal(0, 2, (240, 6, 8, 8)), 0, 255).astype(np.uint8)
    np.savez(folder / "x.npz", x=frames, labels=np.array(["darker", "lighter"])[label])
    prepared("arrays", folder / "x.npz", folder / "data", channels=1, image_size=8, clip_length=6)
    return folder / "data"


class Pixels:
    """An encoder that knows all pixels of all frames, in order."""

    def embed(self, clips: np.ndarray, pooling: str) -> torch.Tensor:
        return torch.from_numpy(np.array(clips)).float().flatten(1)


class Mean:
    """One that knows the mean frame alone."""

    def embed(self, clips: np.ndarray, pooling: str) -> torch.Tensor:
        return torch.from_numpy(np.array(clips)).float().mean(1).flatten(1)


def judged(encoder, data):
    return motion(encoder, open_store(data), read_splits(data / "splits.csv"), parse(Evaluate, {}, "x"))


def test_an_order_that_is_read_turns_around_backwards(ramps):
    found = judged(Pixels(), ramps)["label"]
    accuracy = {name: s["accuracy"] for name, s in found["scores"].items()}
    assert accuracy["clip"] == 1 and accuracy["backwards"] == 0
    for name in ("one_frame", "shuffled"):
        assert found["scores"][name]["low"] < 0.5 < found["scores"][name]["high"] + 0.05
    assert found["backwards_says"] == {"darker": ("lighter", 1.0), "lighter": ("darker", 1.0)}
    less = found["clip_less_frame"]
    assert less["verdict"] == "beats" and less["difference"] == pytest.approx(1 - accuracy["one_frame"])


def test_an_encoder_of_the_mean_frame_sees_no_motion(ramps):
    found = judged(Mean(), ramps)["label"]
    scores = found["scores"]
    assert (
        scores["clip"]["accuracy"] == scores["backwards"]["accuracy"] == scores["shuffled"]["accuracy"]
    )
    assert found["clip_less_frame"]["verdict"] == "ties"


def test_what_is_changed_of_clips():
    clips = np.random.default_rng(0).integers(0, 256, (5, 7, 3, 4, 1), dtype=np.uint8)
    rows = np.array([3, 8, 1, 40, 2])
    still = one_frame(clips, rows)
    assert (still == clips[:, 3:4]).all() and still.shape == clips.shape
    assert (backwards(clips, rows)[:, 0] == clips[:, -1]).all()
    mixed = shuffled(clips, rows)
    for one, other in zip(mixed, clips, strict=True):
        assert sorted(map(bytes, one)) == sorted(map(bytes, other))
    assert (mixed != clips).any(axis=(1, 2, 3, 4)).sum() >= 4
    assert (shuffled(clips[[3]], rows[[3]]) == mixed[[3]]).all()
    orders = [bytes(m[:, 0, 0, 0]) for m in shuffled(np.repeat(clips[:1], 5, 0), rows)]
    assert len(set(orders)) > 3


def test_few_groups_are_resampled_by_their_videos_and_never_by_clips(step, tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (40, 12, 8, 8), dtype=np.uint8)
    animals = np.array([f"animal {i % 10}" for i in range(40)])
    np.savez(tmp_path / "x.npz", x=frames, labels=np.arange(40) % 2, groups=animals)
    out = tmp_path / "data"
    prepared("arrays", tmp_path / "x.npz", out, channels=1, image_size=8, clip_length=4)
    store, table = open_store(out), read_splits(out / "splits.csv")
    test, by = store.rows("test"), resampled_by(table, 6)
    videos = len(np.unique(store.windows.segment(test)))
    assert len(np.unique(table.groups[test])) < 6 < videos and len(test) == 3 * videos
    for row in test:
        assert ((by.groups == by.groups[row]) == (store.windows.segment(np.arange(len(store)))
                                                  == store.windows.segment(np.array([row])))).all()  # fmt: skip
    assert by.unit.startswith("video of ") and resampled_by(table, 1) is table
    np.save(tmp_path / "e.npy", np.random.default_rng(0).normal(size=(len(store), 4)))
    code, _, err = step(probe, "--embeddings", tmp_path / "e.npy", "--splits", out / "splits.csv",
                        "--out", tmp_path / "p")  # fmt: skip
    assert code == 0, err
    told = json.loads((tmp_path / "p" / "probe.json").read_text())["interval"]
    assert f"over {videos} test videos of " in told


def test_one_video_in_test_decides_nothing(tmp_path, ramps):
    store, table = open_store(ramps), read_splits(ramps / "splits.csv")
    same = replace(table, groups=np.zeros(len(store), np.int64))
    found = motion(Pixels(), store, same, parse(Evaluate, {}, "x"))["label"]
    assert found["scores"]["clip"] == {"accuracy": 1.0, "low": None, "high": None}
    assert found["clip_less_frame"]["verdict"] == "undecided"
    json.dumps(found, allow_nan=False)
    saved = evaluation_figure(None, {"label": found})
    saved.savefig(tmp_path / "x.svg")
