"""The module that is trained on videos."""

from ...config.predictor import sized
from ...model.jepa import Jepa, build_jepa
from ...model.predictor import MaskedPredictor
from .encoder import describe, encoder
from .store import VideoStore
from .training import VideoJepa


def video_jepa(train: VideoJepa, store: VideoStore) -> Jepa:
    """Hidden tubelets, later ones or pooled views are predicted; weights by ``train.seed``."""
    built, p = encoder(train, describe(train, store)), sized(train.predictor, train.model)

    def predictor() -> MaskedPredictor:
        shared, ratio = p.context == "shared", train.model.mlp_ratio
        return MaskedPredictor(built.grid, built.dim, p.dim, p.depth, p.heads, ratio, shared)

    return build_jepa(train, built, predictor)
