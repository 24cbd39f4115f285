"""The whole of config.yaml, and what must fit together in it."""

from typing import Annotated

from pydantic import Field, model_validator

from .base import NAME, Settings
from .datasets import ImageDataset
from .judgement import Embed, Monitor, Probe, Rank
from .training import JepaTraining, PcaEncoder, Training, UntrainedEncoder


class Experiment(Settings):
    """One encoder on one data set, and how it is judged."""

    dataset: str
    """A key of datasets."""
    train: Training
    """How the encoder comes about."""
    embed: Embed = Embed()
    """How it is applied."""
    monitor: Monitor = Monitor()
    """When it counts as collapsed."""
    rank: Rank = Rank()
    """How its rank is measured."""
    probe: Probe = Probe()
    """How it is judged by labels."""


class Config(Settings):
    """The whole of config.yaml."""

    datasets: dict[Annotated[str, Field(pattern=NAME)], ImageDataset]
    """Data sets by name."""
    experiments: dict[Annotated[str, Field(pattern=NAME)], Experiment]
    """Experiments by name."""

    @model_validator(mode="after")
    def _cross_references(self) -> "Config":
        if not self.experiments:
            raise ValueError("experiments: found none, expected at least one")
        for name, experiment in self.experiments.items():
            where = f"experiments.{name}"
            if experiment.dataset not in self.datasets:
                raise ValueError(
                    f"{where}.dataset: found {experiment.dataset!r}, expected one of "
                    + ", ".join(self.datasets)
                )
            check_fit(self.datasets[experiment.dataset], experiment.train, where)
        return self


def check_fit(dataset: ImageDataset, train: Training, where: str) -> None:
    """Raise ValueError where a training block cannot work on a data set."""
    if isinstance(train, PcaEncoder):
        pixels = dataset.image_size**2 * dataset.channels
        if train.dim > pixels:
            raise ValueError(f"{where}.train.dim: found {train.dim}, expected at most {pixels} pixels")
    if isinstance(train, JepaTraining | UntrainedEncoder):
        size, patch = dataset.image_size, train.model.patch_size
        if size % patch or size // patch < 2:
            raise ValueError(
                f"{where}.train.model.patch_size: found {patch}, expected a divisor of image_size "
                f"{size} that leaves at least 2 patches a side"
            )
    if isinstance(train, JepaTraining) and train.augment.saturation and dataset.channels != 3:
        raise ValueError(
            f"{where}.train.augment.saturation: found {train.augment.saturation} with "
            f"{dataset.channels} channel(s), expected 0 (there is no colour to vary)"
        )
