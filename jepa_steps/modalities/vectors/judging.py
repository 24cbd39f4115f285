"""The command ``jepa-steps judge``: its arguments, and which experiments judge given embeddings."""

import argparse
from typing import Any

from ...errors import InputError

_PROJECTED = 16  # dimensions of an embedding for one random direction
_WIDEST_RAW = 4096  # values of a sample up to which raw input and its components are probed


def add_options(p: argparse.ArgumentParser) -> None:
    """The arguments that say what is judged; as the settings ``vectors.NAME`` in docs/settings.md."""
    p.add_argument(
        "--embeddings", required=True, help=".npy, .npz, .parquet or .h5ad, one row per sample"
    )
    p.add_argument("--table", help=".csv, .tsv or .parquet, one row per sample; an .h5ad has obs")
    p.add_argument("--targets", nargs="+", default=[], metavar="COLUMN", help="columns to predict")
    p.add_argument(
        "--classes", nargs="+", default=[], metavar="COLUMN", help="targets whose numbers name classes"
    )
    p.add_argument(
        "--numbers", nargs="+", default=[], metavar="COLUMN", help="targets whose numbers are amounts"
    )
    p.add_argument("--group", metavar="COLUMN", help="unit that never crosses parts, such as donor")
    p.add_argument(
        "--nuisance",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="columns that embeddings should not encode, such as batch",
    )
    p.add_argument("--tokens", help="token embeddings (samples, tokens, dimensions)")
    p.add_argument("--raw", help="numbers that embeddings were made from, for the raw and PCA floors")
    p.add_argument("--key", help="array of an .npz, entry of obsm of an .h5ad, or column of lists")
    p.add_argument("--ids", metavar="COLUMN", help="column with names of samples in the table, or none")
    p.add_argument("--split", metavar="COLUMN", help="column with train, val or test, or none")
    p.add_argument(
        "--unmatched",
        choices=("fail", "drop"),
        default="fail",
        help="what to do with embeddings that have no row in the table",
    )


def dataset(arguments: argparse.Namespace) -> dict[str, Any]:
    """Settings of the data set that the arguments describe."""
    same = ("embeddings", "key", "table", "raw", "tokens", "ids", "group")
    found = {name: getattr(arguments, name) for name in same}
    nuisances = arguments.nuisance
    if both := sorted({*arguments.classes} & {*arguments.numbers}):
        raise InputError(f"--numbers: found {both[0]!r}, which --classes names, too; name it once")
    kinds = dict.fromkeys((*arguments.targets, *nuisances), "auto")
    kinds |= dict.fromkeys(arguments.classes, "classes") | dict.fromkeys(arguments.numbers, "numbers")
    targets = [name for name in kinds if name not in nuisances]
    return {
        **found,
        "targets": {name: kinds[name] for name in targets},
        "nuisances": {name: kinds[name] for name in nuisances},
        "split_column": arguments.split,
        "on_unmatched": arguments.unmatched,
    }


def experiments(manifest: dict[str, Any]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """(training blocks by name, the embeddings first; notes on the floors that there are none of)."""
    tokens, width = manifest["tokens"], manifest["width"]
    found: dict[str, dict[str, Any]] = {"embeddings": {"encoder": "given", "tokens": tokens["mean"]}}
    if tokens["number"] and not tokens["mean"]:
        found["tokens"] = {"encoder": "given", "tokens": True}
    if not manifest["classes"] and not manifest["columns"]["targets"]:
        return found, ["no floors: there is no target to predict"]
    if width >= 2 * _PROJECTED:
        dim = width // _PROJECTED
        found["random-projection"] = {"encoder": "random-projection", "dim": dim}
    found["shuffled-labels"] = {"encoder": "shuffled"}
    values = manifest["raw"]
    if not values:
        return found, ["no floors of raw input: give --raw to compare with it and with its PCA"]
    if values > _WIDEST_RAW:
        why = f"{values:,} values per sample are more than {_WIDEST_RAW:,}; give their PCA as --raw"
        return found, [f"no floors of raw input: {why}"]
    most = min(width, values, manifest["counts"]["train"]["samples"] - 1)
    return found | {"raw": {"encoder": "raw"}, "pca": {"encoder": "pca", "dim": most}}, []
