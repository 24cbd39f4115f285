"""The only place that imports torchvision."""

import importlib
from types import ModuleType

import torch

from ..errors import InputError

_declared: list[torch.library.Library] = []


def import_torchvision(module: str = "torchvision", who: str = "torchvision") -> ModuleType:
    """``torchvision``, or a module of it, beside whichever torch there is.

    Args:
        who: asks for it, for the message.

    Raises:
        InputError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        raise InputError(
            f"{who}: torchvision is not installed; pip install 'jepa-steps[torchvision]'"
        ) from None
    except (RuntimeError, ImportError):
        _declare_operators()
        return importlib.import_module(module)


def _declare_operators() -> None:
    """Let a torchvision built for CUDA import beside a CPU-only torch.

    Its compiled operators cannot load there, and the import fails on the missing schemas of ``nms``
    and ``qnms``. Declaring them makes ``datasets`` and ``transforms.v2`` work.
    """
    if torch.version.cuda is None:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            if not hasattr(torch.ops.torchvision, name):
                library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(library)  # the schemas live as long as the library object
