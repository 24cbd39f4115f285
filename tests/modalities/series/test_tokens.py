"""Tokens of series: what is hidden is not seen, what is missing is not attended to."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jepa_steps.errors import InputError
from jepa_steps.modalities.series.augment import Augmentation, roughness
from jepa_steps.modalities.series.encoder import encoder, inputs
from jepa_steps.modalities.series.masks import TimeMasks
from jepa_steps.modalities.series.training import (
    SeriesAugment,
    SeriesMasks,
    SeriesModel,
    UntrainedSeries,
)

LENGTH, CHANNELS = 50, 3
KINDS = [(t, c) for t in ("convolutions", "patches") for c in ("mixed", "separate")]


def described(gaps: bool, normalise: str = "train") -> dict:
    names = [f"c{i}" for i in range(CHANNELS)]
    stats = {"mean": [1.0, 0.0, -2.0], "std": [2.0, 1.0, 0.5]}
    return {"length": LENGTH, "channels": names, **stats, "normalise": normalise, "gaps": gaps}


def built(tokenizer: str, channels: str, gaps: bool, depth: int = 2):
    model = SeriesModel(
        tokenizer=tokenizer, channels=channels, patch_length=8, dim=16, depth=depth, heads=2, kernels=24
    )
    module = encoder(UntrainedSeries(encoder="series-untrained", model=model), described(gaps))
    return module.eval().requires_grad_(False)


@pytest.mark.parametrize(("tokenizer", "channels"), KINDS)
@pytest.mark.parametrize("gaps", [False, True])
def test_kept_tokens_do_not_see_hidden_time(tokenizer, channels, gaps):
    module = built(tokenizer, channels, gaps)
    rows = CHANNELS if channels == "separate" else 1
    masks = TimeMasks(SeriesMasks(), 0, rows, 7, future=False)
    time = np.array([[0, 2, 3], [1, 5, 6]])
    keep = torch.from_numpy(masks.over_channels(time))
    x = torch.randn(2, LENGTH, CHANNELS, generator=torch.Generator().manual_seed(0))
    hidden = torch.ones(2, 7, dtype=torch.bool).scatter(1, torch.from_numpy(time), False)
    steps = hidden.repeat_interleave(8, 1)[:, :LENGTH]
    other = torch.where(steps[..., None], torch.randn_like(x) * 9, x)
    assert torch.equal(module(x, keep), module(other, keep))
    assert not torch.equal(module(x)[:, 0], module(other)[:, 0])
    assert module(x).shape == (2, module.tokens, 16)


@pytest.mark.parametrize(("tokenizer", "channels"), KINDS)
def test_padding_is_neither_attended_to_nor_averaged(tokenizer, channels):
    """A short series is the mean of its own tokens, computed as if the others did not exist."""
    module = built(tokenizer, channels, gaps=True)
    x = torch.randn(1, LENGTH, CHANNELS, generator=torch.Generator().manual_seed(1))
    x[:, 24:] = torch.nan
    rows = CHANNELS if channels == "separate" else 1
    own = torch.cat([torch.arange(3) + 7 * r for r in range(rows)])[None]
    assert module.tokenizer.present(x)[0].nonzero().flatten().tolist() == own[0].tolist()
    alone = module(x, own)
    whole = module(x)
    assert torch.allclose(whole[:, own[0]], alone, atol=1e-5)
    assert torch.allclose(whole.mean(1), alone.mean(1), atol=1e-5)
    assert torch.allclose(module.layers(x, 2)[-1], whole, atol=1e-6)
    assert module(torch.full_like(x, torch.nan)).isfinite().all()


def test_inputs_refuse_what_the_encoder_does_not_take():
    x = np.random.default_rng(0).normal(size=(4, LENGTH, CHANNELS)).astype(np.float32)
    x[0, 3, 1] = np.nan
    with pytest.raises(InputError, match="found missing values"):
        inputs(described(False))(x)
    with pytest.raises(InputError, match=r"expected float32 \(B, 50, 3\)"):
        inputs(described(True))(x[:, :-1])
    found = inputs(described(True))(x)
    assert torch.allclose(found[..., 0], (torch.from_numpy(x[..., 0]) - 1) / 2)


def test_normalised_by_sample_offset_and_scale_are_gone():
    x = np.random.default_rng(0).normal(size=(4, LENGTH, CHANNELS)).astype(np.float32)
    x[:, 30:, 0] = np.nan
    x[2, :, 1] = 5.0  # constant: 0, not noise blown up
    take = inputs(described(True, "sample"))
    found = take(x)
    assert torch.allclose(found, take(x * 3 + 7), atol=2e-5, equal_nan=True)
    known = found[0, :30, 0]
    assert abs(float(known.mean())) < 1e-5 and abs(float(known.std(correction=0)) - 1) < 1e-5
    assert (found[2, :, 1] == 0).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 20), st.integers(1, 4), st.booleans(), st.integers(0, 50))
def test_masks_stay_within_the_tokens_of_a_sample_and_hide_what_is_predicted(
    length, blocks, future, number
):
    generator = np.random.default_rng(number)
    tokens = generator.integers(2, length + 1, 12)
    masks = TimeMasks(SeriesMasks(), 3, 2, length, future)
    epoch, index = np.zeros(12, int), np.arange(12)
    least = int(tokens.min())
    visible, targets = masks.visible(number, epoch, index, tokens, least, blocks, (0.2, 0.4))
    context = masks.context(visible, int(visible.sum(1).min()), epoch, index)
    assert context.shape[1] >= 1 and targets.shape[:2] == (12, blocks)
    for seen, hidden, n in zip(context, targets, tokens, strict=True):
        assert len(set(seen)) == len(seen) and not set(seen) & set(hidden.ravel())
        assert max(seen.max(), hidden.max()) < n and (np.diff(hidden) == 1).all()
        assert not future or seen.max() < hidden.min()
    both = masks.over_channels(context)
    assert np.array_equal(both, np.concatenate([context, context + length], 1))
    part = masks.visible(number, epoch[:5], index[:5], tokens[:5], least, blocks, (0.2, 0.4))[1]
    assert np.array_equal(part, targets[:5])


def test_variations_depend_on_the_sample_alone_and_keep_its_end():
    s = SeriesAugment(crop_scale=(0.5, 0.9))
    x = torch.randn(6, LENGTH, CHANNELS, generator=torch.Generator().manual_seed(0))
    steps = np.array([50, 50, 20, 9, 50, 33])
    for row, n in zip(x, steps, strict=True):
        row[n:] = torch.nan
    vary, epoch, index = Augmentation(s, 0, "view 1"), np.zeros(6, int), np.arange(6)
    found = vary(x, epoch, index, steps)
    assert torch.equal(found.isnan(), x.isnan())
    some = vary(x[2:4], epoch[2:4], index[2:4], steps[2:4])
    assert torch.allclose(some, found[2:4], atol=1e-6, equal_nan=True)
    assert not torch.allclose(vary(x, epoch + 1, index, steps)[0], found[0])


def test_a_stretch_of_a_line_is_a_line_and_noise_has_the_size_asked_for():
    steps = np.full(400, LENGTH)
    line = torch.linspace(-1, 1, LENGTH)[None, :, None].repeat(400, 1, 1)
    epoch, index = np.zeros(400, int), np.arange(400)
    crop = Augmentation(SeriesAugment(crop_scale=(0.5, 0.5), jitter=0, scaling=0, drift=0), 0, "a")
    slope = crop(line, epoch, index, steps).diff(dim=1)
    assert torch.allclose(slope, torch.full_like(slope, 1 / (LENGTH - 1)), atol=1e-5)
    flat = torch.zeros(400, LENGTH, 1)
    noise = Augmentation(SeriesAugment(crop_scale=(1, 1), jitter=0.3, scaling=0, drift=0), 0, "a")
    rough = torch.randn(400, LENGTH, 1, generator=torch.Generator().manual_seed(0))
    assert abs(float(roughness(rough).mean()) - 1) < 0.02 and not noise(flat, epoch, index, steps).any()
    size = (noise(rough, epoch, index, steps) - rough).std(1)[:, 0]
    assert 0 < size.min() < 0.02 and 0.28 < size.max() < 0.45 and abs(size.mean() - 0.15) < 0.01
    drift = Augmentation(SeriesAugment(crop_scale=(1, 1), jitter=0, scaling=0, drift=0.3), 0, "a")
    curve = drift(flat, epoch, index, steps)
    bends = (curve.diff(dim=1).diff(dim=1).abs() > 1e-4).sum(1)  # at the knots alone
    assert bends.max() <= 8 and 0.1 < float(curve.square().mean().sqrt()) < 0.2
    factor = Augmentation(SeriesAugment(crop_scale=(1, 1), jitter=0, scaling=0.2, drift=0), 0, "a")
    logs = factor(torch.ones(400, LENGTH, 2), epoch, index, steps).log()
    assert abs(float(logs.std()) - 0.2) < 0.02 and torch.equal(logs[:, 0], logs[:, 1])
