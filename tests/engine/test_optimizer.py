import copy

import pytest
import torch
from support import TINY, parse_training

from jepa_steps.engine.optimizer import optimizers, schedule, update_ema
from jepa_steps.errors import InputError
from jepa_steps.modalities.images.jepa import image_jepa

KINDS = ["adamw", "adam", "sgd", "lamb", "muon"]


def settings(kind, **changes):
    decay = {"weight_decay": 0.0} if kind == "adam" else {}
    return parse_training({**TINY, "optimizer": {"kind": kind, "lr": 0.01, **decay, **changes}}, "test")


@pytest.mark.parametrize("kind", KINDS)
def test_each_trained_parameter_is_in_one_group_and_only_matrices_decay(kind):
    train = settings(kind)
    jepa = image_jepa(train, 8, 1)
    groups = [g for o in optimizers(jepa, train.optimizer) for g in o.param_groups]
    ids = [id(p) for g in groups for p in g["params"]]
    assert sorted(ids) == sorted(id(p) for p in jepa.parameters() if p.requires_grad)
    for group in groups:
        assert all((p.ndim >= 2) == group["decays"] for p in group["params"])
        assert group["decays"] or group["weight_decay"] == 0.0
    names = {id(p): n for n, p in jepa.named_parameters()}
    assert not any(names[i].startswith("target_encoder") for i in ids)
    exempt = {names[id(p)] for g in groups if not g["decays"] for p in g["params"]}
    assert "predictor.mask_token" in exempt and "encoder.transformer.norm.weight" in exempt


def test_muon_takes_the_matrices_inside_blocks():
    train = settings("muon")
    jepa = image_jepa(train, 8, 1)
    muon, adamw = optimizers(jepa, train.optimizer)
    names = {id(p): n for n, p in jepa.named_parameters()}
    hidden = {names[id(p)] for g in muon.param_groups for p in g["params"]}
    assert hidden == {n for n, p in jepa.named_parameters() if ".blocks." in n and p.ndim == 2} - {
        n for n in names.values() if n.startswith("target_encoder")
    }
    assert "encoder.tokenizer.embed.weight" in {
        names[id(p)] for g in adamw.param_groups for p in g["params"]
    }


def test_adam_with_decay_is_refused():
    with pytest.raises(InputError, match="kind adam has no decoupled decay"):
        parse_training({**TINY, "optimizer": {"kind": "adam"}}, "test")


class Two(torch.nn.Module):
    """A matrix and a vector, float64."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.matrix = torch.nn.Parameter(torch.randn(4, 3, dtype=torch.float64, generator=generator))
        self.vector = torch.nn.Parameter(torch.randn(3, dtype=torch.float64, generator=generator))


def after_two_steps(kind, written_out):
    """(ours, expected): parameters after two steps with fixed gradients."""
    s = settings(kind, **({} if kind == "adam" else {"weight_decay": 0.1})).optimizer
    module = Two()
    ours, expected = optimizers(module, s), copy.deepcopy(module)
    states = {name: {} for name, _ in expected.named_parameters()}
    for t in (1, 2):
        for p in module.parameters():
            p.grad = torch.linspace(-1, 1, p.numel(), dtype=torch.float64).view(p.shape) * t
        for optimizer in ours:
            schedule(optimizer, 0.01 / t, s.weight_decay)
            optimizer.step()
        for name, p in expected.named_parameters():
            gradient = dict(module.named_parameters())[name].grad
            decay = s.weight_decay if p.ndim >= 2 else 0.0
            p.data = written_out(p.data, gradient, states[name], t, 0.01 / t, decay, s)
    return module, expected


def moments(g, state, s):
    b1, b2 = s.betas
    state["m"] = b1 * state.get("m", 0) + (1 - b1) * g
    state["v"] = b2 * state.get("v", 0) + (1 - b2) * g**2
    return b1, b2


def adamw(p, g, state, t, lr, decay, s):
    b1, b2 = moments(g, state, s)
    m, v = state["m"] / (1 - b1**t), state["v"] / (1 - b2**t)
    return p * (1 - lr * decay) - lr * m / (v.sqrt() + 1e-8)


def sgd(p, g, state, t, lr, decay, s):
    g = g + decay * p
    state["m"] = s.momentum * state["m"] + g if "m" in state else g
    return p - lr * state["m"]


def lamb(p, g, state, t, lr, decay, s):
    """You et al. 2020, algorithm 2, with the trust ratio's norm of the weights cut at 10."""
    moments(g, state, s)
    update = state["m"] / (state["v"].sqrt() + 1e-6) + decay * p
    return p - lr * min(p.norm(), 10) / (update.norm() + 1e-6) * update


@pytest.mark.parametrize(
    ("kind", "rule"), [("adamw", adamw), ("adam", adamw), ("sgd", sgd), ("lamb", lamb)]
)
def test_updates_follow_the_written_out_rule(kind, rule):
    module, expected = after_two_steps(kind, rule)
    for ours, theirs in zip(module.parameters(), expected.parameters(), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-10, atol=1e-12)


def test_ema_is_the_weighted_mean():
    a, b = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)
    expected = 0.9 * a.weight + 0.1 * b.weight
    update_ema(a, b, 0.9)
    assert torch.allclose(a.weight, expected)


def test_ema_copies_current_buffers():
    a, b = torch.nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3)
    b(torch.randn(8, 3))
    update_ema(a, b, 0.9)
    assert torch.equal(a.running_mean, b.running_mean) and int(a.num_batches_tracked) == 1
