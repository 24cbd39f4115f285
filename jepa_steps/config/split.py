"""Settings of the random split that most kinds of data share."""

from pydantic import model_validator

from .base import Settings, Share, leaves_training_data


class Split(Settings):
    """Stratified random split. Parts that the source brings (train/, test/ folders, IDX files) win over
    it."""

    val: Share = 0.15
    """Share of the samples that val gets, for choosing settings. If the source brings a training part,
    it is a share of that part. Ignored if the source brings a val part."""
    test: Share = 0.15
    """Share of the samples that test gets, counted as for val. Test is for the report only, to be used
    once. Ignored if the source brings a test part."""
    seed: int = 0
    """Seed of the random split."""

    @model_validator(mode="after")
    def _leaves_training_data(self) -> "Split":
        leaves_training_data(self.val, self.test)
        return self
