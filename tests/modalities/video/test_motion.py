"""The motion controls: what is changed of clips, and what they say of encoders whose answer is known."""

import numpy as np
import pytest
import torch
from modalities.video.clips import prepared

from jepa_steps.config import parse
from jepa_steps.data.splits import read_splits
from jepa_steps.modalities.video.motion import backwards, motion, one_frame, resampled, shuffled
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


def test_few_groups_are_resampled_by_their_videos_and_never_by_clips(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (40, 12, 8, 8), dtype=np.uint8)
    animals = np.array([f"animal {i % 10}" for i in range(40)])
    np.savez(tmp_path / "x.npz", x=frames, labels=np.arange(40) % 2, groups=animals)
    out = tmp_path / "data"
    prepared("arrays", tmp_path / "x.npz", out, channels=1, image_size=8, clip_length=4)
    store, table = open_store(out), read_splits(out / "splits.csv")
    test = store.rows("test")
    units, over = resampled(store, table, test)
    assert len(test) == 3 * len(np.unique(units)) and (units == store.windows.segment(test)).all()
    assert f"{len(np.unique(units))} videos of" in over and "alone" in over
    many = store.rows("train")
    assert (resampled(store, table, many)[0] == table.groups[many]).all()
