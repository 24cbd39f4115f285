"""Ragged batches become dense on the device: about a tenth of the bytes cross the bus."""

import numpy as np
import torch
from torch import Tensor


def densify(
    values: np.ndarray, indices: np.ndarray, offsets: np.ndarray, genes: int, device: torch.device | str
) -> Tensor:
    """Float32 (B, genes) on ``device``.

    Args:
        values, indices, offsets: what ``ExpressionStore.ragged`` returns.
        genes: width of a row.
    """
    rows = len(offsets) - 1
    start, length = (
        torch.from_numpy(part).to(device, non_blocking=True)
        for part in (np.arange(rows) * genes, np.diff(offsets))
    )
    place = torch.repeat_interleave(start, length, output_size=int(offsets[-1]))
    place += torch.from_numpy(indices).to(device, non_blocking=True)
    dense = torch.zeros(rows * genes, dtype=torch.float32, device=device)
    dense.scatter_(0, place, torch.from_numpy(values).to(device, non_blocking=True))
    return dense.view(rows, genes)
