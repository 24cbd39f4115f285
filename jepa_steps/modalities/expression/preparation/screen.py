"""A source on its way into the store: its labels, its split and how its values are changed.

Shapes: n cells of the source.
"""

from dataclasses import dataclass

import numpy as np

from ....data.splits import SPLITS
from ....data.targets import Kind
from ..dataset import ExpressionDataset
from ..encoding import Vocabulary
from ..sources.source import Column, ExpressionSource
from .labels import Cells
from .preprocess import Transform
from .survey import Survey


@dataclass
class Screen:
    """A source on its way into the store.

    targets, kinds: columns that embeddings are asked for, and what their values are, by name.
    split: int64 (n,), -1 = left out; dropped: how many cells for which reason of expression.
    copies: cells of val and test that are equal to a training cell.
    """

    dataset: ExpressionDataset
    source: ExpressionSource
    cells: Cells
    targets: dict[str, Column]
    kinds: dict[str, Kind]
    measured: Survey
    transform: Transform
    split: np.ndarray
    dropped: dict[str, int]
    vocabulary: Vocabulary
    copies: int

    @property
    def stored(self) -> np.ndarray:
        """Cells of the source int64 in the order of the store: train, val, test."""
        order = np.argsort(np.where(self.split < 0, len(SPLITS), self.split), kind="stable")
        return order[: int((self.split >= 0).sum())]
