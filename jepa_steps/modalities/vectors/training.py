"""Settings of what stands for an encoder of given embeddings: themselves, and floors beside them."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ...config import Settings, UntrainedEncoder


class GivenEmbeddings(Settings):
    """The embeddings as they were given, judged like those of a trained encoder."""

    kind: ClassVar[str] = "given"

    encoder: Literal["given"]
    """given: the embeddings are used as they are."""
    tokens: bool = False
    """true: use the token embeddings as well, and their mean as the embedding."""


class RandomProjection(UntrainedEncoder):
    """Floor: the embeddings projected on random directions. If it scores as well, this question does not
    need most of the embedding's width."""

    kind: ClassVar[str] = "random projection"

    encoder: Literal["random-projection"]
    """random-projection: multiply the embeddings by a random matrix."""
    dim: Annotated[int, Field(ge=1)]
    """Number of random directions, the width of the result."""


class Shuffled(UntrainedEncoder):
    """Floor: the same embeddings, each given to another sample of its part. Its probes show the chance
    level for embeddings of this kind."""

    kind: ClassVar[str] = "shuffled labels"

    encoder: Literal["shuffled"]
    """shuffled: embeddings are shuffled among the samples of each part, so that labels are unrelated to
    them."""
