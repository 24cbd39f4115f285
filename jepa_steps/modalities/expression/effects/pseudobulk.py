"""Mean expression of cells by perturbation and context, and the table that baselines are fitted on.

Shapes: n cells, G genes, T training perturbations (a perturbation in two contexts counts twice).
A condition is the sorted tuple of its genes; () is the control.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from ....errors import InputError

Condition = tuple[str, ...]
# Dense or CSR, or anything of a shape whose slices are.
Expression = np.ndarray | sp.csr_array | sp.csr_matrix

_BLOCK = 8192  # cells that are float64 at once


def group_means(expression: Expression, codes: np.ndarray, groups: int) -> np.ndarray:
    """Mean row of each group.

    Args:
        expression: (n, G), dense (a memory map, too) or CSR; read in blocks.
        codes: int (n,), the group of each row, negative = left out.

    Returns:
        float64 (groups, G); NaN where a group has no rows.
    """
    sums = np.zeros((groups, expression.shape[1]))
    for a in range(0, expression.shape[0], _BLOCK):
        block = codes[a : a + _BLOCK]
        rows = np.flatnonzero(block >= 0)
        ones = (np.ones(len(rows)), (block[rows], rows))
        part = sp.csr_array(ones, shape=(groups, len(block))) @ expression[a : a + _BLOCK]
        sums += part.toarray() if sp.issparse(part) else part
    counts = np.bincount(codes[codes >= 0], minlength=groups).astype(np.float64)
    return sums / np.where(counts > 0, counts, np.nan)[:, None]


@dataclass(frozen=True)
class TrainingTable:
    """What baselines may know: training perturbations as pseudobulks, and training controls.

    Attributes:
        conditions: T tuples of genes, sorted, none empty.
        contexts: T names (cell line, time, ...).
        means: float64 (T, G), mean expression.
        cells: int64 (T,), cells behind each mean.
        controls: context -> float64 (G,), mean of its control cells.
    """

    conditions: tuple[Condition, ...]
    contexts: tuple[str, ...]
    means: np.ndarray
    cells: np.ndarray
    controls: dict[str, np.ndarray]

    @cached_property
    def deltas(self) -> np.ndarray:
        """Effects: means less the control mean of their context, float64 (T, G)."""
        return self.means - self.control_of(self.contexts)

    @cached_property
    def mean_deltas(self) -> dict[str, np.ndarray]:
        """Context -> mean effect (G,) of its training perturbations; "" -> of all."""
        names = np.asarray(self.contexts)
        found = {c: self.deltas[names == c].mean(0) for c in dict.fromkeys(self.contexts)}
        return {"": self.deltas.mean(0), **found}

    @cached_property
    def rows(self) -> dict[tuple[Condition, str], int]:
        """(condition, context) -> its row."""
        return {key: i for i, key in enumerate(zip(self.conditions, self.contexts, strict=True))}

    def control_of(self, contexts: Sequence[str]) -> np.ndarray:
        """Control means (len(contexts), G).

        Raises:
            InputError: a context without training controls.
        """
        missing = sorted(set(contexts) - set(self.controls))
        if missing:
            raise InputError(
                f"no control cells in training for context {missing[0]}; found controls of "
                f"{', '.join(self.controls) or 'none'}; move some of its controls to train"
            )
        return np.stack([self.controls[c] for c in contexts])

    def mean_delta(self, context: str) -> np.ndarray:
        """Mean training effect (G,) in the context, or over all where it has no perturbation."""
        return self.mean_deltas.get(context, self.mean_deltas[""])

    def delta(self, condition: Condition, context: str) -> np.ndarray | None:
        """Measured effect (G,): of this context, else the mean of the others; None if unseen."""
        row = self.rows.get((condition, context))
        if row is not None:
            return self.deltas[row]
        elsewhere = [self.rows[condition, c] for c in self.mean_deltas if (condition, c) in self.rows]
        return self.deltas[elsewhere].mean(0) if elsewhere else None


def condition(*genes: str) -> Condition:
    """The condition that perturbs these genes, whatever their order."""
    return tuple(sorted(genes))


def training_table(
    expression: Expression, conditions: Sequence[Condition], contexts: Sequence[str]
) -> TrainingTable:
    """Pseudobulks of the training cells.

    Args:
        expression: (n, G), dense or CSR, log-normalised.
        conditions: one a cell; () for controls.
        contexts: one name a cell.

    Raises:
        InputError: no perturbed cells, or a context without controls.
    """
    if len({len(conditions), len(contexts), expression.shape[0]}) > 1:
        raise InputError(
            f"found {expression.shape[0]} cells, {len(conditions)} conditions and {len(contexts)} "
            "contexts; expected one of each per cell"
        )
    keys = [(condition(*c), str(k)) for c, k in zip(conditions, contexts, strict=True)]
    names = sorted(set(keys))
    number = {key: i for i, key in enumerate(names)}
    codes = np.array([number[key] for key in keys], dtype=np.int64)
    means = group_means(expression, codes, len(names))
    treated = [i for i, (genes, _) in enumerate(names) if genes]
    if not treated:
        raise InputError("no perturbed cells in training; check the perturbation column and the split")
    table = TrainingTable(
        tuple(names[i][0] for i in treated),
        tuple(names[i][1] for i in treated),
        means[treated],
        np.bincount(codes)[treated],
        {context: means[i] for i, (genes, context) in enumerate(names) if not genes},
    )
    table.control_of(table.contexts)
    return table
