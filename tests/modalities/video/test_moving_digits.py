"""Moving digits: what is in them, and that only their motion tells the direction."""

import csv

import numpy as np
import pytest
from modalities.video.clips import prepared
from sklearn.linear_model import RidgeClassifier
from support import ROOT

from jepa_steps.data.splits import read_splits
from jepa_steps.modalities.video.report import describe
from jepa_steps.modalities.video.sources import moving_digits


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("digits")
    size = {"image_size": moving_digits.SIDE, "clip_length": moving_digits.FRAMES}
    prepared("moving-digits", ROOT / "README.md", out, videos=360, channels=1, **size)
    return out


@pytest.fixture(scope="module")
def store(folder):
    from jepa_steps.modalities.video.store import open_store

    return open_store(folder)


def test_a_clip_is_a_video_as_it_is_drawn(store):
    assert len(store) == 360 and store.manifest["classes"] == sorted(moving_digits.DIRECTIONS)
    drawn = moving_digits.video(7, 360, 0)
    assert np.array_equal(store.samples(np.array([7]))[0, ..., 0], drawn)


def test_labels_and_targets_are_those_of_each_video(folder):
    told = moving_digits.labels(360, 0)
    with (folder / "splits.csv").open() as file:
        rows = list(csv.DictReader(file))
    classes = sorted(moving_digits.DIRECTIONS)
    assert [classes[int(row["label"])] for row in rows] == told["direction"]
    for name in ("axis", "speed", "digit"):
        assert [row[f"target:{name}"] for row in rows] == told[name]
    assert (
        rows[3]["source"] == "moving-digits[3]@0" and rows[3]["group"] == moving_digits.groups(360, 0)[3]
    )
    assert read_splits(folder / "splits.csv").unit == "group"


def test_directions_are_equally_frequent_and_no_image_is_in_two_parts(tmp_path):
    counts = np.unique(moving_digits.labels(1797, 0)["direction"], return_counts=True)[1]
    assert len(counts) == 8 and counts.max() - counts.min() <= 3
    assert len(set(moving_digits.groups(1797, 0))) == 1797
    more = prepared("moving-digits", ROOT / "README.md", tmp_path, videos=2000, channels=1)
    groups = more.manifest["groups"]
    assert groups["number"] == 1797 and groups["across_splits"] == 0


def test_the_report_says_that_they_are_semi_synthetic(store):
    facts = dict(describe(store.manifest, "data/digits")["facts"])
    assert store.manifest["semi_synthetic"] is True and facts["origin"] == "SEMI-SYNTHETIC"


def test_motion_tells_the_direction_and_a_frame_does_not(store):
    clips = store.samples(np.arange(360))[..., 0].astype(float)
    train, rest = store.rows("train"), np.setdiff1d(np.arange(360), store.rows("train"))
    still = clips[:, 0].reshape(360, -1)
    guessed = (
        RidgeClassifier(1e4)
        .fit(still[train], store.labels[train])
        .score(still[rest], store.labels[rest])
    )
    assert guessed < 0.3  # 1 of 8 by chance
    moving = clips - clips.mean(1, keepdims=True)
    spectra = np.fft.fft2(moving)
    shifts = np.fft.ifft2((spectra[:, 3:] * spectra[:, :-3].conj()).sum(1)).real.reshape(360, -1)
    seen = (
        RidgeClassifier(1e6)
        .fit(shifts[train], store.labels[train])
        .score(shifts[rest], store.labels[rest])
    )
    assert seen > 0.8
