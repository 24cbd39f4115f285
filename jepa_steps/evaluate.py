"""Judge an experiment's predictions of held-out data, compared with baselines that use no model.

    python -m jepa_steps.evaluate --train results/train/mine --data data/screen \\
        --out results/evaluate/mine

Writes evaluation.json (every metric of the model, of every baseline and of the ceiling, the verdicts,
and the variance that the condition explains), scores.csv (one row per method and predicted thing),
predictions.npy (the model's predictions, in the order of scores.csv) and evaluation.svg. For experiments
that predict nothing, evaluation.json states this. --export also writes predicted and real samples in the
format of other tools: for cells, predictions.h5ad and real.h5ad for cell-eval.
"""

from pathlib import Path
from typing import Any

import numpy as np

from .cli import add_spec, parser, read_spec, run
from .config import parse
from .config.training import parse_training
from .errors import InputError
from .figures.style import message, save
from .files import read_json, staged, write_csv, write_json
from .modalities import optional_part, part
from .modalities.contract import Evaluation


def evaluate(
    folder: Path, data: Path, spec: tuple[Any, str], out: Path, export: Path | None = None
) -> dict[str, Any]:
    """Run the step; returns what evaluation.json holds.

    Args:
        spec: plain settings, and where they are from.
    """
    source = folder / "encoder.json"
    description = read_json(source, "train", "modality", "data_sha256")
    modality = description["modality"]
    settings = parse(part(modality, "settings").Evaluate, *spec)
    train = parse_training(description["train"], str(source), modality)
    module = optional_part(modality, "evaluation")
    found: Evaluation | str = f"nothing is predicted of {modality}"
    if module is not None:
        found = "it predicts nothing"
        if module.predicts(train):
            found = module.evaluate(train, description, folder, data, settings)
    if isinstance(found, str):
        nothing = np.empty((0, 0), np.float32)
        found = Evaluation({"task": None, "reason": found}, ["method"], [], nothing, message(found))
    with staged(out) as staging:
        write_json(staging / "evaluation.json", found.result)
        write_csv(staging / "scores.csv", found.header, found.rows)
        np.save(staging / "predictions.npy", found.predictions)
        save(found.figure, staging / "evaluation.svg")
    if export:
        if found.export is None:
            raise InputError(f"--export: there is nothing to export, {found.result.get('reason')}")
        with staged(export) as staging:
            found.export(staging)
    return found.result


def main(argv: list[str] | None = None) -> None:
    """The command line; see the top of this file or ``--help``."""
    p = parser(__doc__)
    add_spec(p, "experiments.NAME.evaluate")
    p.add_argument("--train", type=Path, required=True, help="folder written by train")
    p.add_argument("--data", type=Path, required=True, help="folder written by prepare")
    p.add_argument("--out", type=Path, required=True, help="folder for the results")
    p.add_argument("--export", type=Path, help="folder for predictions in the format of other tools")
    args = p.parse_args(argv)
    result = evaluate(args.train, args.data, read_spec(args.spec), args.out, args.export)
    if result["task"] is None:
        print(f"{args.out}: not evaluated, {result['reason']}")
        return
    leak = " (leaky split: a look-up table of training could win)" if result["leaky"] else ""
    print(f"{args.out}: {result['held_out']} of test{leak}")
    for row in result["verdicts"]:
        print(
            f"  {row['metric']}: {row['model']:.3f}, {row['verdict']} {row['best_baseline']} "
            f"({row['baseline']:.3f})"
        )


if __name__ == "__main__":
    run(main)
