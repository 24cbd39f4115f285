"""Memory of a step, predicted from two and four samples."""

import numpy as np
import pytest
import torch
from support import TINY, parse_training

from jepa_steps.data.masks import MultiBlockMasks
from jepa_steps.engine import memory
from jepa_steps.engine.precision import Precision
from jepa_steps.modalities.images.jepa import image_jepa

CPU = torch.device("cpu")


def measured(**changes) -> tuple[int, int]:
    """(bytes predicted beside weights, gradients and optimizer state, what autograd keeps of all 64)."""
    train = parse_training({**TINY, "batch_size": 64, **changes}, "test")
    jepa, precision = image_jepa(train, 8, 1), Precision(train, CPU)
    index = np.arange(64)
    masks = MultiBlockMasks(jepa.encoder.grid, 0, 2)(0, 0 * index, index)
    batch = torch.randn(64, 1, 8, 8), *map(torch.from_numpy, (masks.context, masks.targets))

    def loss(n: int) -> torch.Tensor:
        with precision.autocast():
            views = jepa(*(part[:n] for part in batch))
        return jepa.loss(views)[0]

    trained, fixed = (
        sum(p.numel() for p in jepa.parameters() if p.requires_grad == which) for which in (True, False)
    )
    whole = memory.predicted(jepa, loss, train, 1) - 4 * (4 * trained + fixed)
    return whole, memory.kept(jepa, lambda: loss(64))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("model", [{}, {"model": {"patch_size": 4, "dim": 128, "depth": 2, "heads": 2}}])
def test_two_and_four_samples_tell_what_the_whole_batch_keeps(precision, model):
    """Half-precision copies of a wide model's weights are kept once, however large the batch."""
    found, kept = measured(precision=precision, **model)
    assert found == pytest.approx(kept, rel=0.05)


def test_recomputing_and_accumulating_take_less():
    whole, _ = measured()
    assert measured(recompute=True)[0] < 0.8 * whole
    assert measured(accumulate=4)[0] < 0.6 * whole


@pytest.mark.parametrize(("kind", "moments"), [("adamw", 2), ("sgd", 1)])
def test_weights_gradients_and_moments_are_counted(kind, moments):
    train = parse_training({**TINY, "optimizer": {"kind": kind, "lr": 0.1}}, "test")
    layer = torch.nn.Linear(1000, 1000, bias=False)
    needed = memory.predicted(layer, lambda n: torch.zeros((), requires_grad=True) * 1.0, train, 1)
    assert needed == pytest.approx(4 * 1000 * 1000 * (2 + moments), rel=0.01)
