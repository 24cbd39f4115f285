"""The batch of all ranks, with gradients."""

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.nn.functional import all_gather


def gather_rows(x: Tensor) -> Tensor:
    """Concatenate (B, ...) over ranks in rank order -> (B * ranks, ...); no-op on one process.

    Autograd-aware: every rank's loss sends gradients to every rank's rows. With DDP's mean over
    ranks this makes 2 ranks of B/2 equal one rank of B in loss and gradient.
    """
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return x
    return torch.cat(all_gather(x.contiguous()))
