"""Judge the health of embeddings and of the training that made them.

    python -m jepa_steps.monitor --embed results/embed/mine --data data/digits \\
        --train results/train/mine --out results/monitor/mine

Writes monitor.json (statistics of pooled embeddings and of tokens, a named verdict with evidence
and remedy), snapshots.csv (statistics over training) and figures.
"""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .cli import add_spec, parser, read_json, read_spec, run, staged, write_csv, write_json
from .config import JepaTraining, Monitor, parse, parse_training
from .data.store import read_array, read_table
from .errors import InputError
from .figures import training as figures
from .figures.masks import masks
from .figures.style import message, save
from .metrics import diagnosis, spectrum
from .metrics.embedding import row_statistics, token_statistics
from .metrics.moments import moments, token_moments


def monitor(embed: Path, data: Path, train: Path, settings: Monitor, out: Path) -> dict[str, Any]:
    """Run the step; returns what monitor.json holds."""
    description = read_json(embed / "embed.json")
    embeddings, tokens = read_array(embed / "embeddings.npy"), read_array(embed / "tokens.npy")
    split = read_table(data / "splits.csv").split
    if len(split) != len(embeddings):
        raise InputError(f"{embed}: {len(embeddings)} embeddings for {len(split)} rows of {data}")
    rows = embeddings[split == 0]
    history = read_history(train / "metrics.csv")
    pooled, token = row_statistics(rows), token_statistics(token_moments(tokens))
    ranks = spectrum.summary(moments(rows))
    losses = history.get("loss", [])
    found = diagnosis.diagnose(pooled, token, ranks, losses, settings)
    trained = description["encoder"] == "jepa"
    over_training = _over_training(embed, description, rows_of=embeddings)
    result = {
        **diagnosis.verdict(found, trained),
        "encoder": description["encoder"],
        "pooled": pooled,
        "tokens": token,
        "ranks": ranks,
        "final_loss": losses[-1] if losses else None,
    }
    with staged(out) as folder:
        write_json(folder / "monitor.json", result)
        write_csv(folder / "snapshots.csv", over_training[0], (row.values() for row in over_training))
        save(figures.losses(history), folder / "losses.svg")
        save(figures.rates(history), folder / "rates.svg")
        save(_mask_figure(train / "encoder.json"), folder / "masks.svg")
        save(figures.over_training(over_training), folder / "over_training.svg")
        save(figures.std_histogram(moments(rows).std), folder / "std.svg")
    return result


def _over_training(embed: Path, description: dict, rows_of: np.ndarray) -> list[dict[str, float]]:
    """Statistics of the same training samples at every snapshot and at the end."""
    sample = rows_of[np.array(description["snapshot_rows"])]
    stages = [*zip(description["snapshot_fractions"], read_array(embed / "snapshots.npy"), strict=True)]
    result = []
    for fraction, rows in [*stages, (1.0, sample)]:
        statistics, ranks = row_statistics(rows), spectrum.summary(moments(rows))
        result.append(
            {
                "fraction": fraction,
                "n": statistics["n"],
                "effective_rank": ranks["effective_rank"],
                "rankme": ranks["rankme"],
                "relative_spread": statistics["relative_spread"],
                "mean_std": statistics["mean_std"],
            }
        )
    return result


def _mask_figure(path: Path) -> Figure:
    description = read_json(path)
    train = parse_training(description["train"], str(path))
    if not isinstance(train, JepaTraining):
        return message("a floor: nothing is hidden")
    side = description["image_size"] // train.model.patch_size
    return masks(train, (side, side))


def read_history(path: Path) -> dict[str, list[float]]:
    """Columns of metrics.csv; lists are empty for floors.

    Raises:
        InputError: missing file.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; run jepa_steps.train first")
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
        return {name: [float(row[name]) for row in rows] for name in reader.fieldnames or []}


def main(argv: list[str] | None = None) -> None:
    """The command line; see the top of this file or ``--help``."""
    p = parser(__doc__)
    add_spec(p, "experiments.NAME.monitor")
    p.add_argument("--embed", type=Path, required=True, help="folder written by embed")
    p.add_argument("--data", type=Path, required=True, help="folder written by prepare")
    p.add_argument("--train", type=Path, required=True, help="folder written by train")
    p.add_argument("--out", type=Path, required=True, help="folder for the results")
    args = p.parse_args(argv)
    settings = parse(Monitor, *read_spec(args.spec))
    result = monitor(args.embed, args.data, args.train, settings, args.out)
    print(f"{args.out}: {result['verdict']}")
    for finding in result["findings"]:
        print(f"  {finding['severity']}: {finding['name']}: {finding['evidence']}. {finding['advice']}")


if __name__ == "__main__":
    run(main)
