"""Rank analysis of an embedding matrix; needs nothing but an .npy file of rows.

    python -m jepa_steps.rank --embeddings embeddings.npy --out results/rank/mine
    python -m jepa_steps.rank --embeddings embeddings.npy --splits data/digits/splits.csv --out ...

Writes rank.json (effective rank, RankMe, participation ratio, stable rank, alpha-ReQ, condition
number; the number of rows beside them), spectrum.csv (singular values) and a figure. With --splits
only the training part is used, as in the workflow.
"""

from pathlib import Path
from typing import Any

import numpy as np

from .cli import add_spec, parser, read_spec, run, staged, write_csv, write_json
from .config import Rank, parse
from .data import counter
from .data.store import read_array, read_table
from .errors import InputError
from .figures import spectra
from .figures.style import save
from .metrics import spectrum
from .metrics.moments import moments


def rank(embeddings: Path, splits: Path | None, settings: Rank, out: Path) -> dict[str, Any]:
    """Run the step; returns what rank.json holds."""
    rows = read_array(embeddings)
    if rows.ndim != 2 or len(rows) < 2:
        raise InputError(f"{embeddings}: found shape {rows.shape}, expected (rows, dimensions)")
    if splits is not None:
        split = read_table(splits).split
        if len(split) != len(rows):
            raise InputError(f"{splits}: {len(split)} rows for {len(rows)} embeddings")
        rows = rows[split == 0]
    if len(rows) > settings.samples:
        chosen = counter.generator(0, "rank sample").permutation(len(rows))[: settings.samples]
        rows = rows[np.sort(chosen)]
    m = moments(rows)
    result = spectrum.summary(m)
    result["reliable"] = bool(m.n >= 4 * len(m.mean))
    centred, raw = spectrum.singular_values(m), spectrum.singular_values(m, centred=False)
    with staged(out) as folder:
        write_json(folder / "rank.json", result)
        header = ["index", "singular_value_centred", "singular_value_raw"]
        rows = ([i, *pair] for i, pair in enumerate(zip(centred, raw, strict=True), 1))
        write_csv(folder / "spectrum.csv", header, rows)
        save(spectra.spectrum(centred, m.n), folder / "spectrum.svg")
    return result


def main(argv: list[str] | None = None) -> None:
    """The command line; see the top of this file or ``--help``."""
    p = parser(__doc__)
    add_spec(p, "experiments.NAME.rank")
    p.add_argument("--embeddings", type=Path, required=True, help=".npy, float (rows, dimensions)")
    p.add_argument("--splits", type=Path, help="splits.csv; use only its training rows")
    p.add_argument("--out", type=Path, required=True, help="folder for the results")
    args = p.parse_args(argv)
    result = rank(args.embeddings, args.splits, parse(Rank, *read_spec(args.spec)), args.out)
    note = "" if result["reliable"] else ", too few rows: n < 4 * dim underestimates every rank"
    print(
        f"{args.out}: effective rank {result['effective_rank']:.2f} of {result['dim']} "
        f"(n = {result['n']}{note})"
    )


if __name__ == "__main__":
    run(main)
