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

from ....draws import evenly
from ....metrics.nuisance import condition_statistics
from ..components import principal_axes
from ..held_out import HeldOut, describe, features_of, names_of, split_of
from ..settings import Evaluate, ExpressionJepa
from ..store import ExpressionStore
from .answer import Answer, answer, moved
from .ceiling import attainable
from .energy import energy_distances
from .export import as_anndata
from .few import within_perturbations
from .predictor import Effects
from .pseudobulk import group_means, training_table
from .question import Question, Values
from .ranking import retrieval_summary, standing
from .refits import floors
from .summary import counted, finite, summary
from .verdicts import judge

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
    train: ExpressionJepa, folder: Path, store: ExpressionStore, held_out: HeldOut, settings: Evaluate
) -> Evaluated:
    """Answers of the predictor in ``folder`` and of all other methods, scored and compared."""
    torch.set_num_threads(settings.threads)
    with threadpool_limits(settings.threads):
        question, rows = question_of(store, held_out), describe(store, held_out)
        axes, _ = principal_axes(store.csr.matrix(evenly(store.rows("train"), _CELLS)), _AXES)
        effects = Effects(train, folder, store)
        answers = answer(
            effects, store, held_out, axes, settings.controls, settings.readout_cells, settings.seed
        )
        predicted = {
            MODEL: answers.refitted,
            PREDICTOR: question.control + answers.effects,
            **floors(train, store, held_out, held_out.sample(settings.readout_cells, settings.seed)),
            **question.answers(settings.seed),
        }
        scores = {name: question.score(means) for name, means in predicted.items()}
        distances = _distances(
            predicted, answers, question.control, store, held_out, axes, settings.cells
        )
        for name, values in distances.items():
            scores[name]["energy_distance"] = values
        ceiling = attainable(question.halves(settings.halvings, settings.seed))
        truth = group_means(effects.latents(held_out.cells), held_out.codes, len(rows))
        counts = _counted([r["perturbation"] for r in rows])
        result = {
            "task": train.task,
            **split_of(store),
            "held_out": counted(counts),
            "perturbations": counts,
            "cells": len(held_out.cells),
            "trained_on": _counted(question.table.conditions),
            **_verdicts(scores, ceiling, rows, settings, question, predicted),
            "retrieval": retrieval_summary(standing(answers.latents, truth, question.contexts, "l2")),
            "conditions": condition_statistics(answers.across, answers.targets, answers.conditions),
            "readout": answers.readout,
        }
    return Evaluated(rows, scores, ceiling, predicted[MODEL], result)


def question_of(store: ExpressionStore, held_out: HeldOut) -> Question:
    """The question that a store's test part puts, with what its training part tells."""
    names, contexts = names_of(store), store.contexts
    known = held_out.known
    table = training_table(
        store.csr.view(known),
        [names[c] for c in store.condition[known]],
        [contexts[c] for c in store.context[known]],
    )
    return Question(
        table,
        [names[c] for c in held_out.condition],
        [contexts[c] for c in held_out.context],
        store.csr.matrix(held_out.cells),
        held_out.codes,
        store.batch[held_out.cells],
        _batch_means(store),
        features_of(store),
    )


def cells_of(evaluated: Evaluated, store: ExpressionStore, held_out: HeldOut) -> dict[str, Any]:
    """The AnnData objects that cell-eval compares, "real" and "predictions": a predicted mean stands for
    each real cell of its perturbation, beside the same controls."""
    test = store.rows("test")
    controls = test[store.condition[test] == 0]
    names = [evaluated.rows[code]["perturbation"] for code in held_out.codes]
    names += ["non-targeting"] * len(controls)
    contexts = [store.contexts[c] for c in store.context[np.concatenate([held_out.cells, controls])]]
    unchanged = store.samples(controls)
    profiles = {
        "real": store.samples(held_out.cells),
        "predictions": evaluated.predicted[held_out.codes],
    }
    return {
        name: as_anndata(np.concatenate([cells, unchanged]), names, store.genes, contexts=contexts)
        for name, cells in profiles.items()
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
    answers: Answer,
    control: np.ndarray,
    store: ExpressionStore,
    held_out: HeldOut,
    axes: np.ndarray,
    most: int,
) -> Values:
    """Energy distance of each method's cells from at most so many real ones: float64 (P,) by name."""
    order = np.argsort(held_out.codes, kind="stable")
    by_code = np.split(held_out.cells[order], np.cumsum(np.bincount(held_out.codes))[:-1])
    observed = [store.csr.matrix(cells[:most]) @ axes for cells in by_code]
    found = {}
    for name, means in predicted.items():
        cells = answers.cells if name == PREDICTOR else moved(answers.controls, (means - control) @ axes)
        found[name] = energy_distances([c[:most] for c in cells], observed)
    return found


def _verdicts(
    scores: dict[str, Values],
    ceiling: Values,
    held_out: list[dict[str, Any]],
    settings: Evaluate,
    question: Question,
    predicted: dict[str, np.ndarray],
) -> dict[str, Any]:
    how, units = (settings.bootstrap, settings.seed), [row["perturbation"] for row in held_out]
    simple = {n: v for n, v in scores.items() if n != MODEL and n not in FLOORLESS}
    model = scores[MODEL]
    judged = {m: v for m, v in model.items() if m in ceiling or m == "energy_distance"}
    rows = judge(judged, simple, ceiling, units, *how)
    cells = (question.expression, question.codes, predicted, question.score, MODEL, settings.seed)
    rows = within_perturbations(rows, *cells)
    for row in rows:
        row["low"], row["high"] = finite(row["low"]), finite(row["high"])
    return {
        "methods": summary(scores, units, *how),
        "ceiling": summary({"ceiling": ceiling}, units, *how)["ceiling"],
        "verdicts": rows,
        "interval": f"95 % bootstrap over {len(set(units))} test perturbations, "
        f"{settings.bootstrap} resamples, expanded percentiles",
    }
