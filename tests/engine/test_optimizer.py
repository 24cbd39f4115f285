import torch
from conftest import TINY

from jepa_steps.config import parse_training
from jepa_steps.engine.optimizer import adamw, update_ema
from jepa_steps.model.jepa import Jepa


def test_biases_norms_and_tokens_are_not_decayed_and_the_target_is_not_optimised():
    train = parse_training(TINY, "test")
    jepa = Jepa(train, 8, 1)
    decayed, exempt = adamw(jepa, train.optimizer).param_groups
    assert exempt["weight_decay"] == 0.0 and decayed["weight_decay"] == 0.05
    assert all(p.ndim >= 2 for p in decayed["params"])
    names = {id(p): n for n, p in jepa.named_parameters()}
    optimised = {names[id(p)] for g in (decayed, exempt) for p in g["params"]}
    assert not any(n.startswith("target_encoder") for n in optimised)
    assert "predictor.mask_token" in {names[id(p)] for p in exempt["params"]}


def test_ema_is_the_weighted_mean():
    a, b = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)
    expected = 0.9 * a.weight + 0.1 * b.weight
    update_ema(a, b, 0.9)
    assert torch.allclose(a.weight, expected)
