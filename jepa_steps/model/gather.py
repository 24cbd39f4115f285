"""The batch of all ranks, with gradients."""

import torch
import torch.distributed as dist
from torch import Tensor


def gather_rows(x: Tensor) -> Tensor:
    """Concatenate (B, ...) over ranks in rank order -> (B * ranks, ...); no-op on one process.

    Autograd-aware: every rank's loss sends gradients to every rank's rows. With DDP's mean over
    ranks this makes 2 ranks of B/2 equal one rank of B in loss and gradient.
    """
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return x
    return _Gather.apply(x.contiguous())


class _Gather(torch.autograd.Function):
    """Concatenation over ranks; its gradient is summed over ranks."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        parts = [torch.empty_like(x) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, x)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        gradient = gradient.contiguous()
        dist.all_reduce(gradient)
        return gradient.chunk(dist.get_world_size())[dist.get_rank()]
