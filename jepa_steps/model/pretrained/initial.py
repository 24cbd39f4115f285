"""Whether weights are those of an encoder that was never trained.

The commonest trouble with published weights: a loader that finds no key it knows leaves the initial
weights in place, and the encoder is at chance level without a word.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

_WIDE = 6.0  # standard errors


def as_initial(
    weights: Mapping[str, Tensor], fresh: Mapping[str, Tensor], other: Mapping[str, Tensor]
) -> tuple[int, int]:
    """(tensors that look initial, tensors compared).

    A tensor that every build sets to one constant (the weight of a LayerNorm) looks initial where it
    still has it; one that is drawn, where its mean and standard deviation are those of a fresh build
    within six standard errors. Tensors that are equal in two builds without being constant (fixed
    position codes) tell nothing and are left out.

    Args:
        weights: as loaded. fresh, other: of two builds with initial weights of different seeds.
    """
    told = [name for name, x in fresh.items() if x.is_floating_point() and _tells(x, other[name])]
    return sum(_alike(weights[name].double(), fresh[name].double()) for name in told), len(told)


def _tells(x: Tensor, again: Tensor) -> bool:
    return _constant(x) or (x.numel() > 1 and not torch.equal(x, again))


def _constant(x: Tensor) -> bool:
    return bool((x == x.flatten()[:1]).all())


def _alike(x: Tensor, fresh: Tensor) -> bool:
    if _constant(fresh):
        return torch.equal(x, fresh)
    n, spread = x.numel(), fresh.std(correction=0)
    # Standard errors of a difference of two means, and of two standard deviations, of n normal values.
    mean = (x.mean() - fresh.mean()).abs() <= _WIDE * spread * (2 / n) ** 0.5
    return bool(mean and (x.std(correction=0) - spread).abs() <= _WIDE * spread / n**0.5)
