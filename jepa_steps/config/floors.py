"""Settings of the encoders that are not trained: floors for those that are."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .base import Settings

# Kinds of encoders that get a verdict: trained here, or brought along. All others are floors.
JUDGED = ("jepa", "given", "pretrained", "module")


class UntrainedEncoder(Settings):
    """Floor: the same architecture with its initial weights. Each kind of data adds its ``model``."""

    kind: ClassVar[str] = "untrained"

    encoder: str
    """Name of the floor; each kind of data has its own."""
    seed: int = 0
    """Seed of what the floor draws at random, such as its weights. Floors that draw nothing ignore
    it."""


class UntrainedModel(UntrainedEncoder):
    """Floor: a kind's trained architecture, whose settings are its ``model``, before training."""

    init: str | None = None
    """null = random weights. You can also give the init of a trained experiment. This floor then has the
    weights from which that training starts, so the difference in scores between the two is what training
    added."""

    @property
    def kind(self) -> str:
        """untrained; or start, where the weights are those that another run begins from."""
        return "start" if self.init else "untrained"


class PcaEncoder(Settings):
    """Floor: principal components of the input, fitted on the training part."""

    kind: ClassVar[str] = "pca"

    encoder: Literal["pca"]
    """pca: the first principal components of a sample's values, fitted on the training part."""
    dim: Annotated[int, Field(ge=1)]
    """Number of components. For a fair comparison, take the dim of the trained encoder."""


class RawEncoder(Settings):
    """Floor: the normalised values of the sample themselves."""

    kind: ClassVar[str] = "raw"

    encoder: Literal["raw"]
    """raw: no encoder; the embedding of a sample is its normalised values."""
