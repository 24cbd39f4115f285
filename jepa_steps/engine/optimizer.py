"""Optimizers with decay on matrices only, and the EMA of the target encoder."""

import torch
from torch import nn

from ..config import Optimizer


def optimizers(module: nn.Module, settings: Optimizer) -> list[torch.optim.Optimizer]:
    """The optimizers that together train the parameters of ``module``, one for most kinds.

    Biases, norms and tokens (fewer than two dimensions) are not decayed; a parameter group whose
    ``decays`` is true follows the schedule of the weight decay. Muon (Jordan et al. 2024) takes the
    matrices inside transformer blocks, AdamW the rest, at one learning rate: its updates are scaled
    to AdamW's size (Liu et al. 2025).
    """
    s = settings
    parameters = [p for p in module.parameters() if p.requires_grad]
    if s.kind == "muon":
        inside = {id(p) for name, p in module.named_parameters() if ".blocks." in name and p.ndim == 2}
        hidden = [p for p in parameters if id(p) in inside]
        muon = torch.optim.Muon(
            [{"params": hidden, "decays": True}],
            lr=s.lr,
            weight_decay=s.weight_decay,
            momentum=s.momentum,
            adjust_lr_fn="match_rms_adamw",
        )
        rest = [p for p in parameters if id(p) not in inside]
        return [muon, _adamw(_groups(rest, s.weight_decay), s)]
    return [_SINGLE[s.kind](_groups(parameters, s.weight_decay), s)]


def _groups(parameters: list[nn.Parameter], weight_decay: float) -> list[dict]:
    matrices = [p for p in parameters if p.ndim >= 2]
    others = [p for p in parameters if p.ndim < 2]
    return [
        {"params": matrices, "weight_decay": weight_decay, "decays": True},
        {"params": others, "weight_decay": 0.0, "decays": False},
    ]


def _adamw(groups: list[dict], s: Optimizer) -> torch.optim.Optimizer:
    return torch.optim.AdamW(groups, lr=s.lr, betas=s.betas, fused=True)


def _adam(groups: list[dict], s: Optimizer) -> torch.optim.Optimizer:
    return torch.optim.Adam(groups, lr=s.lr, betas=s.betas, fused=True)


def _sgd(groups: list[dict], s: Optimizer) -> torch.optim.Optimizer:
    return torch.optim.SGD(groups, lr=s.lr, momentum=s.momentum, fused=True)


def _lamb(groups: list[dict], s: Optimizer) -> torch.optim.Optimizer:
    from pytorch_optimizer import Lamb  # torch has none

    # As You et al. 2020, algorithm 2: decay inside the trust ratio, and no correction of the first
    # moment, whose scale the ratio removes (with it the first step is 1 / (1 - beta1) too long).
    return Lamb(groups, lr=s.lr, betas=s.betas, weight_decouple=False, adam_debias=True)


_SINGLE = {"adamw": _adamw, "adam": _adam, "sgd": _sgd, "lamb": _lamb}


def schedule(optimizer: torch.optim.Optimizer, lr: float, weight_decay: float) -> None:
    """Set learning rate and weight decay for the step to come."""
    for group in optimizer.param_groups:
        group["lr"] = lr
        if group["decays"]:
            group["weight_decay"] = weight_decay


@torch.no_grad()
def update_ema(target: nn.Module, online: nn.Module, momentum: float) -> None:
    """target = momentum * target + (1 - momentum) * online; buffers are copied."""
    torch._foreach_lerp_(
        list(target.parameters()), [p.detach() for p in online.parameters()], 1 - momentum
    )
    for ours, theirs in zip(target.buffers(), online.buffers(), strict=True):
        ours.copy_(theirs)
