"""The same bytes from every run and resume on GPUs, as on CPUs, at the price of speed."""

import os

import torch

WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


def make_deterministic(device: torch.device) -> None:
    """Let torch choose kernels that sum in a fixed order, or stop where there is none.

    The backward passes of attention and of gathered tokens add by atomic operations otherwise, in
    whatever order threads come. CPUs need nothing. To be called before the first product on the device:
    cuBLAS reads its variable then.
    """
    if device.type == "cpu":
        return
    os.environ.setdefault(WORKSPACE, ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
