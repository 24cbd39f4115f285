"""The whole of config.yaml, and what must fit together in it."""

import difflib
from typing import Annotated

from pydantic import Field, model_validator

from .base import NAME, Settings
from .datasets import ImageDataset
from .expression import ExpressionDataset
from .judgement import Embed, Evaluate, Monitor, Probe, Rank
from .resources import Resources
from .training import JepaTraining, PcaEncoder, Training, UntrainedEncoder, kind

Name = Annotated[str, Field(pattern=NAME)]


class Experiment(Settings):
    """One encoder on one data set, and how it is judged."""

    dataset: str
    """A key of images or of expression."""
    train: Training
    """How the encoder comes about."""
    embed: Embed = Embed()
    """How it is applied."""
    evaluate: Evaluate = Evaluate()
    """How its predictions are judged."""
    monitor: Monitor = Monitor()
    """When it counts as collapsed."""
    rank: Rank = Rank()
    """How its rank is measured."""
    probe: Probe = Probe()
    """How it is judged by labels."""
    resources: Resources = Resources()
    """Where it is trained; the result is the same everywhere."""


class Config(Settings):
    """The whole of config.yaml."""

    images: dict[Name, ImageDataset] = {}
    """Data sets of images by name."""
    expression: dict[Name, ExpressionDataset] = {}
    """Perturb-seq data sets by name; no two data sets share one."""
    experiments: dict[Name, Experiment] = {}
    """Experiments by name. Without any, every data set is prepared."""

    @model_validator(mode="after")
    def _cross_references(self) -> "Config":
        if not self.images and not self.expression:
            raise ValueError("found no data set, expected at least one under images or expression")
        if both := sorted(set(self.images) & set(self.expression)):
            raise ValueError(
                f"expression.{both[0]}: found the name under images too; rename one of them"
            )
        for name, experiment in self.experiments.items():
            where = f"experiments.{name}"
            dataset = self._dataset(experiment.dataset, f"{where}.dataset")
            check_fit(dataset, experiment.train, where)
        return self

    def _dataset(self, name: str, where: str) -> ImageDataset | ExpressionDataset:
        both = {**self.images, **self.expression}
        if name in both:
            return both[name]
        near = difflib.get_close_matches(name, both, 1, cutoff=0.5)
        expected = f"did you mean {near[0]!r}?" if near else "expected a key of images or expression"
        raise ValueError(f"{where}: found {name!r}, {expected} (there: {', '.join(both)})")


def check_fit(dataset: ImageDataset | ExpressionDataset, train: Training, where: str) -> None:
    """Raise ValueError where a training block cannot work on a data set."""
    cells = isinstance(dataset, ExpressionDataset)
    if train.encoder not in ("pca", "raw") and cells != train.encoder.startswith("bio-"):
        what, fits = ("expression", "bio-") if cells else ("images", "")
        raise ValueError(
            f"{where}.train.encoder: found {train.encoder} on a data set of {what}, "
            f"expected {fits}{kind(train)}"
        )
    if not cells:
        _check_images(dataset, train, where)


def _check_images(dataset: ImageDataset, train: Training, where: str) -> None:
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
