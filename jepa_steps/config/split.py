"""Settings of the random split that most kinds of data share."""

from pydantic import model_validator

from .base import Settings, Share, leaves_training_data


class Split(Settings):
    """Stratified random split. Parts that the source brings (train/, test/ folders, IDX files) win over
    it."""

    val: Share = 0.15
    """Share of all samples (of the given training part, if there is one) that val gets, for choosing
    settings."""
    test: Share = 0.15
    """Share of all samples that test gets, to be used once, for the report. Ignored where the source
    brings a test part."""
    seed: int = 0
    """Seed of the shuffle."""

    @model_validator(mode="after")
    def _leaves_training_data(self) -> "Split":
        leaves_training_data(self.val, self.test)
        return self
