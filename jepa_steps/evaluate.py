"""Judge what a predictor says of held-out perturbations, next to predictions without a model.

    python -m jepa_steps.evaluate --train results/train/mine --data data/screen \\
        --out results/evaluate/mine

Writes evaluation.json (every metric of the model, of every baseline and of replicates, the computed
verdicts, latent retrieval, what the condition explains), scores.csv (a row a method, perturbation and
context), predictions.npy (the model's mean expression, in the order of its rows) and effects.svg.
Experiments that predict no perturbation get an evaluation.json that says so. --cell-eval also writes
predicted and real cells as cell-eval reads them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .cli import add_spec, parser, read_json, read_spec, run, staged, write_csv, write_json
from .config import Evaluate, ExpressionJepa, parse, parse_training
from .errors import InputError
from .figures.style import message, save
from .metrics.perturbation.metrics import METRICS

if TYPE_CHECKING:
    from .evaluation.methods import Evaluated

_KEYS = ("method", "perturbation", "context", "type", "dose", "subgroup", "cells")


def evaluate(
    folder: Path, data: Path, settings: Evaluate, out: Path, cell_eval: Path | None = None
) -> dict[str, Any]:
    """Run the step; returns what evaluation.json holds."""
    encoder = read_json(folder / "encoder.json", "train", "data_sha256")
    train = parse_training(encoder["train"], str(folder / "encoder.json"))
    if not isinstance(train, ExpressionJepa) or train.task != "perturbation":
        return _nothing(out, "it predicts no perturbation")
    # These take seconds, and most experiments predict nothing.
    from .data.expression.asked import ask
    from .data.expression.store import open_expression
    from .evaluation.methods import cells_of, evaluated

    store = open_expression(data)
    if store.manifest["sha256"] != encoder["data_sha256"]:
        raise InputError(f"{folder}: trained on other data than {data} holds now; train it again")
    asked = ask(store)
    if not len(asked.condition):
        return _nothing(out, "the test part has no perturbed cells")
    found = evaluated(train, folder, store, asked, settings)
    _write(out, found)
    if cell_eval:
        with staged(cell_eval) as staging:
            for name, cells in cells_of(found, store, asked).items():
                cells.write_h5ad(staging / f"{name}.h5ad")
    return found.result


def _write(out: Path, found: "Evaluated") -> None:
    from .figures.effects import methods

    with staged(out) as staging:
        write_json(staging / "evaluation.json", found.result)
        write_csv(staging / "scores.csv", [*_KEYS, *METRICS], _table(found))
        np.save(staging / "predictions.npy", found.predicted.astype(np.float32))
        save(methods(found.scores, found.ceiling), staging / "effects.svg")


def _table(found: "Evaluated") -> Iterator[list[object]]:
    for name, values in {**found.scores, "ceiling": found.ceiling}.items():
        for i, row in enumerate(found.rows):
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
