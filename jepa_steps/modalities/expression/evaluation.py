"""Predicted perturbations beside predictions without a model, from the files of an experiment."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ..contract import Evaluation
from .effects.methods import Evaluated, cells_of, evaluated
from .effects.metrics import METRICS
from .figures import methods
from .held_out import held_out_perturbations
from .settings import Evaluate, ExpressionJepa
from .store import open_store

KEYS = ("method", "perturbation", "context", "type", "dose", "subgroup", "cells")


def predicts(train: object) -> bool:
    """Whether an experiment predicts perturbations."""
    return isinstance(train, ExpressionJepa) and train.task == "perturbation"


def evaluate(
    train: ExpressionJepa, description: dict[str, Any], folder: Path, data: Path, settings: Evaluate
) -> Evaluation | str:
    """Scores of the predictor in ``folder`` and of every method beside it; or why there are none.

    Raises:
        InputError: the predictor was trained on other data.
    """
    store = open_store(data)
    if store.manifest["sha256"] != description["data_sha256"]:
        raise InputError(f"{folder}: trained on other data than {data} holds now; train it again")
    held_out = held_out_perturbations(store)
    if not len(held_out.condition):
        return "the test part has no perturbed cells"
    found = evaluated(train, folder, store, held_out, settings)

    def export(out: Path) -> None:
        for name, cells in cells_of(found, store, held_out).items():
            cells.write_h5ad(out / f"{name}.h5ad")

    return Evaluation(
        found.result,
        [*KEYS, *METRICS],
        _rows(found),
        found.predicted.astype(np.float32),
        methods(found.scores, found.ceiling),
        export,
    )


def _rows(found: Evaluated) -> Iterator[list[object]]:
    """One row per method, perturbation and context; empty where a metric is not defined."""
    for name, values in {**found.scores, "ceiling": found.ceiling}.items():
        for i, row in enumerate(found.rows):
            cells = [values[m][i] if m in values else np.nan for m in METRICS]
            texts = ["" if np.isnan(v) else repr(float(v)) for v in cells]
            yield [name, *(row[key] for key in KEYS[1:]), *texts]
