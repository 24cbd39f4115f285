"""Tubelets, the floors of single frames, and encoders that see frames one by one."""

import numpy as np
import pytest
import torch
from support import parse_training
from torch.nn import functional

from jepa_steps.errors import InputError
from jepa_steps.modalities.images.tokenizer import PatchTokenizer
from jepa_steps.modalities.video.encoder import encoder, inputs
from jepa_steps.modalities.video.floors import DifferencesOfFrames, MeanOfFrames
from jepa_steps.modalities.video.tokenizer import TubeletTokenizer

DESCRIPTION = {
    "clip_length": 4, "image_size": [8, 12], "channels": 3, "mean": [0.5] * 3, "std": [0.25] * 3,
}  # fmt: skip
MODEL = {"tubelet_length": 2, "patch_size": 4, "dim": 24, "depth": 2, "heads": 2}


def clips(n: int = 3) -> torch.Tensor:
    return torch.randn(n, 4, 3, 8, 12, generator=torch.Generator().manual_seed(0))


def test_tubelets_are_a_convolution_with_a_stride_of_its_kernel():
    """V-JEPA's Conv3d, with the weights in its order."""
    tokenizer, x = TubeletTokenizer((4, 8, 12, 3), 2, 4, 24), clips()
    kernel = tokenizer.embed.weight.view(24, 2, 4, 4, 3).permute(0, 4, 1, 2, 3)
    expected = functional.conv3d(x.transpose(1, 2), kernel, tokenizer.embed.bias, stride=(2, 4, 4))
    expected = expected.flatten(2).transpose(1, 2)
    assert tokenizer.grid == (2, 2, 3) and torch.allclose(tokenizer(x), expected, atol=1e-5)
    keep = torch.tensor([[0, 7, 11], [3, 2, 1], [5, 5, 6]])
    chosen = torch.take_along_dim(expected, keep[..., None], 1)
    assert torch.allclose(tokenizer(x, keep), chosen, atol=1e-5)


def test_clips_of_one_frame_are_images():
    ours, theirs = TubeletTokenizer((1, 8, 8, 3), 1, 4, 24), PatchTokenizer(8, 4, 3, 24)
    theirs.load_state_dict(ours.state_dict())
    x = clips()[:, 0, :, :, :8]
    assert torch.equal(ours(x[:, None]), theirs(x))


def test_attention_within_frames_sees_no_other_frame():
    train = parse_training(
        {"encoder": "video-untrained", "model": {**MODEL, "tubelet_length": 1, "attention": "frame"}}
    )
    alone, x = encoder(train, DESCRIPTION), clips()
    tokens = alone(x).unflatten(1, (4, -1))
    other = x.clone()
    other[:, 2] += 1
    changed = alone(other).unflatten(1, (4, -1))
    for t in range(4):
        assert torch.allclose(tokens[:, t], changed[:, t], atol=1e-6) == (t != 2)
    columns = torch.tensor([[0, 4], [5, 2], [1, 3]])
    keep = (columns[:, None] + 6 * torch.arange(4)[:, None]).flatten(1)
    kept = alone(x, keep).unflatten(1, (4, -1))
    assert torch.equal(alone(x[:1], keep[:1]), kept[:1].flatten(1, 2))
    seen = alone(other, keep).unflatten(1, (4, -1))
    assert torch.allclose(kept[:, 3], seen[:, 3], atol=1e-6) and not torch.allclose(
        kept[:, 2], seen[:, 2]
    )
    layers = alone.layers(x, 2)
    assert len(layers) == 2 and torch.allclose(layers[-1], alone(x), atol=1e-6)


def test_floors_are_the_mean_frame_and_the_differences():
    x = clips()
    mean = MeanOfFrames(8)(x)
    assert torch.allclose(mean[:, 0], x.mean(1).flatten(1))
    small = MeanOfFrames(4)(x)
    assert torch.allclose(small[:, 0], functional.avg_pool2d(x.mean(1), 2).flatten(1), atol=1e-6)
    found = DifferencesOfFrames(8)(x)[:, 0]
    change = x[:, 1:] - x[:, :-1]
    assert torch.allclose(found[:, : change[0].numel()], change.flatten(1))
    assert torch.allclose(found[:, change[0].numel() :], change.abs().mean(1).flatten(1))
    still = DifferencesOfFrames(8)(x[:, :1].expand_as(x))
    assert not still.any()


def test_inputs_are_normalised_pixels_of_one_shape():
    take = inputs(DESCRIPTION)
    frames = np.random.default_rng(0).integers(0, 256, (2, 4, 8, 12, 3), dtype=np.uint8)
    expected = (frames / 255 - 0.5) / 0.25
    assert np.allclose(take(frames).permute(0, 1, 3, 4, 2).numpy(), expected, atol=1e-5)
    for wrong in (frames[:, :3], frames.astype(np.float32)):
        with pytest.raises(InputError, match=r"clips: found .* expected uint8 \(B, \*\(4, 8, 12, 3\)\)"):
            take(wrong)
