"""How the model is laid over devices: copies (DDP), shards (FSDP2), compiled blocks."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..config import JepaRun
from ..errors import InputError
from ..model.jepa import Jepa
from ..model.transformer import Block
from .distributed import World


def parallel(jepa: Jepa, train: JepaRun, world: World, precision: str) -> nn.Module:
    """The module to call in training; ``jepa`` itself on one process.

    Args:
        precision: name of the number format of the forward pass.

    Raises:
        InputError: sharding asked of a single process.
    """
    if train.compile:
        # Masks of several sizes, with and without gradients: more variants than the usual 8.
        torch._dynamo.config.recompile_limit = max(64, torch._dynamo.config.recompile_limit)
        for module in jepa.modules():
            if isinstance(module, Block):
                module.compile(dynamic=True)
    if train.shard:
        if world.size == 1:
            raise InputError("shard: found true with one process, expected torchrun with 2 or more")
        from . import shards

        return shards.shard(jepa, precision)
    if world.size == 1:
        return jepa
    # Buffers are constants, the same on all ranks.
    return DistributedDataParallel(jepa, device_ids=None, broadcast_buffers=False)


def release(model: nn.Module) -> None:
    """Let go of the process group, before it is destroyed.

    DDP's reducer would drop the last reference to it while holding Python's global lock, and wait for
    communication threads that wait for that lock: about one run in five never ended.
    """
    if isinstance(model, DistributedDataParallel):
        del model.logger, model.reducer


def synchronise(model: nn.Module, on: bool) -> None:
    """Whether the next backward pass averages gradients over ranks."""
    if isinstance(model, DistributedDataParallel):
        model.require_backward_grad_sync = on
    elif _sharded(model):
        model.set_requires_gradient_sync(on)


def _sharded(model: nn.Module) -> bool:
    """Whether it is an FSDPModule, without the import of that class."""
    return hasattr(model, "set_requires_gradient_sync")


def local(tensors: list[Tensor]) -> list[Tensor]:
    """This rank's shards of parameters; whole tensors stay as they are."""
    return [t.to_local() if hasattr(t, "to_local") else t for t in tensors]


def whole(tensor: Tensor) -> Tensor:
    """A tensor with its shards gathered (on every rank)."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def weights(module: nn.Module) -> dict[str, Tensor]:
    """Complete state of a module on the CPU; every rank must call it."""
    return {name: whole(t).detach().cpu().contiguous() for name, t in module.state_dict().items()}


def training_state(jepa: Jepa, optimizers: list[torch.optim.Optimizer]) -> dict[str, Any]:
    """Complete model and optimizer state; every rank must call it."""
    if _sharded(jepa):
        from . import shards

        return shards.whole_state(jepa, optimizers)
    return {"model": jepa.state_dict(), "optimizer": [o.state_dict() for o in optimizers]}


def load_training_state(
    jepa: Jepa, optimizers: list[torch.optim.Optimizer], state: dict[str, Any]
) -> None:
    """Restore what ``training_state`` gave."""
    if _sharded(jepa):
        from . import shards

        return shards.load_whole_state(jepa, optimizers, state)
    jepa.load_state_dict(state["model"])
    for optimizer, saved in zip(optimizers, state["optimizer"], strict=True):
        optimizer.load_state_dict(saved)
