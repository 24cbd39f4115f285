"""Ragged batches become dense on the device: about a tenth of the bytes cross the bus."""

import numpy as np
import torch
from torch import Tensor

from ...device import moved


def densify(
    values: np.ndarray, indices: np.ndarray, offsets: np.ndarray, genes: int, device: torch.device
) -> Tensor:
    """Float32 (B, genes) on ``device``.

    Args:
        values, indices, offsets: what ``ExpressionStore.ragged`` returns.
        genes: width of a row.
    """
    rows = len(offsets) - 1
    start, length = (moved(part, device) for part in (np.arange(rows) * genes, np.diff(offsets)))
    place = torch.repeat_interleave(start, length, output_size=int(offsets[-1]))
    place += moved(indices, device)
    dense = torch.zeros(rows * genes, dtype=torch.float32, device=device)
    dense.scatter_(0, place, moved(values, device))
    return dense.view(rows, genes)
