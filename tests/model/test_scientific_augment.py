"""Augmentations of images of any channels, each against numpy on one image at a time."""

import numpy as np
import pytest
import torch

from jepa_steps.config.augment import ImageAugment
from jepa_steps.modalities.images.transform import normalised as of_figures
from jepa_steps.model.augment import Augmentation, Sensor, Turns
from jepa_steps.model.pixels import PixelNormalisation, ValueNormalisation

EPOCH, INDEX = np.zeros(64, np.int64), np.arange(64)
MEAN, STD = [300.0, 20.0, 5.0], [100.0, 7.0, 2.0]
VALUES = {
    "standard": {"kind": "standard", "dtype": "float32"},
    "log": {"kind": "log", "dtype": "float32", "scale": [3.0, 2.0, 1.0]},
    "percentiles": {"kind": "percentiles", "dtype": "float32", "low": [100.0, 5.0, 1.0], "high": [500.0, 40.0, 9.0]},
}  # fmt: skip


def stored(n=64, size=6):
    x = np.random.default_rng(0).gamma(4, 1, (n, size, size, 3)) * [75, 5, 1.2]
    return x.astype(np.float32)


def normalised(kind, x):
    """By numpy, in float64, (n, H, W, C)."""
    v, x = VALUES[kind], x.astype(np.float64)
    if kind == "log":
        x = np.log1p(x.clip(min=0) / v["scale"])
    if kind == "percentiles":
        x = x.clip(v["low"], v["high"])
    return (x - MEAN) / STD


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_normalisation(kind, dtype):
    x = stored().astype(dtype)
    found = ValueNormalisation(MEAN, STD, VALUES[kind])(torch.from_numpy(x))
    assert np.allclose(found.permute(0, 2, 3, 1).numpy(), normalised(kind, x), atol=1e-5)


@pytest.mark.parametrize("kind", VALUES)
def test_figures_normalise_as_encoders_do(kind):
    x = stored()
    x[:, 0, 0, 1] = np.nan
    ours = of_figures(x, {"mean": MEAN, "std": STD, "values": VALUES[kind]})
    theirs = ValueNormalisation(MEAN, STD, VALUES[kind])(torch.from_numpy(x)).permute(0, 2, 3, 1)
    assert np.allclose(ours, theirs.numpy(), atol=1e-5)


def test_integers_that_mean_no_data_become_zero():
    x = np.full((1, 2, 2, 3), 400, np.uint16)
    x[0, 1, 0, 2] = 65535
    found = ValueNormalisation(MEAN, STD, {**VALUES["standard"], "no_data": 65535.0})(
        torch.from_numpy(x)
    )
    assert found[0, 2, 1, 0] == 0 and (found == 0).sum() == 1


@pytest.mark.parametrize("kind", ["standard", "log"])
def test_gain_is_of_stored_values(kind):
    """A factor per channel of the values in the file, then the normalisation; missing values stay 0."""
    x = stored()
    x[:, 0, 0, 1] = np.nan
    pixels = ValueNormalisation(MEAN, STD, VALUES[kind])
    sensor = Sensor(0, 0.4, 0.0, pixels)
    found = sensor(pixels(torch.from_numpy(x)), EPOCH, INDEX).permute(0, 2, 3, 1).numpy()
    factors = sensor.factors(EPOCH, INDEX, 3)
    assert factors.min() >= 0.6 and factors.max() <= 1.4 and np.ptp(factors) > 0.7
    reference = normalised(kind, x * factors[:, None, None, :])
    reference[:, 0, 0, 1] = 0
    assert np.allclose(found, reference, atol=2e-4)


def test_gain_of_pictures_is_of_pixels():
    x = torch.from_numpy(np.random.default_rng(0).integers(1, 255, (8, 5, 5, 3), np.uint8))
    pixels = PixelNormalisation([0.4, 0.5, 0.6], [0.2, 0.2, 0.3])
    sensor = Sensor(3, 0.2, 0.0, pixels)
    found = sensor(pixels(x), EPOCH[:8], INDEX[:8])
    factors = torch.from_numpy(sensor.factors(EPOCH[:8], INDEX[:8], 3))[:, None, None]
    mean, std = (torch.tensor(v) * 255 for v in ([0.4, 0.5, 0.6], [0.2, 0.2, 0.3]))
    assert torch.allclose(found.permute(0, 2, 3, 1), ((x * factors - mean) / std).float(), atol=1e-4)


def test_noise_is_standard_normal_by_sample():
    sensor = Sensor(0, 0.0, 0.5, PixelNormalisation([0.5] * 3, [0.2] * 3))
    x = torch.ones(64, 3, 9, 11)
    added = (sensor(x, EPOCH, INDEX) - x).numpy() / 0.5
    assert abs(added.mean()) < 0.02 and abs(added.std() - 1) < 0.02 and abs((added**4).mean() - 3) < 0.25
    alone = (sensor(x[:1], EPOCH[7:8], INDEX[7:8]) - 1).numpy() / 0.5
    assert np.array_equal(alone[0], added[7])
    assert np.corrcoef(added[0].ravel(), added[1].ravel())[0, 1] < 0.2


def test_turns_are_those_of_numpy():
    x = torch.randn(64, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    turns = Turns(0, 0.5, 0.75)
    found, (flipped, quarters) = turns(x, EPOCH, INDEX).numpy(), turns.drawn(EPOCH, INDEX)
    for one, before, flip, k in zip(found, x.numpy(), flipped, quarters, strict=True):
        upright = before[:, ::-1] if flip else before
        assert np.array_equal(one, np.rot90(upright, k, (1, 2)))
    flipped, quarters = turns.drawn(np.zeros(20000, np.int64), np.arange(20000))
    assert (
        np.allclose(np.bincount(quarters) / 20000, 0.25, atol=0.02) and abs(flipped.mean() - 0.5) < 0.02
    )


def test_a_draw_depends_on_its_sample_alone():
    s = ImageAugment(
        crop_scale=(0.3, 1.0), flip=0.5, flip_vertical=0.5, quarter_turns=0.5, gain=0.3, noise=0.2
    )
    pixels = ValueNormalisation(MEAN, STD, VALUES["standard"])
    augment, x = Augmentation(s, 5, pixels, "augment"), pixels(torch.from_numpy(stored()))
    whole = augment(x, EPOCH, INDEX)
    some = np.array([40, 3, 17])
    assert torch.allclose(augment(x[some], EPOCH[some], INDEX[some]), whole[some], atol=1e-6)
