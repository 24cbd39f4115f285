"""I-JEPA, V-JEPA: predict a moving average of the encoder, which gets no gradient (Assran et al.
2023)."""

import torch.nn.functional as F
from torch import Tensor

from ...config import Objective
from .terms import Term, Views, full

_DISTANCES = {"smooth_l1": F.smooth_l1_loss, "l1": F.l1_loss, "l2": F.mse_loss}


def prediction(views: Views, objective: Objective) -> list[Term]:
    """Distance of predictions from the tokens of the target encoder."""
    loss = ema_target_loss(views.prediction, views.target, objective.distance)
    return [Term("prediction", loss, 1.0)]


def target_space(tokens: Tensor) -> Tensor:
    """Tokens (..., D) of the target encoder as the loss compares them: layer-normed, without
    parameters."""
    return F.layer_norm(tokens, tokens.shape[-1:])


def ema_target_loss(prediction: Tensor, target: Tensor, kind: str = "smooth_l1") -> Tensor:
    """Distance to the layer-normed embedding of a stop-gradient target encoder (I-JEPA, V-JEPA).

    Args:
        prediction, target: (..., D), same shape; the target gets no gradient.
        kind: "smooth_l1" (beta 1, the released I-JEPA code), "l2" (the paper's text) or "l1" (V-JEPA,
            Bardes et al. 2024).

    Returns:
        scalar float32, mean over all elements.
    """
    target = target_space(full(target.detach()))
    return _DISTANCES[kind](full(prediction), target)
