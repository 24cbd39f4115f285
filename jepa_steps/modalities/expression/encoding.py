"""Perturbations as numbers: multi-hot gene ++ one-hot type ++ dose, dense and sparse.

The layout of one gene is the specification's: a one at the gene, a one at the type, the dose. A
combination has one entry a gene, weighted by its dose over the highest, and its types in equal shares;
the dose is the highest. Control has a slot of its own, no type and dose 0. A gene never perturbed in
training takes the slot of the unknown. Slots: 0 control, 1 unknown, then the genes of the vocabulary.

Shapes: B perturbations, V gene slots, T types, F gene features, k entries of a batch.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy import sparse

from ...errors import InputError
from .components import principal_axes
from .preparation.label_text import UNKNOWN
from .preparation.labels import Part, name_of

CONTROL_SLOT, UNKNOWN_SLOT, FIRST_GENE, UNKNOWN_TYPE = 0, 1, 2, 0


@dataclass(frozen=True)
class Sparse:
    """A batch of perturbations as entries.

    slots: int64 (k,), gene slots; genes outside the vocabulary come after it, in the order of
        ``Vocabulary.held_out``, and are the unknown to a table of V rows.
    weights: float32 (k,). types: int64 (k,), -1 for control. offsets: int64 (B + 1,).
    dose: float32 (B,).
    """

    slots: np.ndarray
    weights: np.ndarray
    types: np.ndarray
    offsets: np.ndarray
    dose: np.ndarray

    def padded(self, entries: int) -> "Padded":
        """The same with ``entries`` places a perturbation, whatever else is in the batch."""
        lengths = np.diff(self.offsets)
        row = np.repeat(np.arange(len(lengths)), lengths)
        place = np.arange(len(self.slots)) - self.offsets[row]
        arrays = []
        for values, empty in ((self.slots, CONTROL_SLOT), (self.weights, 0), (self.types, -1)):
            arrays.append(np.full((len(lengths), entries), empty, values.dtype))
            arrays[-1][row, place] = values
        return Padded(*arrays, self.dose)


class Padded(NamedTuple):
    """A batch of perturbations as rectangles of S entries; those not used weigh 0 and have type -1.

    slots int64 (B, S), weights float32 (B, S), types int64 (B, S), dose float32 (B,).
    """

    slots: np.ndarray
    weights: np.ndarray
    types: np.ndarray
    dose: np.ndarray

    def take(self, rows: np.ndarray) -> "Padded":
        """The perturbations ``rows`` int64 (B,), in that order."""
        return Padded(*(values[rows] for values in self))


@dataclass(frozen=True)
class Vocabulary:
    """Genes and types perturbed in training, apart from the genes that are measured.

    genes: in slots 2, 3, ...; types: the first is "unknown"; held_out: genes known by name and
    features, never perturbed in training.
    """

    genes: tuple[str, ...]
    types: tuple[str, ...]
    held_out: tuple[str, ...] = ()

    @property
    def slots(self) -> int:
        """Gene slots V, with those of control and unknown."""
        return FIRST_GENE + len(self.genes)

    @property
    def width(self) -> int:
        """Length of a dense code: V + T + 1."""
        return self.slots + len(self.types) + 1

    def encode(
        self, perturbations: Sequence[tuple[Part, ...]], unknown: Literal["fail", "unk"] = "fail"
    ) -> Sparse:
        """Entries of perturbations; () is control.

        Args:
            unknown: a gene or type outside the vocabulary stops with an error, or is the unknown one.

        Raises:
            InputError: unknown gene or type with ``unknown`` fail.
        """
        slot = {name: i for i, name in enumerate((*self.genes, *self.held_out), FIRST_GENE)}
        kind = {name: i for i, name in enumerate(self.types)}
        slots, weights, types, lengths, doses = [], [], [], [], []
        for parts in perturbations:
            highest = max((part.dose for part in parts), default=0.0)
            for part in parts:
                for what, name, names in (("gene", part.gene, self.genes),
                                          ("type", part.type, self.types)):  # fmt: skip
                    if unknown == "fail" and name not in names:
                        raise InputError(
                            f"perturbation {name_of(parts)!r}: {what} {name!r} was never in training; "
                            f"set unknown_{what}: unk to give it the code of the unknown"
                        )
                slots.append(slot.get(part.gene, UNKNOWN_SLOT))
                types.append(kind.get(part.type, UNKNOWN_TYPE))
                weights.append(part.dose / highest)
            if not parts:
                slots.append(CONTROL_SLOT)
                types.append(-1)
                weights.append(1.0)
            lengths.append(max(len(parts), 1))
            doses.append(highest)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return Sparse(
            np.array(slots, np.int64), np.array(weights, np.float32), np.array(types, np.int64),
            offsets, np.array(doses, np.float32),
        )  # fmt: skip

    def dense(self, code: Sparse) -> np.ndarray:
        """Float32 (B, V + T + 1): genes ++ types ++ dose."""
        lengths = np.diff(code.offsets)
        row = np.repeat(np.arange(len(lengths)), lengths)
        x = np.zeros((len(lengths), self.width), np.float32)
        slots = np.where(code.slots < self.slots, code.slots, UNKNOWN_SLOT)
        np.add.at(x, (row, slots), code.weights)
        typed = code.types >= 0
        np.add.at(x, (row[typed], self.slots + code.types[typed]), (1 / lengths[row])[typed])
        x[:, -1] = code.dose
        return x


def expression_loadings(matrix: sparse.csr_matrix, dim: int) -> np.ndarray:
    """What a gene does in training cells: its loadings on the principal components of expression.

    The gene embedding of Ahlmann-Eltze, Huber & Anders (2025, Nature Methods): components of cells x
    genes, scaled by their standard deviation; here also by one number, to a mean square of 1.

    Args:
        matrix: (n, G), expression of training cells.
        dim: components wanted; fewer where cells or genes are too few.

    Returns:
        float32 (G, dim).
    """
    axes, variance = principal_axes(matrix, dim)
    if not len(variance):
        return np.zeros((matrix.shape[1], 1), np.float32)
    loadings = axes * np.sqrt(variance)
    scale = np.sqrt((loadings**2).mean())
    return (loadings / (scale if scale > 0 else 1)).astype(np.float32)


def read_features(path: Path, genes: Sequence[str]) -> tuple[np.ndarray, int]:
    """(float32 (len(genes), F), how many of them the table knows) of a CSV, gene name first.

    Raises:
        InputError: missing file, rows of unequal length, text for numbers, or none of the genes.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.reader(file) if row][1:]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"gene_features_path: {path} cannot be read: {error}") from None
    table: dict[str, list[float]] = {}
    for number, row in enumerate(rows, 2):
        try:
            table[row[0].strip()] = values = [float(text) for text in row[1:]]
        except ValueError:
            values = []
        if not values or len(values) != len(rows[0]) - 1 or not np.isfinite(values).all():
            raise InputError(f"{path}: line {number}: expected a gene and {len(rows[0]) - 1} numbers")
    known = [gene for gene in genes if gene in table]
    if not known:
        raise InputError(f"{path}: found none of the {len(genes)} perturbed genes, e.g. "
                         f"{', '.join(genes[:3])}; expected names in the first column")  # fmt: skip
    width = len(table[known[0]])
    features = [table.get(gene, [0.0] * width) for gene in genes]
    return np.array(features, np.float32), len(known)


def vocabulary_of(trained: Iterable[tuple[Part, ...]], others: Iterable[tuple[Part, ...]]) -> Vocabulary:
    """The vocabulary of what training perturbs; genes that only ``others`` hit are held out."""
    trained, others = list(trained), list(others)
    genes = {part.gene for parts in trained for part in parts}
    types = {part.type for parts in trained for part in parts} - {UNKNOWN}
    held_out = {part.gene for parts in others for part in parts} - genes
    return Vocabulary(tuple(sorted(genes)), (UNKNOWN, *sorted(types)), tuple(sorted(held_out)))


def read_vocabulary(perturbations: dict[str, Any]) -> tuple[Vocabulary, Sparse]:
    """The vocabulary of a ``perturbations.json``, and the entries of all its conditions."""
    vocabulary = Vocabulary(
        tuple(perturbations["genes"]), tuple(perturbations["types"]), tuple(perturbations["held_out"])
    )
    parts = [tuple(Part(*part) for part in c["parts"]) for c in perturbations["conditions"]]
    return vocabulary, vocabulary.encode(parts, "unk")
