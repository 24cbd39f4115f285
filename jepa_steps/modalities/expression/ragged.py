"""Ragged batches become dense on the device: about a tenth of the bytes cross the bus.

Shapes: B rows, k values of all rows.
"""

import numpy as np
import torch
from torch import Tensor

from ...device import moved


def densify(
    values: np.ndarray, indices: np.ndarray, offsets: np.ndarray, genes: int, device: torch.device
) -> Tensor:
    """Float32 (B, genes) on ``device``.

    Args:
        values, indices, offsets: what ``Csr.ragged`` returns.
        genes: width of a row.
    """
    row, gene = places(indices, offsets, device)
    return scattered(moved(values, device), row, gene, len(offsets) - 1, genes)


def places(indices: np.ndarray, offsets: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor]:
    """Row and gene of each value, int64 (k,) on ``device``."""
    start, length = (moved(part, device) for part in (np.arange(len(offsets) - 1), np.diff(offsets)))
    row = torch.repeat_interleave(start, length, output_size=int(offsets[-1]))
    return row, moved(indices, device).long()


def scattered(values: Tensor, row: Tensor, gene: Tensor, rows: int, genes: int) -> Tensor:
    """Values float32 (k,) at their places, 0 elsewhere: float32 (rows, genes)."""
    dense = torch.zeros(rows * genes, dtype=torch.float32, device=values.device)
    dense.scatter_(0, row * genes + gene, values)
    return dense.view(rows, genes)
