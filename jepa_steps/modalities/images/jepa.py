"""The module that is trained on images."""

from collections.abc import Sequence

from ...config.predictor import sized
from ...model.jepa import Jepa, build_jepa
from ...model.predictor import MaskedPredictor
from .encoder import build_encoder
from .settings import ImageJepa


def image_jepa(train: ImageJepa, image_size: int | Sequence[int], channels: int) -> Jepa:
    """Hidden blocks of tokens, or pooled views, are predicted; weights by ``train.seed``."""
    encoder, p = build_encoder(train, image_size, channels), sized(train.predictor, train.model)

    def predictor() -> MaskedPredictor:
        shared, ratio = p.context == "shared", train.model.mlp_ratio
        return MaskedPredictor(encoder.grid, encoder.dim, p.dim, p.depth, p.heads, ratio, shared)

    return build_jepa(train, encoder, predictor)
