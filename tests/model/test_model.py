import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from support import TINY, parse_training

from jepa_steps.data.masks import MultiBlockMasks
from jepa_steps.modalities.images.encoder import build_encoder
from jepa_steps.modalities.images.jepa import image_jepa
from jepa_steps.modalities.images.tokenizer import PatchTokenizer
from jepa_steps.model.encoder import TokenEncoder
from jepa_steps.model.positions import sincos_positions
from jepa_steps.model.predictor import MaskedPredictor
from jepa_steps.model.tokens import gather_tokens
from jepa_steps.model.transformer import Transformer


def tiny(**changes):
    return parse_training({**TINY, **changes}, "test")


@pytest.mark.parametrize("channels", [1, 3])
def test_patches_equal_a_strided_convolution(channels):
    tokenizer = PatchTokenizer(12, 4, channels, 20)
    x = torch.randn(3, channels, 12, 12)
    kernel = tokenizer.embed.weight.view(20, 4, 4, channels).permute(0, 3, 1, 2)
    conv = F.conv2d(x, kernel, tokenizer.embed.bias, stride=4).flatten(2).transpose(1, 2)
    assert torch.allclose(tokenizer(x), conv, atol=1e-5)


def test_visible_tokens_are_embedded_as_in_the_whole():
    tokenizer = PatchTokenizer(8, 2, 1, 12)
    x, keep = torch.randn(4, 1, 8, 8), torch.stack([torch.randperm(16)[:5] for _ in range(4)])
    whole = tokenizer(x)
    assert torch.allclose(
        tokenizer(x, keep), torch.stack([w[k] for w, k in zip(whole, keep, strict=True)])
    )


def test_encoding_shape_and_that_hidden_pixels_do_not_leak():
    encoder = build_encoder(tiny(), 8, 1)
    x = torch.randn(2, 1, 8, 8)
    assert encoder(x).shape == (2, 16, 32)
    keep = torch.tensor([[0, 1, 4]] * 2)
    changed = x.clone()
    changed[:, :, 4:, 4:] += 10
    assert torch.equal(encoder(x, keep), encoder(changed, keep))


def test_position_codes_are_distinct_and_separable():
    codes = sincos_positions((4, 6), 32)
    assert codes.shape == (24, 32)
    assert torch.pdist(codes).min() > 0.1
    assert torch.equal(codes.view(4, 6, 32)[0, :, 16:], codes.view(4, 6, 32)[3, :, 16:])  # column half


@pytest.mark.parametrize(("grid", "dim"), [((7,), 16), ((3, 4), 20), ((2, 3, 4), 24), ((2, 3, 4), 28)])
def test_position_codes_of_any_grid_are_sines_and_cosines_of_each_axis(grid, dim):
    codes = sincos_positions(grid, dim).double().numpy()
    pairs = dim // (2 * len(grid))
    assert codes.shape == (math.prod(grid), dim)
    for token, place in enumerate(np.ndindex(*grid)):
        expected = []
        for at in place:
            angles = [at / 10000 ** (i / pairs) for i in range(pairs)]
            expected += [*map(math.sin, angles), *map(math.cos, angles)]
        assert codes[token] == pytest.approx(expected + [0.0] * (dim - len(expected)), abs=1e-6)
    with pytest.raises(ValueError, match="expected at least"):
        sincos_positions((2,) * 5, 8)


class Cubes(torch.nn.Module):
    """A tokenizer over a grid of three axes, one value per token."""

    def __init__(self, grid, dim):
        super().__init__()
        self.grid, self.dim, self.embed = grid, dim, torch.nn.Linear(1, dim)

    def scale_input(self):
        pass

    def forward(self, x, keep=None):
        tokens = self.embed(x[..., None])
        return tokens if keep is None else gather_tokens(tokens, keep)


def test_encoder_and_predictor_take_a_grid_of_three_axes():
    encoder = TokenEncoder(Cubes((2, 3, 2), 12), 1, 2)
    predictor = MaskedPredictor(encoder.grid, 12, 12, 1, 2, 2.0)
    x, context = torch.randn(4, 12), torch.arange(8).expand(4, -1)
    targets = torch.tensor([[8, 9], [10, 11]]).expand(4, 2, 2)
    assert encoder.tokens == 12 and encoder(x).shape == (4, 12, 12)
    assert predictor(encoder(x, context), context, targets).shape == (4, 2, 2, 12)


def test_depth_scaling_survives_initialisation():
    encoder = TokenEncoder(PatchTokenizer(8, 2, 1, 64), 6, 2)
    stds = [b.attention.proj.weight.std().item() for b in encoder.transformer.blocks]
    for number, std in enumerate(stds, 1):
        assert std == pytest.approx(stds[0] * number**-0.5, rel=0.1)


def test_initial_weights_depend_on_the_seed_only():
    torch.manual_seed(5)
    a = build_encoder(tiny(), 8, 1).state_dict()
    torch.manual_seed(6)
    b = build_encoder(tiny(), 8, 1).state_dict()
    assert all(torch.equal(a[k], b[k]) for k in a)
    c = build_encoder(tiny(seed=1), 8, 1).state_dict()
    assert not torch.equal(a["tokenizer.embed.weight"], c["tokenizer.embed.weight"])


@pytest.mark.parametrize("kind", ["ema_target", "vicreg", "ema_target+vicreg"])
def test_gradients_reach_all_trained_parameters_and_no_others(kind):
    jepa = image_jepa(tiny(objective={"kind": kind}), 8, 1)
    masks = MultiBlockMasks(jepa.encoder.grid, 0, 2)(0, *[torch.arange(8).numpy()] * 2)
    context, targets = torch.from_numpy(masks.context), torch.from_numpy(masks.targets)
    loss, parts = jepa.loss(jepa(torch.randn(8, 1, 8, 8), context, targets))
    loss.backward()
    for name, p in jepa.named_parameters():
        if name.startswith("target_encoder"):
            assert p.grad is None, name
        else:
            assert (p.grad is not None and p.grad.abs().sum() > 0) or name.endswith("bias"), name
    assert set(parts) >= ({"prediction"} if "ema" in kind else {"invariance"})


def test_the_exported_encoder_is_the_moving_average_where_there_is_one():
    jepa = image_jepa(tiny(), 8, 1)
    assert jepa.exported() is jepa.target_encoder
    assert image_jepa(tiny(objective={"kind": "vicreg"}), 8, 1).exported().training


@pytest.mark.parametrize("context", ["per_block", "shared"])
def test_a_block_is_predicted_without_a_look_at_the_others(context):
    jepa = image_jepa(tiny(predictor={"dim": 16, "depth": 2, "heads": 1, "context": context}), 8, 1)
    encoded, keep = torch.randn(3, 4, 32), torch.tensor([[0, 1, 2, 3]] * 3)
    targets = torch.tensor([[[4, 5], [6, 7]]] * 3)
    elsewhere = torch.tensor([[[4, 5], [14, 15]]] * 3)
    a, b = (jepa.predictor(encoded, keep, t) for t in (targets, elsewhere))
    assert torch.allclose(a[:, 0], b[:, 0], atol=1e-6)
    assert not torch.allclose(a[:, 1], b[:, 1], atol=1e-3)
    changed = jepa.predictor(encoded + 1, keep, targets)
    assert not torch.allclose(a, changed, atol=1e-3)  # the context is seen


def test_a_projector_without_bias_and_outside_of_the_exported_encoder():
    jepa = image_jepa(tiny(objective={"kind": "vicreg", "level": "pooled", "projector": 48}), 8, 1)
    assert jepa.predictor is None and jepa.projector.layers[-1].bias is None
    assert not any("projector" in name for name in jepa.exported().state_dict())
    x, keep = torch.randn(5, 1, 8, 8), torch.tensor([[0, 5, 9]] * 5)
    views = jepa(x, keep, keep[:, None], x.flip(2))
    assert views.prediction.shape == views.target.shape == (5, 48)
    assert torch.equal(views.target, jepa.projector(jepa.encoder(x.flip(2)).mean(1)))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("recompute", [False, True])
def test_skipped_tokens_change_nothing_for_the_others(masked, recompute):
    torch.manual_seed(0)
    transformer = Transformer(16, 2, 2, 4.0).double()
    transformer.recompute = recompute
    mask = torch.rand(7, 7) < 0.7 if masked else None
    results = []
    for skip in (0, 3):
        x = torch.randn(2, 7, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        y = transformer(x.requires_grad_(), mask, skip)[:, 3 - skip :]
        gradients = torch.autograd.grad(y.sin().sum(), [x, *transformer.parameters()])
        results.append((y.detach(), *gradients))
    for whole, short in zip(*results, strict=True):
        torch.testing.assert_close(short, whole, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["ema_target", "vicreg"])
def test_alignment_is_the_distance_of_predictions_and_targets_on_the_sphere(kind):
    jepa = image_jepa(tiny(objective={"kind": kind}), 8, 1)
    masks = MultiBlockMasks(jepa.encoder.grid, 0, 2)(0, *[torch.arange(8).numpy()] * 2)
    context, targets = torch.from_numpy(masks.context), torch.from_numpy(masks.targets)
    views = jepa(torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(0)), context, targets)
    found = {name: float(value.detach()) for name, value in jepa.alignment(views).items()}
    said, true = views.prediction.detach().double(), views.target.detach().double()
    if kind == "ema_target":
        true = (true - true.mean(-1, keepdim=True)) / (
            true.var(-1, keepdim=True, unbiased=False) + 1e-5
        ).sqrt()
    own, others = [], []
    for i in range(8):
        for m in range(said.shape[1]):
            for t in range(said.shape[2]):
                p = said[i, m, t] / said[i, m, t].norm()
                for where, to in ((own, true[i, m, t]), (others, true[i - 1, m, t])):
                    where.append(float(((p - to / to.norm()) ** 2).sum()))
    assert found["alignment"] == pytest.approx(sum(own) / len(own), rel=1e-4)
    assert found["alignment_shuffled"] == pytest.approx(sum(others) / len(others), rel=1e-4)
    same = views._replace(prediction=views.target)
    if kind == "vicreg":
        assert float(jepa.alignment(same)["alignment"].detach()) == pytest.approx(0, abs=1e-6)
