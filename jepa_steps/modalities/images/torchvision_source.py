"""The data sets that torchvision reads."""

import inspect
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...model.torchvision_import import import_torchvision


def open_datasets(name: str, root: Path, download: bool) -> list[tuple[Any, int]]:
    """The parts of a torchvision data set with their split codes (0 train, 2 test).

    Raises:
        InputError: unknown class, or files missing or damaged.
    """
    datasets = import_torchvision("torchvision.datasets", "source torchvision")
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
