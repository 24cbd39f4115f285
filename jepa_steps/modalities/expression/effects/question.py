"""What is held out of every method: the effects of held-out perturbations, and how an answer is scored.

Shapes: n cells, P test perturbations (by context), G genes, B batches.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from .baselines import BASELINES, additive, batch_only, no_change, perturbed_mean, ridge, shuffled
from .ceiling import split_half
from .metrics import evaluate
from .pseudobulk import Condition, Expression, TrainingTable, group_means

Values = dict[str, np.ndarray]


@dataclass(frozen=True)
class Question:
    """Test perturbations beside the training table that answers may use.

    Attributes:
        table: training perturbations and controls.
        conditions, contexts: P genes and names.
        expression: perturbed test cells (n, G), dense or CSR; codes: int64 (n,), which of the P.
        batch: int64 (n,), of each test cell.
        batch_means: of the perturbed training cells of each batch, float64 (B, G), NaN where there are
            none; None for a single batch.
        features: what is known of genes (F,), by name; empty for nothing.
    """

    table: TrainingTable
    conditions: Sequence[Condition]
    contexts: Sequence[str]
    expression: Expression
    codes: np.ndarray
    batch: np.ndarray
    batch_means: np.ndarray | None
    features: dict[str, np.ndarray] = field(default_factory=dict)

    @cached_property
    def observed(self) -> np.ndarray:
        """Mean expression float64 (P, G)."""
        return group_means(self.expression, self.codes, len(self.conditions))

    @cached_property
    def control(self) -> np.ndarray:
        """Control mean of each context, float64 (P, G)."""
        return no_change(self.table, self.conditions, self.contexts)

    @cached_property
    def perturbed(self) -> np.ndarray:
        """Mean over the training perturbations of each context, float64 (P, G)."""
        return perturbed_mean(self.table, self.conditions, self.contexts)

    def score(self, predicted: np.ndarray, observed: np.ndarray | None = None) -> Values:
        """Every metric of predicted means (P, G), against the observed ones unless others are given."""
        truth = self.observed if observed is None else observed
        return evaluate(predicted, truth, self.control, self.perturbed, self.contexts)

    def answers(self, seed: int) -> dict[str, np.ndarray]:
        """Predicted means (P, G) of every baseline; of ridge on features of genes where training has
        some; of batches alone where there are several; and of the additive model with shuffled labels,
        which owes nothing to them."""
        asked_for = (self.conditions, self.contexts)
        found = {name: predict(self.table, *asked_for) for name, predict in BASELINES.items()}
        if any(set(c) <= set(self.features) for c in self.table.conditions):
            found["ridge_features"] = ridge(self.table, *asked_for, self.features)
        if self.batch_means is not None:
            composition = np.zeros((len(self.conditions), len(self.batch_means)))
            np.add.at(composition, (self.codes, self.batch), 1)
            found["batch_only"] = batch_only(self.batch_means, composition, self.perturbed)
        return {**found, "shuffled_labels": additive(shuffled(self.table, seed), *asked_for)}

    def halves(self, repeats: int, seed: int) -> Values:
        """Metrics of one half of the test cells as prediction of the other half."""
        return split_half(self.expression, self.codes, len(self.conditions), self.score, repeats, seed)
