"""What a config can say of given embeddings."""

from typing import Any

from ...config import Evaluate as Evaluate
from ...config import PcaEncoder, RawEncoder, Settings
from .dataset import VectorDataset, VectorSplit
from .training import GivenEmbeddings, RandomProjection, Shuffled

Dataset = VectorDataset
ENCODERS = (GivenEmbeddings, RandomProjection, Shuffled)
PREPARE = {"threads": 1, "mem_mb": 2000}  # arrays are copied in blocks
FILES = ("vectors.npy", "raw.npy", "tokens.npy", "splits.csv", "manifest.json")
BLOCKS = {
    "vectors.NAME": VectorDataset,
    "vectors.NAME.split": VectorSplit,
    "train: given embeddings": GivenEmbeddings,
    "train, floor: a random projection of given embeddings": RandomProjection,
    "train, floor: given embeddings with shuffled labels": Shuffled,
}
PRESETS: dict[str, dict[str, Any]] = {}


def sources(dataset: VectorDataset) -> dict[str, str]:
    """Paths that prepare reads, by the setting that names them."""
    names = ("embeddings", "table", "raw", "tokens")
    return {name: path for name in names if (path := getattr(dataset, name))}


def check(dataset: VectorDataset, train: Settings) -> None:
    """Whether a training block can work on a data set.

    Raises:
        ValueError: it cannot; the text begins with the setting, below the experiment.
    """
    if isinstance(train, RawEncoder | PcaEncoder) and dataset.raw is None:
        raise ValueError(
            f"train.encoder: found {train.encoder} on a data set without raw, expected what the "
            "embeddings were made from; set raw, or leave this floor out"
        )
