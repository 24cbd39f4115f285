"""Gradients of one batch, whole or in pieces, in the chosen precision."""

import torch
from torch import Tensor, nn

from ..model.jepa import Jepa
from ..model.objectives.terms import Views
from .parallel import synchronise
from .precision import Precision

Batch = tuple[Tensor, ...]


def backward(
    model: nn.Module, jepa: Jepa, batch: Batch, step: int, pieces: int, precision: Precision
) -> tuple[Tensor, dict[str, Tensor]]:
    """Add the gradient of the mean loss of ``batch`` to the parameters.

    The loss is taken outside autocast, in float32: a sum over a batch is soon beyond the 65,504 of fp16.

    Args:
        model: ``jepa``, or its distributed wrapper.
        batch: tensors with this rank's samples along the first axis.
        step: the optimizer step, which random parts of the loss depend on.
        pieces: equal parts that are computed one after another.
        precision: number format of the forward passes, and fp16's loss scaling.

    Returns:
        the detached loss and its parts.
    """
    scale = precision.scaler.scale
    if pieces == 1:
        with precision.autocast():
            views = model(*batch)
        loss, parts = jepa.loss(views, step)
        scale(loss).backward()
        return loss.detach(), parts
    split = list(zip(*(part.chunk(pieces) for part in batch), strict=True))
    if jepa.objective.regularised:
        return _through_the_whole_batch(model, jepa, split, step, precision)
    total: dict[str, Tensor] = {}
    for number, piece in enumerate(split, 1):
        synchronise(model, number == len(split))
        with precision.autocast():
            views = model(*piece)
        loss, parts = jepa.loss(views, step)
        scale(loss / pieces).backward()
        for name, value in {"": loss.detach(), **parts}.items():
            total[name] = total.get(name, 0) + value / pieces
    return total.pop(""), total


def _through_the_whole_batch(
    model: nn.Module, jepa: Jepa, split: list[Batch], step: int, precision: Precision
) -> tuple[Tensor, dict[str, Tensor]]:
    """Exact gradient of a loss that couples all samples (GradCache, Gao et al. 2021).

    First the embeddings of all pieces without activations, then the loss and its gradient at the
    embeddings, then each piece again, with that gradient carried back.
    """
    with torch.no_grad(), precision.autocast():
        views = [model(*piece) for piece in split]
    leaves = Views(*(_joined(parts) for parts in zip(*views, strict=True)))
    trained = _carries_gradient(jepa)
    for name in trained:
        getattr(leaves, name).requires_grad_()
    loss, parts = jepa.loss(leaves, step)
    precision.scaler.scale(loss).backward()
    gradients = {name: getattr(leaves, name).grad.chunk(len(split)) for name in trained}
    for number, piece in enumerate(split):
        synchronise(model, number == len(split) - 1)
        with precision.autocast():
            again = model(*piece)
        torch.autograd.backward(
            [getattr(again, name) for name in trained],
            [gradients[name][number].to(getattr(again, name).dtype) for name in trained],
        )
    return loss.detach(), parts


def _joined(parts: tuple[Tensor | None, ...]) -> Tensor | None:
    return None if parts[0] is None else torch.cat(parts).detach()


def _carries_gradient(jepa: Jepa) -> tuple[str, ...]:
    if jepa.predictor is None:
        return ("prediction", "target")
    if jepa.target_encoder is None:
        return ("prediction", "target", "context", "full")
    return ("prediction", "context")
