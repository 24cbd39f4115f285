"""A batch in pieces, recomputed or on several ranks gives the gradient of the whole batch."""

import copy

import numpy as np
import pytest
import ranks
import torch
import torch.distributed as dist
from support import TINY, parse_training
from torch.nn.parallel import DistributedDataParallel

from jepa_steps.config import parse
from jepa_steps.data.masks import MultiBlockMasks
from jepa_steps.engine.gradients import backward
from jepa_steps.engine.precision import Precision
from jepa_steps.modalities.expression.encoding import Vocabulary
from jepa_steps.modalities.expression.jepa import cell_jepa
from jepa_steps.modalities.expression.preparation.labels import Part
from jepa_steps.modalities.expression.training import ExpressionJepa
from jepa_steps.modalities.images.jepa import image_jepa

POOLED = {"level": "pooled", "projector": 24}
OBJECTIVES = {
    "ema_target": {"kind": "ema_target"},
    "vicreg": {"kind": "vicreg"},
    "vicreg, projector": {"kind": "vicreg", "projector": 24},
    "vicreg, pooled": {"kind": "vicreg", **POOLED},
    "both, projector": {"kind": "ema_target+vicreg", "projector": 24},
    "sigreg": {"kind": "sigreg", "directions": 16},
    "sigreg, pooled": {"kind": "sigreg", **POOLED},
}
CELLS = {
    "cells": {"kind": "ema_target"},
    "cells, both": {"kind": "ema_target+vicreg", "projector": 24},
}
KINDS = [*OBJECTIVES, *CELLS]


def cells(kind: str, dtype, recompute=False):
    """(model, batch of 16) of the conditional task: singles, pairs, controls and unknown genes."""
    settings = {
        "encoder": "bio-jepa",
        "objective": CELLS[kind],
        "model": {"tokenizer": "modules", "tokens": 4, "dim": 32, "depth": 2, "heads": 1},
        "predictor": {"dim": 16, "depth": 1, "heads": 1},
        "recompute": recompute,
    }
    vocabulary = Vocabulary(("a", "b"), ("unknown", "knockdown"), ("c",))
    modules = np.array_split(np.arange(10), 4)
    features = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    jepa = cell_jepa(parse(ExpressionJepa, settings, "test"), 10, modules, vocabulary, features)
    part = [Part(g, "knockdown", d) for g, d in (("a", 1.0), ("b", 2.0), ("c", 1.0), ("z", 1.0))]
    conditions = [(part[0],), (part[0], part[1]), (), (part[2],), (part[1], part[3])]
    code = vocabulary.encode([conditions[i % 5] for i in range(16)], "unk").padded(2)
    x, y = torch.randn(2, 16, 10, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    every = torch.arange(4).expand(16, -1)
    weighted = [torch.from_numpy(v) for v in code]
    weighted[1], weighted[3] = weighted[1].to(dtype), weighted[3].to(dtype)
    return jepa.to(dtype), (x.to(dtype), every, every[:, None], y.to(dtype), *weighted)


def case(kind: str, dtype=torch.float64, **changes):
    """(model, batch of 16) with weights and images that depend on nothing; pooled: a target view."""
    if kind in CELLS:
        return cells(kind, dtype, **changes)
    objective = OBJECTIVES[kind]
    train = parse_training({**TINY, "objective": objective, **changes}, "test")
    jepa = image_jepa(train, 8, 1).to(dtype)
    rows = torch.arange(16).numpy()
    masks = MultiBlockMasks(jepa.encoder.grid, 0, 2)(0, 0 * rows, rows)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(16, 1, 8, 8, generator=generator, dtype=torch.float64).to(dtype)
    batch = (x, torch.from_numpy(masks.context), torch.from_numpy(masks.targets))
    return jepa, (*batch, x.flip(3)) if "level" in objective else batch


def gradient(jepa, batch, pieces=1, model=None):
    precision = Precision(parse_training(TINY, "test"), torch.device("cpu"))
    loss, _ = backward(model or jepa, jepa, batch, 5, pieces, precision)
    return loss, {n: p.grad for n, p in jepa.named_parameters() if p.grad is not None}


def distance(ours, theirs) -> float:
    """Norm of the difference of two gradients over the norm of the second."""
    assert ours[1].keys() == theirs[1].keys()
    flat, expected = (torch.cat([g.flatten() for g in r[1].values()]).double() for r in (ours, theirs))
    return float((flat - expected).norm() / expected.norm())


def assert_close(ours, theirs, tolerance):
    assert distance(ours, theirs) <= tolerance
    assert abs(float(ours[0] - theirs[0])) <= tolerance * float(theirs[0].abs())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pieces", [2, 4, 16])
def test_pieces_add_up_to_the_whole_batch(kind, pieces):
    jepa, batch = case(kind)
    whole = gradient(copy.deepcopy(jepa), batch)
    assert_close(gradient(jepa, batch, pieces), whole, 1e-12)


def test_pieces_taken_on_their_own_would_not_add_up():
    """What accumulation usually does: the coupling terms of each piece alone."""
    jepa, batch = case("vicreg")
    _, whole = gradient(copy.deepcopy(jepa), batch)
    for piece in zip(*(part.chunk(4) for part in batch), strict=True):
        (jepa.loss(jepa(*piece))[0] / 4).backward()
    name = "encoder.tokenizer.embed.weight"
    error = (jepa.get_parameter(name).grad - whole[name]).norm() / whole[name].norm()
    assert error > 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_recomputed_activations_give_the_same_gradient(kind):
    plain, batch = case(kind)
    recomputed, _ = case(kind, recompute=True)
    assert_close(gradient(recomputed, batch), gradient(plain, batch), 1e-14)


FORMATS = [(torch.float64, 1e-12, 1), (torch.float32, 1e-6, 1), (torch.float64, 1e-12, 2)]
CASES = [(kind, *case) for kind in KINDS for case in FORMATS]


def member(folder):
    dist.init_process_group("gloo")
    rank, size = dist.get_rank(), dist.get_world_size()
    for number, (kind, dtype, _, pieces) in enumerate(CASES):
        jepa, batch = case(kind, dtype)
        mine = tuple(part[rank::size] for part in batch)
        loss, gradients = gradient(jepa, mine, pieces, DistributedDataParallel(jepa))
        dist.all_reduce(loss)
        torch.save((loss / size, gradients), f"{folder}/{number}-{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.parametrize("size", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_ranks_share_the_gradient_of_the_global_batch(size, tmp_path):
    """DDP over gloo, whole and in pieces, against one process with the same 16 samples."""
    ranks.run(member, size, str(tmp_path))
    for number, (kind, dtype, tolerance, _) in enumerate(CASES):
        one = gradient(*case(kind, dtype))
        if dtype == torch.float32:  # 1e-6, or what float32 itself loses against float64
            tolerance = max(tolerance, 2 * distance(one, gradient(*case(kind, torch.float64))))
        for rank in range(size):
            ours = torch.load(tmp_path / f"{number}-{rank}.pt", weights_only=True)
            assert_close(ours, one, tolerance)
