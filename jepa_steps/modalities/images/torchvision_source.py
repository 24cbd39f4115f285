"""The only place that imports torchvision."""

import inspect
from pathlib import Path
from typing import Any

import torch

from ...errors import InputError


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


_declared: list[torch.library.Library] = []


def import_datasets() -> Any:
    """The module ``torchvision.datasets``.

    Raises:
        InputError: torchvision is not installed.
    """
    try:
        import torchvision.datasets as datasets
    except ModuleNotFoundError:
        raise InputError(
            "source torchvision: the package is not installed; pip install 'jepa-steps[torchvision]'"
        ) from None
    except (RuntimeError, ImportError):
        _declare_operators()
        import torchvision.datasets as datasets
    return datasets


def open_datasets(name: str, root: Path, download: bool) -> list[tuple[Any, int]]:
    """The parts of a torchvision data set with their split codes (0 train, 2 test).

    Raises:
        InputError: unknown class, or files missing or damaged.
    """
    datasets = import_datasets()
    if name not in datasets.__all__:
        raise InputError(
            f"torchvision_class: found {name!r}, expected a class of torchvision.datasets, "
            "e.g. MNIST, FashionMNIST, CIFAR10, SVHN, STL10"
        )
    cls = getattr(datasets, name)
    accepted = inspect.signature(cls).parameters
    options = {"download": download} if "download" in accepted else {}
    try:
        if "train" in accepted:
            return [(cls(str(root), train=i == 0, **options), i) for i in (0, 2)]
        if "split" in accepted:
            return [(cls(str(root), split=("train", "", "test")[i], **options), i) for i in (0, 2)]
    except (RuntimeError, OSError, ValueError) as error:
        raise InputError(f"{name} under {root}: {str(error).splitlines()[0]}") from None
    raise InputError(f"torchvision_class: {name} has neither a train nor a split argument")
