"""Autocast and loss scaling."""

from contextlib import AbstractContextManager, nullcontext

import torch

from ..config import JepaRun

TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Precision:
    """The number format of the forward pass; parameters and statistics stay float32.

    Attributes:
        name: "fp32", "bf16" or "fp16", as resolved from the settings.
        scaler: loss scaling of fp16; a pass-through otherwise.
    """

    def __init__(self, train: JepaRun, device: torch.device):
        # Cards before Ampere only emulate bf16, slower than float32.
        has_bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        auto = "bf16" if has_bf16 else "fp32"
        self.name = auto if train.precision == "auto" else train.precision
        self._device = device.type
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.name == "fp16")
        if device.type == "cuda":
            torch.backends.cuda.matmul.allow_tf32 = train.tf32
            torch.backends.cudnn.allow_tf32 = train.tf32

    def autocast(self) -> AbstractContextManager:
        """Context of a forward pass."""
        if self.name == "fp32":
            return nullcontext()
        return torch.autocast(self._device, TYPES[self.name])

    def unscale(self, optimizers: list[torch.optim.Optimizer]) -> None:
        """Undo the loss scaling in the gradients, before they are measured and clipped."""
        if self.scaler.is_enabled():
            for optimizer in optimizers:
                self.scaler.unscale_(optimizer)

    def update(self) -> None:
        """Adapt the scale to whether the last gradients were finite."""
        if self.scaler.is_enabled():
            self.scaler.update()
