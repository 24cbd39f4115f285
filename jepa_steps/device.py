"""Where tensors live: the device that judges, and copies that the CPU does not wait for."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .cards import take, visible

_BLOCK = 2**26  # bytes that wait in pinned memory at once


def moved(x: np.ndarray | Tensor, device: torch.device) -> Tensor:
    """``x`` on ``device``; from the CPU through pinned memory, so that the copy waits for nothing and
    nothing waits for it."""
    tensor = torch.from_numpy(x) if isinstance(x, np.ndarray) else x
    if device.type == "cpu" or tensor.device.type != "cpu":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def resident(array: np.ndarray, device: torch.device) -> Tensor:
    """The whole of an array on ``device``, copied in blocks, so that it never stands in host memory."""
    rows = max(1, _BLOCK // max(1, array[:1].nbytes))
    whole = torch.empty(array.shape, dtype=torch.from_numpy(array[:0]).dtype, device=device)
    for a in range(0, len(array), rows):
        whole[a : a + rows] = moved(np.array(array[a : a + rows]), device)
    return whole


@lru_cache
def judging_device() -> torch.device:
    """A GPU that no training or other judge holds, or else the first; the CPU where there is none. The
    same at every call of a process: it holds one card, not one per encoder."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    cards = visible()
    free = take(cards, 1, wait=False)
    return torch.device("cuda", cards.index(free[0]) if free else 0)


def fitting(compute: Callable[..., dict[str, Tensor]], *samples: Any) -> dict[str, Tensor]:
    """``compute(*samples)``, tensors with the samples along the first axis; in halves, and halves of
    these, where the device has too little memory for all at once.

    Raises:
        torch.OutOfMemoryError: too little for a single sample.
    """
    try:
        return compute(*samples)
    except torch.OutOfMemoryError:
        if len(samples[0]) < 2:
            raise
    # Outside of the handler, which holds what the failed attempt had made.
    half = len(samples[0]) // 2
    first, second = (
        fitting(compute, *(part[some] for part in samples)) for some in (slice(half), slice(half, None))
    )
    return {name: torch.cat([x, second[name]]) for name, x in first.items()}
