"""Settings of the random split that most kinds of data share."""

from pydantic import model_validator

from .base import Settings, Share, leaves_training_data


class Split(Settings):
    """Stratified random split; given splits (train/, test/ folders, IDX files) win over it."""

    val: Share = 0.15
    """Share of all samples (of the given training part, if there is one) used to choose settings."""
    test: Share = 0.15
    """Share of all samples used once, to report; ignored when the source brings a test part."""
    seed: int = 0
    """Seed of the shuffle."""

    @model_validator(mode="after")
    def _leaves_training_data(self) -> "Split":
        leaves_training_data(self.val, self.test)
        return self
