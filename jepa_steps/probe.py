"""Probe frozen embeddings with labels: linear, neighbours, few labels, with intervals.

    python -m jepa_steps.probe --embeddings results/embed/mine/embeddings.npy \\
        --splits data/digits/splits.csv --out results/probe/mine

Pooling and C are chosen on val, the probe refitted on train + val, test used once; intervals resample
the test groups. Writes probe.json, classes.csv (per class), predictions.csv (per test sample), the
probe itself (probe.safetensors, for metrics.probes.load_probe) and figures. --poolings offers more
poolings, --tokens feeds the attentive probe. Data without labels get a probe.json that says so.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from threadpoolctl import threadpool_limits

from .cli import add_spec, parser, read_json, read_spec, run, staged, write_csv, write_json
from .config import Probe, parse
from .data import counter
from .data.splits import assign
from .data.store import Splits, read_array, read_splits
from .errors import InputError
from .figures import probing
from .figures.style import save
from .metrics import panel, probes
from .metrics.scores import per_class

AS_PREPARED = "as prepared"
REDRAWN = "the cells of the test part, divided anew: 60 % train, 20 % val, 20 % test"
_PARTS = ("train", "val", "test")
_CLASSES = ("class", "n", "precision", "recall", "f1")


def probe(
    embeddings: Path,
    splits: Path,
    settings: Probe,
    out: Path,
    poolings: Path | None = None,
    tokens: Path | None = None,
) -> dict[str, Any]:
    """Run the step; returns what probe.json holds."""
    table, first = read_splits(splits), read_array(embeddings, "rows, dimensions")
    if len(table.labels) != len(first):
        raise InputError(f"{splits}: {len(table.labels)} rows for {len(first)} embeddings; embed again")
    split, how = _probed_split(table)
    parts = [_bounded(np.flatnonzero((split == c) & (table.labels >= 0)), c, settings) for c in range(3)]
    if min(len(part) for part in parts) == 0 or len(np.unique(table.labels[parts[0]])) < 2:
        with staged(out) as folder:
            return _unlabelled(folder)
    train, _, test = parts
    named = table.named_groups and how == AS_PREPARED
    groups, y = table.groups[test] if named else test, [table.labels[part] for part in parts]
    # One BLAS thread: sums do not depend on the machine's number of cores.
    with threadpool_limits(1):
        candidates = _candidates(embeddings, first, poolings)
        pooling, rows = panel.choose_pooling(candidates, table.labels, parts)
        mean, scale = probes.standardisation(rows[train])
        data = probes.Split3(*((rows[part] - mean) / scale for part in parts), *y)
        predictions, found, linear = panel.judge(data, groups, settings)
        known = _covariates(table, parts)
        if known:
            alone = probes.Split3(*probes.standardise(*known), *y)
            predictions["covariates"], found["covariates"] = panel.judge_linear(alone, groups, settings)
        if settings.attentive:
            predictions["attentive"], found["attentive"] = _attentive(tokens, table, test, settings)
        others = _others(rows, table, settings)
    result = {
        "labels": int(max(part.max() for part in y)) + 1,
        "n": {name: len(part) for name, part in zip(_PARTS, parts, strict=True)},
        "parts": how,
        "interval": panel.explain_intervals(groups, named, settings),
        "groups": {"test": len(np.unique(groups)), "named": named},
        "pooling": pooling,
        **found,
        **others,
    }
    classes = np.array(found["classes"])
    fitted = probes.LinearProbe(mean, scale, linear, classes, pooling["chosen"])
    with staged(out) as folder:
        write_json(folder / "probe.json", result)
        fitted.save(folder / "probe.safetensors")
        _write_predictions(folder / "predictions.csv", table, test, predictions, named)
        write_csv(folder / "classes.csv", _CLASSES, per_class(y[2], predictions["logistic"]))
        save(probing.confusion(y[2], predictions["logistic"]), folder / "confusion.svg")
        what = y[2] if table.perturbation is None else table.perturbation[test]
        save(probing.components(data.test, what, _places(table, test)), folder / "components.svg")
    return result


def _probed_split(table: Splits) -> tuple[np.ndarray, str]:
    """(split code int64 (n,) of each sample, -1 = left out; where it comes from).

    Where whole perturbations are held out, none of test can be learned from training cells: then the
    cells of the test part, which the encoder has never seen, are divided anew.
    """
    test = table.split == 2
    if table.batch is None or np.isin(table.labels[test], table.labels[table.split == 0]).all():
        return table.split, AS_PREPARED
    split, rows = np.full(len(table.split), -1), np.flatnonzero(test)
    undecided = np.full(len(rows), -1)
    split[rows] = assign(undecided, table.labels[rows], np.arange(len(rows)), 0.2, 0.2, 0)
    return split, REDRAWN


def _bounded(rows: np.ndarray, code: int, settings: Probe) -> np.ndarray:
    """Of training samples at most as many as the settings say."""
    if code:
        return rows
    rows = counter.generator(settings.seed, "probe sample").permutation(rows)
    return np.sort(rows[: settings.max_train])


def _others(rows: np.ndarray, table: Splits, settings: Probe) -> dict[str, Any]:
    """Scores of linear probes for a cell's context, for its batch, which embeddings should not tell,
    and for the logarithm of its dose; none where there is one value, or test has contexts or batches
    that training has not."""
    found = {}
    parts = [_bounded(np.flatnonzero(table.split == code), code, settings) for code in range(3)]
    for name, codes in (("context", table.context), ("batch", table.batch)):
        y = [] if codes is None else [codes[part] for part in parts]
        if not y or len(np.unique(y[0])) < 2 or not np.isin(np.concatenate(y), y[0]).all():
            continue
        mean, scale = probes.standardisation(rows[parts[0]])
        data = probes.Split3(*((rows[part] - mean) / scale for part in parts), *y)
        _, found[name] = panel.judge_linear(data, table.groups[parts[2]], settings)
    dosed = [] if table.dose is None else [part[table.dose[part] > 0] for part in parts]
    if dosed and min(len(np.unique(table.dose[part])) for part in dosed) > 2:
        x = probes.standardise(*(rows[part] for part in dosed))
        data = probes.Split3(*x, *(np.log10(table.dose[part])[:, None] for part in dosed))
        found["dose"] = panel.judge_regression(data, table.groups[dosed[2]], settings)
    return found


def _places(table: Splits, rows: np.ndarray) -> dict[str, np.ndarray]:
    """What embeddings should not tell, for the figure: the batch of cells, the group of images."""
    if table.nuisance is None:
        return {}
    if table.batch is not None:
        return {"batch": table.batch[rows]}
    return {"group": np.array(table.group_names)[table.groups[rows]]}


def _covariates(table: Splits, parts: list[np.ndarray]) -> list[np.ndarray]:
    """One-hot codes float64 (n, K) of the context and batch of each part's cells: what is known of
    them without their expression. Empty where all cells share both, and of images."""
    codes = [c for c in (table.context, table.batch) if c is not None and len(np.unique(c)) > 1]
    wide = [np.eye(c.max() + 1) for c in codes]
    one_hot = (np.hstack([w[c[p]] for w, c in zip(wide, codes, strict=True)]) for p in parts)
    return list(one_hot) if codes else []


def _candidates(
    embeddings: Path, first: np.ndarray, poolings: Path | None
) -> Iterator[tuple[str, np.ndarray]]:
    """Name and rows of each pooling: embeddings.npy, then those of poolings.safetensors."""
    description = embeddings.parent / "embed.json"
    yield (read_json(description, "pooling")["pooling"] if description.is_file() else "mean"), first
    if poolings is None:
        return
    try:
        with safe_open(poolings, "np") as file:
            for name in file.keys():  # noqa: SIM118, not a dict
                rows = file.get_tensor(name)
                if len(rows) != len(first) or not np.isfinite(rows).all():
                    raise InputError(
                        f"{poolings}: {name}: found {len(rows)} rows, expected {len(first)}, all "
                        "finite; embed again"
                    )
                yield name, rows
    except (OSError, SafetensorError) as error:
        raise InputError(f"{poolings}: cannot be read: {error}") from None


def _attentive(
    tokens: Path | None, table: Splits, test: np.ndarray, settings: Probe
) -> tuple[list[int | str], dict[str, Any]]:
    """(predicted labels of all test samples, "" where no tokens are stored; scores)."""
    if tokens is None:
        raise InputError("probe.attentive: needs --tokens, the tokens.npy of the embed step")
    stored = read_array(tokens, "samples, tokens, dimensions")
    description = read_json(tokens.parent / "embed.json", "token_rows")
    rows = np.array(description["token_rows"], dtype=np.int64)
    labels, split = table.labels[rows], table.split[rows]
    parts = [np.flatnonzero((split == code) & (labels >= 0)) for code in range(3)]
    if len(stored) != len(rows) or min(len(part) for part in parts) == 0:
        raise InputError(
            f"{tokens}: found shape {stored.shape} and {[len(p) for p in parts]} labelled samples in "
            "train, val and test, expected (samples, tokens, dimensions) of all three; embed again"
        )
    data = probes.Split3(*(stored[part] for part in parts), *(labels[part] for part in parts))
    predicted, result = panel.judge_tokens(data, table.groups[rows[parts[2]]], settings)
    by_row = dict(zip(rows[parts[2]].tolist(), predicted.tolist(), strict=True))
    return [by_row.get(row, "") for row in test.tolist()], result


def _unlabelled(folder: Path) -> dict[str, Any]:
    result = {"labels": 0, "reason": "train, val and test need labels, and train two classes"}
    write_json(folder / "probe.json", result)
    write_csv(folder / "predictions.csv", ["index", "label", "group"], [])
    write_csv(folder / "classes.csv", _CLASSES, [])
    save_file({}, folder / "probe.safetensors")
    for name in ("confusion.svg", "components.svg"):
        save(probing.empty("no labels"), folder / name)
    return result


def _write_predictions(
    path: Path, table: Splits, test: np.ndarray, predictions: dict, named: bool
) -> None:
    """Per test sample: index, label, group (its number where groups have no names), predictions."""
    names = [name for name in predictions if name != "majority"]
    groups = [table.group_names[g] for g in table.groups[test]] if named else test.tolist()
    columns = zip(test, table.labels[test], groups, *(predictions[n] for n in names), strict=True)
    write_csv(path, ["index", "label", "group", *names], columns)


def main(argv: list[str] | None = None) -> None:
    """The command line; see the top of this file or ``--help``."""
    p = parser(__doc__)
    add_spec(p, "experiments.NAME.probe")
    p.add_argument("--embeddings", type=Path, required=True, help=".npy, float (rows, dimensions)")
    p.add_argument("--splits", type=Path, required=True, help="splits.csv with a row an embedding")
    p.add_argument("--poolings", type=Path, help=".safetensors, other poolings of the same rows")
    p.add_argument("--tokens", type=Path, help=".npy, float (samples, tokens, dimensions), by embed")
    p.add_argument("--out", type=Path, required=True, help="folder for the results")
    args = p.parse_args(argv)
    settings = parse(Probe, *read_spec(args.spec))
    result = probe(args.embeddings, args.splits, settings, args.out, args.poolings, args.tokens)
    if not result["labels"]:
        print(f"{args.out}: not probed, {result['reason']}")
        return
    low, high = result["logistic"]["accuracy_interval"]
    print(f"{args.out}: linear probe {result['logistic']['accuracy']:.4f} [{low:.4f}, {high:.4f}]")


if __name__ == "__main__":
    run(main)
