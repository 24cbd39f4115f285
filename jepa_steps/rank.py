"""Rank analysis of an embedding matrix. It needs only an .npy file of rows.

    python -m jepa_steps.rank --embeddings embeddings.npy --out results/rank/mine
    python -m jepa_steps.rank --embeddings embeddings.npy --splits data/digits/splits.csv \\
        --tokens results/embed/mine/tokens.npy --views results/embed/mine/views.npy --out ...

Writes rank.json, spectrum.csv (singular values), spectrum.svg and correlation.svg. For pooled
embeddings, tokens, and tokens minus the mean of their position, rank.json holds effective rank, RankMe
and other ranks, centred and raw (none for fewer than 4 rows per dimension), uniformity, self-clustering
and SIGReg ratio. For views it holds LiDAR and alignment. For comparison it holds the values of white
noise of the same size. With --splits only the training part is used, as in the workflow; embed.json
beside the tokens states which samples the tokens are from.
"""

from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from .arrays import every, narrowed, read_array
from .cli import add_spec, parser, read_spec, run
from .config import Rank, parse
from .data.splits import read_splits
from .draws import sample
from .errors import InputError
from .figures import spectra
from .figures.style import save
from .files import read_json, staged, write_csv, write_json
from .metrics import chance, correlation, geometry, lidar, normality, spectrum
from .metrics.embedding import moment_statistics, norms
from .metrics.moments import Moments, moments, token_moments


# One BLAS thread: sums do not depend on the machine's number of cores.
@threadpool_limits.wrap(limits=1)
def rank(
    embeddings: Path,
    splits: Path | None,
    tokens: Path | None,
    views: Path | None,
    settings: Rank,
    out: Path,
) -> dict[str, Any]:
    """Run the step; returns what rank.json holds."""
    array = read_array(embeddings, "rows, dimensions")
    wide, array = array.shape[1], narrowed(array)
    split = read_splits(splits).split if splits else np.zeros(len(array), np.int64)
    if len(split) != len(array):
        raise InputError(f"{splits}: {len(split)} rows for {len(array)} embeddings")
    rows = array[sample(np.flatnonzero(split == 0), settings.samples, 0, "rank sample")]
    if len(rows) < 2:
        raise InputError(f"{embeddings}: found {len(rows)} training rows, expected at least 2")
    n, dim = rows.shape
    m = {"pooled": moments(rows)}
    result = {"pooled": _measured(m["pooled"], rows, settings)}
    result |= {"tokens": None, "position_centred_tokens": None}
    tokens_STD = _training_tokens(tokens, split, dim) if tokens else np.empty((0, 0, dim))
    samples, positions, _ = tokens_STD.shape
    if samples > 1 and positions > 1:
        of_tokens = token_moments(tokens_STD)
        index = sample(np.arange(samples * positions), settings.samples, 0, "rank sample")
        part = tokens_STD.reshape(-1, dim)[index]
        centred = part - of_tokens.position_mean[index % positions]
        for name, each, its_rows in (
            ("tokens", of_tokens.tokens, part),
            ("position_centred_tokens", of_tokens.position_centred, centred),
        ):
            m[name] = each
            result[name] = {"samples": samples, **_measured(each, its_rows, settings)}
    result |= {**_of_views(views), "chance": chance.levels(n, dim)}
    if dim < wide:
        result["measured"] = {"dimensions": dim, "of": wide, "every": every(wide)}
    _write(out, result, m)
    return result


def _write(out: Path, result: dict[str, Any], m: dict[str, Moments]) -> None:
    with staged(out) as folder:
        write_json(folder / "rank.json", result)
        sigma = {
            f"{name}_{kind}": spectrum.singular_values(each, kind == "centred")
            for name, each in m.items()
            for kind in ("centred", "raw")
        }
        table = ([i, *row] for i, row in enumerate(zip(*sigma.values(), strict=True), 1))
        write_csv(folder / "spectrum.csv", ["index", *sigma], table)
        curves = {
            name.replace("_", "-", 1).replace("_", " "): (sigma[f"{name}_centred"], m[name].n)
            for name in m
        }
        save(spectra.spectrum(curves), folder / "spectrum.svg")
        r, shown = correlation.heat_map(m["pooled"])
        save(spectra.correlation(r, len(shown), result["pooled"]["dim"]), folder / "correlation.svg")


def _measured(m: Moments, rows: np.ndarray, settings: Rank) -> dict[str, Any]:
    """Ranks from the moments, everything else from (a sample of) the rows themselves."""
    if len(rows) <= settings.pair_rows:
        uniformity, error, method = geometry.uniformity(rows), None, "all pairs"
        similarity = geometry.log_mean_exp_similarity(rows)
    else:
        uniformity, error = geometry.uniformity_sampled(rows, settings.pairs, 0)
        similarity, _ = geometry.log_mean_exp_similarity_sampled(rows, settings.pairs, 0)
        method = f"{settings.pairs} random pairs"
    return {
        **spectrum.summary(m),
        "spread": {**norms(rows), **moment_statistics(m)},
        "rows": len(rows),
        "self_cluster": geometry.self_cluster(rows),
        "uniformity": uniformity,
        "uniformity_standard_error": error,
        "uniformity_method": method,
        "log_mean_exp_similarity": similarity,
        "sigreg_ratio": normality.sigreg_ratio(rows, settings.directions),
    }


def _of_views(path: Path | None) -> dict[str, Any]:
    """Alignment and LiDAR of the final encoder; None without views."""
    views = read_array(path, "stages, samples, views, dimensions") if path else np.empty((0, 0, 0, 0))
    if not views.size:
        return {"alignment": None, "lidar": None}
    if min(views.shape[1:3]) < 2:
        raise InputError(f"{path}: found shape {views.shape}, expected at least 2 samples of 2 views")
    return {"alignment": geometry.alignment(views[-1]), "lidar": lidar.lidar(views[-1])}


def _training_tokens(path: Path, split: np.ndarray, dim: int) -> np.ndarray:
    """Tokens (S, T, D) of training samples; all of them where no embed.json lies beside the file."""
    tokens = narrowed(read_array(path, "samples, tokens, dimensions"))
    description = path.with_name("embed.json")
    if tokens.shape[2] != dim:
        raise InputError(f"{path}: found {tokens.shape[2]} dimensions, expected {dim} as of embeddings")
    if not description.is_file():
        return tokens
    rows = np.array(read_json(description).get("token_rows", []), dtype=np.int64)
    if len(rows) != len(tokens) or rows.max(initial=0) >= len(split):
        raise InputError(
            f"{description}: token_rows: found {len(rows)} rows up to {rows.max(initial=0)} for "
            f"{len(tokens)} samples in {path.name} and {len(split)} embeddings; embed again"
        )
    return tokens[split[rows] == 0]


def main(argv: list[str] | None = None) -> None:
    """The command line; see the top of this file or ``--help``."""
    p = parser(__doc__)
    add_spec(p, "experiments.NAME.rank")
    p.add_argument("--embeddings", type=Path, required=True, help=".npy, float (rows, dimensions)")
    p.add_argument("--splits", type=Path, help="splits.csv; use only its training rows")
    p.add_argument("--tokens", type=Path, help=".npy, float (samples, tokens, dimensions)")
    p.add_argument("--views", type=Path, help=".npy, float (stages, samples, views, dimensions)")
    p.add_argument("--out", type=Path, required=True, help="folder for the results")
    args = p.parse_args(argv)
    settings = parse(Rank, *read_spec(args.spec))
    result = rank(args.embeddings, args.splits, args.tokens, args.views, settings, args.out)
    pooled, level = result["pooled"], result["chance"]["effective_rank"]
    if pooled["trust"] == "refused":
        print(f"{args.out}: no rank: {pooled['reason']}")
    else:
        note = ", few rows: a low estimate" if pooled["trust"] == "few" else ""
        print(
            f"{args.out}: effective rank {pooled['centred']['effective_rank']:.2f} of {pooled['dim']} "
            f"(n = {pooled['n']}{note}; white noise {level:.2f})"
        )


if __name__ == "__main__":
    run(main)
