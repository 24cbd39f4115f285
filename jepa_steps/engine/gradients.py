"""Gradients of one batch, whole or in pieces, in the chosen precision."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from ..model.jepa import Jepa, Views
from .parallel import synchronise

Batch = tuple[Tensor, ...]
Autocast = Callable[[], AbstractContextManager]
Scale = Callable[[Tensor], Tensor]


def backward(
    model: nn.Module, jepa: Jepa, batch: Batch, pieces: int, autocast: Autocast, scale: Scale
) -> tuple[Tensor, dict[str, Tensor]]:
    """Add the gradient of the mean loss of ``batch`` to the parameters.

    Args:
        model: ``jepa``, or its distributed wrapper.
        batch: tensors with this rank's samples along the first axis.
        pieces: equal parts that are computed one after another.
        autocast: makes the context of a forward pass.
        scale: applied to the loss before its gradient is taken (fp16 loss scaling).

    Returns:
        the detached loss and its parts.
    """
    if pieces == 1:
        with autocast():
            loss, parts = jepa.loss(model(*batch))
        scale(loss).backward()
        return loss.detach(), parts
    split = list(zip(*(part.chunk(pieces) for part in batch), strict=True))
    if jepa.objective.regularised:
        return _through_the_whole_batch(model, jepa, split, autocast, scale)
    total: dict[str, Tensor] = {}
    for number, piece in enumerate(split, 1):
        synchronise(model, number == len(split))
        with autocast():
            loss, parts = jepa.loss(model(*piece))
        scale(loss / pieces).backward()
        for name, value in {"": loss.detach(), **parts}.items():
            total[name] = total.get(name, 0) + value / pieces
    return total.pop(""), total


def _through_the_whole_batch(
    model: nn.Module, jepa: Jepa, split: list[Batch], autocast: Autocast, scale: Scale
) -> tuple[Tensor, dict[str, Tensor]]:
    """Exact gradient of a loss that couples all samples (GradCache, Gao et al. 2021).

    First the embeddings of all pieces without activations, then the loss and its gradient at the
    embeddings, then each piece again, with that gradient carried back.
    """
    with torch.no_grad(), autocast():
        views = [model(*piece) for piece in split]
    leaves = Views(*(_joined(parts) for parts in zip(*views, strict=True)))
    trained = _carries_gradient(jepa)
    for name in trained:
        getattr(leaves, name).requires_grad_()
    with autocast():
        loss, parts = jepa.loss(leaves)
    scale(loss).backward()
    gradients = {name: getattr(leaves, name).grad.chunk(len(split)) for name in trained}
    for number, piece in enumerate(split):
        synchronise(model, number == len(split) - 1)
        with autocast():
            again = model(*piece)
        torch.autograd.backward(
            [getattr(again, name) for name in trained],
            [gradients[name][number].to(getattr(again, name).dtype) for name in trained],
        )
    return loss.detach(), parts


def _joined(parts: tuple[Tensor | None, ...]) -> Tensor | None:
    return None if parts[0] is None else torch.cat(parts).detach()


def _carries_gradient(jepa: Jepa) -> tuple[str, ...]:
    if jepa.target_encoder is None:
        return ("prediction", "target", "context", "full")
    return ("prediction", "context")
