"""Settings of what stands for an encoder of given embeddings: themselves, and floors beside them."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ...config import Settings, UntrainedEncoder


class GivenEmbeddings(Settings):
    """The embeddings as they were given. They are judged as those of a trained encoder are."""

    kind: ClassVar[str] = "given"

    encoder: Literal["given"]
    """given: nothing is computed."""
    tokens: bool = False
    """Take the tokens, and their mean as the embedding."""


class RandomProjection(UntrainedEncoder):
    """Floor: the embeddings projected on random directions. Where it serves as well, most of the width
    is not needed for the question asked."""

    kind: ClassVar[str] = "random projection"

    encoder: Literal["random-projection"]
    """random-projection: a random matrix."""
    dim: Annotated[int, Field(ge=1)]
    """Directions kept."""


class Shuffled(UntrainedEncoder):
    """Floor: the same embeddings, each given to another sample of its part. A probe of them shows what
    chance gives with embeddings of this kind."""

    kind: ClassVar[str] = "shuffled labels"

    encoder: Literal["shuffled"]
    """shuffled: labels as good as drawn at random."""
