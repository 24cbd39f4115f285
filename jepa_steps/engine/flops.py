"""Floating-point operations of a step, and the peak they are measured against."""

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

# Dense bf16 tensor-core peaks from the vendors' data sheets, FLOP/s.
_GPU_PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "V100": 125e12}


def count(module: nn.Module, loss: Callable[[], Tensor]) -> tuple[int, dict[str, float]]:
    """Forward and backward operations of ``loss()`` (2 a multiply-add), measured by torch, and the share
    of each part of ``module``."""
    with torch.compiler.set_stance("force_eager"), FlopCounterMode(display=False) as counter:
        loss().backward()
    module.zero_grad(set_to_none=True)
    total, of_module = counter.get_total_flops(), counter.get_flop_counts()
    whole = type(module).__name__
    parts = {
        name: sum(of_module.get(f"{whole}.{name}", {}).values()) for name, _ in module.named_children()
    }
    return total, {name: part / total for name, part in parts.items() if part}


def peak(device: torch.device) -> tuple[float, str]:
    """(FLOP/s, how it was obtained): data sheet for known GPUs, else a timed fp32 product."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        for key, value in _GPU_PEAKS.items():
            if key in name:
                return value, f"{name} dense bf16, data sheet"
    a = torch.randn(1024, 1024, device=device)
    best = float("inf")
    for _ in range(6):
        start = time.perf_counter()
        (a @ a).sum().item()
        best = min(best, time.perf_counter() - start)
    return 2 * 1024**3 / best, "timed 1024x1024 fp32 product"
