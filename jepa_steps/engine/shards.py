"""The model as FSDP2 shards. Imported only where ``shard`` is set: the imports take 1 to 2 s."""

from typing import Any

import torch
from torch.distributed.checkpoint import state_dict as full_state
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

from ..model.jepa import Jepa
from ..model.transformer import Block
from .precision import TYPES

_FULL = full_state.StateDictOptions(full_state_dict=True, cpu_offload=True)


def shard(jepa: Jepa, precision: str) -> Jepa:
    """Shard every block and what remains, in place.

    In half precision the gathered weights are half precision already. Autocast would make such copies of
    them and keep them whole for the backward pass, on every rank.
    """
    policy = MixedPrecisionPolicy(param_dtype=TYPES.get(precision), reduce_dtype=torch.float32)
    for module in jepa.modules():
        if isinstance(module, Block):
            fully_shard(module, mp_policy=policy)
    return fully_shard(jepa, mp_policy=policy)


def whole_state(jepa: Jepa, optimizers: list[torch.optim.Optimizer]) -> dict[str, Any]:
    """Complete model and optimizer state on the CPU; every rank must call it."""
    model, optimizer = full_state.get_state_dict(jepa, optimizers, options=_FULL)
    return {"model": model, "optimizer": optimizer}


def load_whole_state(jepa: Jepa, optimizers: list[torch.optim.Optimizer], state: dict[str, Any]) -> None:
    """Restore what ``whole_state`` gave."""
    full_state.set_state_dict(
        jepa,
        optimizers,
        model_state_dict=state["model"],
        optim_state_dict=state["optimizer"],
        options=_FULL,
    )
