"""The predictor, every method beside it and replicates answer one question, and are scored alike.

Shapes: P test perturbations (by context), G genes, k principal axes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from ..config import Evaluate, ExpressionJepa
from ..data.expression.asked import Asked, describe, features_of, names_of, split_of
from ..data.expression.components import principal_axes
from ..data.expression.store import ExpressionStore
from ..data.store import evenly
from ..metrics.nuisance import condition_statistics
from ..metrics.perturbation.ceiling import attainable
from ..metrics.perturbation.energy import energy_distances
from ..metrics.perturbation.export import as_anndata
from ..metrics.perturbation.pseudobulk import group_means, training_table
from ..metrics.perturbation.question import Question, Values
from ..metrics.perturbation.ranking import retrieval_summary, standing
from ..metrics.perturbation.summary import finite, summary
from ..metrics.perturbation.verdicts import judge
from ..model.effects import Effects
from .answer import Answer, answer, moved
from .refits import floors

MODEL = "JEPA"
PREDICTOR = "predictor"  # as trained; the model's answer has its shifts refitted
FLOORLESS = (PREDICTOR, "shuffled_labels")  # shown, but nothing to be beaten
# Training cells behind the axes in which energy distances are taken (as in scPerturb), and how many.
_CELLS, _AXES = 4096, 50


@dataclass(frozen=True)
class Evaluated:
    """Attributes:
    rows: of each of the P: perturbation, context, type, dose, subgroup, cells.
    scores: by method, every metric of the P; ceiling: the same of replicates.
    predicted: the model's mean expression, float64 (P, G).
    result: what evaluation.json holds.
    """

    rows: list[dict[str, Any]]
    scores: dict[str, Values]
    ceiling: Values
    predicted: np.ndarray
    result: dict[str, Any]


def evaluated(
    train: ExpressionJepa, folder: Path, store: ExpressionStore, asked: Asked, settings: Evaluate
) -> Evaluated:
    """Answers of the predictor in ``folder`` and of all other methods, scored and compared."""
    torch.set_num_threads(settings.threads)
    with threadpool_limits(settings.threads):
        question, rows = question_of(store, asked), describe(store, asked)
        axes, _ = principal_axes(store.csr.matrix(evenly(store.rows("train"), _CELLS)), _AXES)
        effects = Effects(train, folder, store)
        said = answer(
            effects, store, asked, axes, settings.controls, settings.readout_cells, settings.seed
        )
        predicted = {
            MODEL: said.refitted,
            PREDICTOR: question.control + said.effects,
            **floors(train, store, asked, asked.sample(settings.readout_cells, settings.seed)),
            **question.answers(settings.seed),
        }
        scores = {name: question.score(means) for name, means in predicted.items()}
        distances = _distances(predicted, said, question.control, store, asked, axes, settings.cells)
        for name, values in distances.items():
            scores[name]["energy_distance"] = values
        ceiling = attainable(question.halves(settings.halvings, settings.seed))
        truth = group_means(effects.latents(asked.cells), asked.codes, len(rows))
        result = {
            "task": train.task,
            **split_of(store),
            "perturbations": _counted([r["perturbation"] for r in rows]),
            "cells": len(asked.cells),
            "trained_on": _counted(question.table.conditions),
            **_verdicts(scores, ceiling, [r["perturbation"] for r in rows], settings),
            "retrieval": retrieval_summary(standing(said.latents, truth, question.contexts, "l2")),
            "conditions": condition_statistics(said.across, said.targets, said.conditions),
            "readout": said.readout,
        }
    return Evaluated(rows, scores, ceiling, predicted[MODEL], result)


def question_of(store: ExpressionStore, asked: Asked) -> Question:
    """The question that a store's test part puts, with what its training part tells."""
    names, contexts = names_of(store), store.contexts
    known = asked.known
    table = training_table(
        store.csr.view(known),
        [names[c] for c in store.condition[known]],
        [contexts[c] for c in store.context[known]],
    )
    return Question(
        table,
        [names[c] for c in asked.condition],
        [contexts[c] for c in asked.context],
        store.csr.matrix(asked.cells),
        asked.codes,
        store.batch[asked.cells],
        _batch_means(store),
        features_of(store),
    )


def cells_of(evaluated: Evaluated, store: ExpressionStore, asked: Asked) -> dict[str, Any]:
    """The AnnData objects that cell-eval compares, "real" and "predictions": a predicted mean stands for
    each real cell of its perturbation, beside the same controls."""
    test = store.rows("test")
    controls = test[store.condition[test] == 0]
    names = [evaluated.rows[code]["perturbation"] for code in asked.codes]
    names += ["non-targeting"] * len(controls)
    contexts = [store.contexts[c] for c in store.context[np.concatenate([asked.cells, controls])]]
    unchanged = store.samples(controls)
    said = {"real": store.samples(asked.cells), "predictions": evaluated.predicted[asked.codes]}
    return {
        name: as_anndata(np.concatenate([cells, unchanged]), names, store.genes, contexts=contexts)
        for name, cells in said.items()
    }


def _counted(perturbations: Sequence) -> dict[str, int]:
    """Of perturbations by context: how many, and how many distinct ones."""
    return {"by_context": len(perturbations), "distinct": len(set(perturbations))}


def _batch_means(store: ExpressionStore) -> np.ndarray | None:
    """Mean of the perturbed training cells of each batch (B, G); None where there is one batch."""
    if len(store.batches) < 2:
        return None
    train = store.rows("train")
    treated = train[store.condition[train] > 0]
    return group_means(store.csr.view(treated), store.batch[treated], len(store.batches))


def _distances(
    predicted: dict[str, np.ndarray],
    said: Answer,
    control: np.ndarray,
    store: ExpressionStore,
    asked: Asked,
    axes: np.ndarray,
    most: int,
) -> Values:
    """Energy distance of each method's cells from at most so many real ones: float64 (P,) by name."""
    order = np.argsort(asked.codes, kind="stable")
    by_code = np.split(asked.cells[order], np.cumsum(np.bincount(asked.codes))[:-1])
    observed = [store.csr.matrix(cells[:most]) @ axes for cells in by_code]
    found = {}
    for name, means in predicted.items():
        cells = said.cells if name == PREDICTOR else moved(said.controls, (means - control) @ axes)
        found[name] = energy_distances([c[:most] for c in cells], observed)
    return found


def _verdicts(
    scores: dict[str, Values], ceiling: Values, units: list[str], settings: Evaluate
) -> dict[str, Any]:
    how = (settings.bootstrap, settings.seed)
    simple = {n: v for n, v in scores.items() if n != MODEL and n not in FLOORLESS}
    model = scores[MODEL]
    rows = judge({m: v for m, v in model.items() if m in ceiling}, simple, ceiling, units, *how)
    rows += judge({"energy_distance": model["energy_distance"]}, simple, None, units, *how)
    for row in rows:
        row["low"], row["high"] = finite(row["low"]), finite(row["high"])
    return {
        "methods": summary(scores, units, *how),
        "ceiling": summary({"ceiling": ceiling}, units, *how)["ceiling"],
        "verdicts": rows,
        "interval": f"95 % bootstrap over {len(set(units))} test perturbations, "
        f"{settings.bootstrap} resamples, expanded percentiles",
    }
