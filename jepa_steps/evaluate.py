"""Judge what a predictor says of held-out perturbations, next to predictions without a model.

    python -m jepa_steps.evaluate --train results/train/mine --data data/screen \\
        --out results/evaluate/mine

Writes evaluation.json (every metric of the model, of every baseline and of replicates, the computed
verdicts, latent retrieval, what the condition explains), scores.csv (a row a method, perturbation and
context), predictions.npy (the model's mean expression, in the order of its rows) and effects.svg.
Experiments that predict no perturbation get an evaluation.json that says so. --cell-eval also writes
predicted and real cells as cell-eval reads them.
"""

from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from .cli import add_spec, parser, read_json, read_spec, run, staged, write_csv, write_json
from .config import Evaluate, ExpressionJepa, parse, parse_training
from .data.expression.asked import Asked, ask, describe, features_of, names_of, split_of
from .data.expression.store import ExpressionStore, open_expression
from .data.store import evenly
from .errors import InputError
from .figures.effects import methods
from .figures.style import message, save
from .metrics.nuisance import condition_statistics
from .metrics.perturbation.ceiling import attainable
from .metrics.perturbation.energy import energy_distances, principal_axes
from .metrics.perturbation.export import as_anndata
from .metrics.perturbation.metrics import METRICS
from .metrics.perturbation.pseudobulk import group_means, training_table
from .metrics.perturbation.question import Question
from .metrics.perturbation.ranking import retrieval_summary, standing
from .metrics.perturbation.summary import finite, summary
from .metrics.perturbation.verdicts import judge

MODEL = "JEPA"
PREDICTOR = "predictor"  # as trained; the model's answer has its shifts refitted
FLOORLESS = (PREDICTOR, "shuffled_labels")  # shown, but nothing to be beaten
_KEYS = ("method", "perturbation", "context", "type", "dose", "subgroup", "cells")
_CELLS, _AXES = 4096, 50  # training cells behind the axes of energy distances, and how many of these


def evaluate(
    folder: Path, data: Path, settings: Evaluate, out: Path, cell_eval: Path | None = None
) -> dict[str, Any]:
    """Run the step; returns what evaluation.json holds."""
    encoder = read_json(folder / "encoder.json")
    train = parse_training(encoder["train"], str(folder / "encoder.json"))
    if not isinstance(train, ExpressionJepa) or train.task != "perturbation":
        return _nothing(out, "it predicts no perturbation")
    store = open_expression(data)
    if store.manifest["sha256"] != encoder["data_sha256"]:
        raise InputError(f"{folder}: trained on other data than {data} holds now; train it again")
    asked = ask(store)
    if not len(asked.condition):
        return _nothing(out, "the test part has no perturbed cells")
    import torch  # takes seconds, and most experiments predict nothing

    from .engine.answer import answer, moved
    from .engine.refits import floors
    from .model.effects import Effects

    torch.set_num_threads(settings.threads)
    with threadpool_limits(settings.threads):
        question, rows = _question(store, asked), describe(store, asked)
        axes = principal_axes(store.csr.matrix(evenly(store.rows("train"), _CELLS)), _AXES)
        effects = Effects(train, folder, store)
        limits = (settings.controls, settings.readout_cells, settings.seed)
        said = answer(effects, store, asked, axes, *limits)
        predicted = {
            MODEL: said.refitted,
            PREDICTOR: question.control + said.effects,
            **floors(train, store, asked, asked.sample(settings.readout_cells, settings.seed)),
            **question.answers(settings.seed),
        }
        scores = {name: question.score(means) for name, means in predicted.items()}
        observed = [store.csr.matrix(r[: settings.cells]) @ axes for r in _by_code(asked)]
        for name, means in predicted.items():
            shifts = (means - question.control) @ axes
            cells = said.cells if name == PREDICTOR else moved(said.controls, shifts)
            cells = [c[: settings.cells] for c in cells]
            scores[name]["energy_distance"] = energy_distances(cells, observed)
        ceiling = attainable(question.halves(settings.halvings, settings.seed))
        truth = group_means(effects.latents(asked.cells), asked.codes, len(rows))
        result = {
            "task": train.task,
            **split_of(store),
            "perturbations": len(rows),
            "cells": len(asked.cells),
            "trained_on": len(question.table.conditions),
            **_verdicts(scores, ceiling, [r["perturbation"] for r in rows], settings),
            "retrieval": retrieval_summary(standing(said.latents, truth, question.contexts, "l2")),
            "conditions": condition_statistics(said.across, said.targets, said.conditions),
            "readout": said.readout,
        }
    with staged(out) as staging:
        write_json(staging / "evaluation.json", result)
        write_csv(staging / "scores.csv", [*_KEYS, *METRICS], _table(rows, scores, ceiling))
        np.save(staging / "predictions.npy", predicted[MODEL].astype(np.float32))
        save(methods(scores, ceiling), staging / "effects.svg")
    if cell_eval:
        _export(cell_eval, store, asked, rows, predicted[MODEL])
    return result


def _question(store: ExpressionStore, asked: Asked) -> Question:
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


def _batch_means(store: ExpressionStore) -> np.ndarray | None:
    """Mean of the perturbed training cells of each batch (B, G); None where there is one batch."""
    if len(store.batches) < 2:
        return None
    train = store.rows("train")
    treated = train[store.condition[train] > 0]
    return group_means(store.csr.view(treated), store.batch[treated], len(store.batches))


def _by_code(asked: Asked) -> list[np.ndarray]:
    order = np.argsort(asked.codes, kind="stable")
    return np.split(asked.cells[order], np.cumsum(np.bincount(asked.codes))[:-1])


def _verdicts(
    scores: dict[str, dict], ceiling: dict[str, np.ndarray], units: list[str], settings: Evaluate
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


def _table(rows: list[dict], scores: dict[str, dict], ceiling: dict[str, np.ndarray]):
    for name, values in {**scores, "ceiling": ceiling}.items():
        for i, row in enumerate(rows):
            cells = [values[m][i] if m in values else np.nan for m in METRICS]
            texts = ["" if np.isnan(v) else repr(float(v)) for v in cells]
            yield [name, *(row[key] for key in _KEYS[1:]), *texts]


def _nothing(out: Path, reason: str) -> dict[str, Any]:
    result = {"task": None, "reason": reason}
    with staged(out) as folder:
        write_json(folder / "evaluation.json", result)
        write_csv(folder / "scores.csv", [*_KEYS, *METRICS], [])
        np.save(folder / "predictions.npy", np.empty((0, 0), np.float32))
        save(message(reason), folder / "effects.svg")
    return result


def _export(
    folder: Path, store: ExpressionStore, asked: Asked, rows: list[dict], predicted: np.ndarray
) -> None:
    """predictions.h5ad and real.h5ad: a predicted mean stands for each real cell of its perturbation."""
    test = store.rows("test")
    controls = test[store.condition[test] == 0]
    names = [rows[code]["perturbation"] for code in asked.codes] + ["non-targeting"] * len(controls)
    contexts = [store.contexts[c] for c in store.context[np.concatenate([asked.cells, controls])]]
    unchanged = store.samples(controls)
    said = {"real": store.samples(asked.cells), "predictions": predicted[asked.codes]}
    with staged(folder) as staging:
        for name, perturbed in said.items():
            cells = as_anndata(
                np.concatenate([perturbed, unchanged]), names, store.genes, contexts=contexts
            )
            cells.write_h5ad(staging / f"{name}.h5ad")


def main(argv: list[str] | None = None) -> None:
    """The command line; see the top of this file or ``--help``."""
    p = parser(__doc__)
    add_spec(p, "experiments.NAME.evaluate")
    p.add_argument("--train", type=Path, required=True, help="folder written by train")
    p.add_argument("--data", type=Path, required=True, help="folder written by prepare")
    p.add_argument("--out", type=Path, required=True, help="folder for the results")
    p.add_argument("--cell-eval", type=Path, help="folder for predictions.h5ad and real.h5ad")
    args = p.parse_args(argv)
    settings = parse(Evaluate, *read_spec(args.spec))
    result = evaluate(args.train, args.data, settings, args.out, args.cell_eval)
    if result["task"] is None:
        print(f"{args.out}: not evaluated, {result['reason']}")
        return
    leak = " (leaky split: every perturbation was seen in training)" if result["leaky"] else ""
    print(f"{args.out}: {result['perturbations']} perturbations of test{leak}")
    for row in result["verdicts"]:
        print(
            f"  {row['metric']}: {row['model']:.3f}, {row['verdict']} {row['best_baseline']} "
            f"({row['baseline']:.3f})"
        )


if __name__ == "__main__":
    run(main)
