"""Memory of a step, predicted from two samples."""

import numpy as np
import pytest
import torch
from support import TINY, parse_training

from jepa_steps.data.masks import MultiBlockMasks
from jepa_steps.engine import memory
from jepa_steps.modalities.images.jepa import image_jepa


def predicted(rows: int, **changes) -> tuple[int, int]:
    """(prediction for a batch of 64 from ``rows`` samples times 2 / rows, bytes of the weights)."""
    train = parse_training({**TINY, "batch_size": 64, **changes}, "test")
    jepa = image_jepa(train, 8, 1)
    index = np.arange(rows)
    masks = MultiBlockMasks(jepa.encoder.grid, 0, 2)(0, 0 * index, index)
    batch = torch.randn(rows, 1, 8, 8), *map(torch.from_numpy, (masks.context, masks.targets))
    weights = 4 * sum(p.numel() for p in jepa.parameters())
    return memory.predicted(jepa, lambda: jepa.loss(jepa(*batch))[0], train, 1), weights


def test_two_samples_tell_what_the_whole_batch_keeps():
    """Against what autograd keeps for all 64 samples at once (32 times two)."""
    two, weights = predicted(2)
    all_64, _ = predicted(64)
    state = 4 * weights  # at most: weights, gradients and two moments of the trained part
    assert (all_64 - state) / 32 < two < 1.1 * ((all_64 - state) / 32 + state)


def test_recomputing_and_accumulating_take_less():
    whole, _ = predicted(2)
    assert predicted(2, recompute=True)[0] < 0.8 * whole
    assert predicted(2, accumulate=4)[0] < 0.6 * whole


@pytest.mark.parametrize(("kind", "moments"), [("adamw", 2), ("sgd", 1)])
def test_weights_gradients_and_moments_are_counted(kind, moments):
    train = parse_training({**TINY, "optimizer": {"kind": kind, "lr": 0.1}}, "test")
    layer = torch.nn.Linear(1000, 1000, bias=False)
    needed = memory.predicted(layer, lambda: torch.zeros((), requires_grad=True) * 1.0, train, 1)
    assert needed == pytest.approx(4 * 1000 * 1000 * (2 + moments), rel=0.01)
