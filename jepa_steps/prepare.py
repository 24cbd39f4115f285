"""Prepare a data set: read it once, divide it into parts, measure it, audit it, hash it.

    python -m jepa_steps.prepare images --out data/photos \\
        --spec '{"source": "folder", "path": "photos", "image_size": 96}'
    python -m jepa_steps.prepare expression --out data/screen \\
        --spec '{"source": "h5ad", "path": "screen.h5ad"}'

Writes the prepared store of its kind of data, splits.csv (each sample's part, label and group) and
manifest.json (counts, statistics of the training part, leak audit, hashes), and prints what it found. It
stops with one line, and leaves nothing behind, if the input cannot be used. A split that leaks stops it
as well, unless the settings allow the leak.
"""

import os
from pathlib import Path

from .cli import add_spec, parser, read_spec, run
from .config.training import parse_dataset
from .data.groups import few_to_test
from .data.splits import read_splits
from .modalities import MODALITIES, part


def main(argv: list[str] | None = None) -> None:
    """The command line; see the top of this file or ``--help``."""
    p = parser(__doc__)
    p.add_argument("modality", choices=MODALITIES, help="kind of data")
    add_spec(p, "MODALITY.NAME")
    p.add_argument("--out", type=Path, required=True, help="folder for the prepared data set")
    p.add_argument(
        "--workers", type=int, default=os.cpu_count(), help="largest number of processes that decode"
    )
    args = p.parse_args(argv)
    dataset = parse_dataset(*read_spec(args.spec), args.modality)
    step = part(args.modality, "prepare")
    manifest = step.prepare(dataset, args.out, max(args.workers, 1))
    found = step.summary(manifest, args.out) + few_to_test(read_splits(args.out / "splits.csv"))
    print(f"{args.out}: {found[0]}" if len(found) == 1 else "\n  ".join([f"{args.out}:", *found]))


if __name__ == "__main__":
    run(main)
