"""Floating-point operations of a step, and the peak they are measured against."""

import functools
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

# Dense half-precision tensor-core peaks from the vendors' data sheets, FLOP/s; the first whose words are
# all in the name of the card.
_GPU_PEAKS = {
    ("H200", "NVL"): 835e12,
    ("H100", "NVL"): 835e12,
    ("H100", "PCIe"): 756e12,
    ("H200",): 989e12,
    ("H100",): 989e12,
    ("A100",): 312e12,
    ("L40S",): 362e12,
    ("V100", "PCIE"): 112e12,
    ("V100",): 125e12,
}
_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_ENOUGH = 0.1  # seconds of timed products
# Side of the timed product: a smaller one times the start of a kernel, a larger one takes CPUs seconds,
# of which many have no half precision.
_SIDE = {("cpu", "fp32"): 1024, ("cpu", "bf16"): 256, ("cpu", "fp16"): 256}


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


def peak(device: torch.device, precision: str, tf32: bool = False) -> tuple[float, str]:
    """(FLOP/s in the precision of a run, how it was obtained): of half precision on known GPUs the data
    sheet's, else that of a timed product."""
    if device.type == "cuda" and precision != "fp32":
        name = torch.cuda.get_device_name(device)
        for words, value in _GPU_PEAKS.items():
            if all(word.lower() in name.lower() for word in words):
                return value, f"{name} dense {precision}, data sheet"
    n = _SIDE.get((device.type, precision), 8192)
    kind = "tf32" if tf32 and device.type == "cuda" and precision == "fp32" else precision
    return _timed(device, n, _TYPES[precision], kind, torch.get_num_threads())


@functools.cache
def _timed(
    device: torch.device, n: int, dtype: torch.dtype, kind: str, _threads: int
) -> tuple[float, str]:
    """(FLOP/s of the best of two to six products, how it was obtained), once per process and number of
    threads: on a slow CPU a product takes as long as several training steps."""
    a = torch.randn(n, n, device=device, dtype=dtype)
    seconds: list[float] = []
    while len(seconds) < 2 or (len(seconds) < 6 and sum(seconds) < _ENOUGH):
        start = time.perf_counter()
        (a @ a)[0, 0].item()
        seconds.append(time.perf_counter() - start)
    return 2 * n**3 / min(seconds), f"timed {n}x{n} {kind} product"
