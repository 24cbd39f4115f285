"""Predict labels from frozen embeddings: linear, nearest-neighbour and few-label probes, with intervals.

    python -m jepa_steps.probe --embeddings results/embed/mine/embeddings.npy \\
        --splits data/digits/splits.csv --out results/probe/mine

Pooling and C are chosen on val, the probe is refitted on train + val, and test is used once. Intervals
resample the test groups. Writes probe.json, classes.csv (per class), predictions.csv (per test sample),
targets.csv (predictions of the data set's other targets), the probe itself (probe.safetensors, for
metrics.probes.load_probe) and figures. --poolings adds poolings to choose from; the attentive probe
needs --tokens. Without labels, only the other targets are predicted, from embeddings.npy.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from threadpoolctl import threadpool_limits

from .arrays import read_array
from .cli import add_spec, parser, read_spec, run
from .config import Probe, parse
from .data.probed import Probed, bounded, new_classes, probed_samples, resampled_by
from .data.splits import Splits, across_splits, read_splits
from .errors import InputError
from .figures import probing
from .figures.style import message, save
from .files import read_json, staged, write_csv, write_json
from .metrics import panel, probes, target_probes
from .metrics.comparison import FEWEST_GROUPS
from .metrics.scores import per_class

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
    table = resampled_by(table, FEWEST_GROUPS)
    if len(table.labels) != len(first):
        raise InputError(f"{splits}: {len(table.labels)} rows for {len(first)} embeddings; embed again")
    probed = probed_samples(table, settings)
    if reason := _no_question(probed):
        return _unlabelled(first, table, settings, out, reason)
    # One BLAS thread: sums do not depend on the machine's number of cores.
    with threadpool_limits(1):
        candidates = _candidates(embeddings, first, poolings)
        pooling, rows = panel.choose_pooling(candidates, table.labels, probed.parts)
        scale = probes.standardisation(rows[probed.parts[0]])
        data = _split3(rows, probed, scale)
        predictions, scores, linear = _judge(data, probed, tokens, settings)
        others, answers = _others(rows, table, settings)
    result = {
        "labels": int(max(y.max() for y in probed.labels)) + 1,
        "n": {name: len(part) for name, part in zip(_PARTS, probed.parts, strict=True)},
        "parts": probed.how,
        "without_label": int((table.labels < 0).sum()),
        "new_classes": new_classes(probed),
        "groups_across_parts": _across(table),
        "interval": panel.explain_intervals(probed.groups, probed.named, table.unit, settings),
        "groups": {
            "test": len(np.unique(probed.groups)),
            "named": probed.named,
            "unit": table.unit if probed.named else "sample",
        },
        "pooling": pooling,
        **scores,
        **others,
    }
    fitted = probes.LinearProbe(*scale, linear, np.array(scores["classes"]), pooling["chosen"])
    with staged(out) as folder:
        write_json(folder / "probe.json", result)
        fitted.save(folder / "probe.safetensors")
        _write_predictions(folder / "predictions.csv", probed, predictions)
        write_csv(folder / "targets.csv", target_probes.FIELDS, answers)
        _write_scores(folder, probed, predictions["logistic"], data.test)
    return result


def _split3(
    rows: np.ndarray, probed: Probed, standardise: tuple[np.ndarray, np.ndarray]
) -> probes.Split3:
    """The parts of rows (N, D), less the mean and over the scale given, with their labels."""
    mean, scale = standardise
    return probes.Split3(*((rows[part] - mean) / scale for part in probed.parts), *probed.labels)


def _judge(
    data: probes.Split3, probed: Probed, tokens: Path | None, settings: Probe
) -> tuple[dict[str, Any], dict[str, Any], probes.Linear]:
    """(predicted labels of test by probe, scores by probe, class scores of the linear probe): of the
    embeddings, of the covariates alone where there are any, and of tokens where that is asked for."""
    predictions, scores, linear = panel.judge(data, probed.groups, settings)
    varied = {n: c for n, c in probed.splits.covariates.items() if len(np.unique(c)) > 1}
    if varied:
        known = probes.one_hot([*varied.values()], probed.parts)
        alone = probes.Split3(*probes.standardise(*known), *probed.labels)
        predictions["covariates"], entry = panel.judge_linear(alone, probed.groups, settings)
        scores["covariates"] = {"names": list(varied), **entry}
    if settings.attentive:
        predictions["attentive"], scores["attentive"] = _attentive(tokens, probed, settings)
    return predictions, scores, linear


def _others(
    rows: np.ndarray, table: Splits, settings: Probe
) -> tuple[dict[str, Any], list[list[object]]]:
    """Scores of a linear probe for each covariate, of a regression for each logarithm, and of the probes
    of targets; and the rows of targets.csv."""
    parts = _all_parts(table, settings)
    covariates, logarithms = {}, {}
    for name, codes in table.covariates.items():
        if name in table.targets:  # which is asked for below, next to its floors
            continue
        if found := panel.judge_covariate(rows, codes, parts, table.groups, settings):
            covariates[name] = {**found, "nuisance": name == table.nuisance_column}
    for name, values in table.log_targets.items():
        if found := panel.judge_target(rows, values, parts, table.groups, settings):
            logarithms[name] = found
    asked, answers = target_probes.probe_targets(rows, table, parts, settings)
    found = {"of_covariates": covariates, "of_log_targets": logarithms, "of_targets": asked}
    return found, answers


def _all_parts(table: Splits, settings: Probe) -> list[np.ndarray]:
    """Sample numbers of train, val and test, labelled or not; of train as many as are probed."""
    split = [np.flatnonzero(table.split == code) for code in range(3)]
    return [bounded(split[0], settings), *split[1:]]


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
    tokens: Path | None, probed: Probed, settings: Probe
) -> tuple[list[int | str], dict[str, Any]]:
    """(predicted labels of all test samples, "" where no tokens are stored; scores)."""
    if tokens is None:
        raise InputError("probe.attentive: needs --tokens, the tokens.npy of the embed step")
    stored = read_array(tokens, "samples, tokens, dimensions")
    description = read_json(tokens.parent / "embed.json", "token_rows")
    rows = np.array(description["token_rows"], dtype=np.int64)
    table, test = probed.splits, probed.parts[2]
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


def _across(table: Splits) -> int:
    """Groups that stand in several parts."""
    return len(across_splits(table.groups, table.split)) if table.named_groups else 0


def _no_question(probed: Probed) -> str:
    """Why nothing can be probed; "" where something can."""
    counts = [len(part) for part in probed.parts]
    train, _, test = probed.labels
    if min(counts) == 0:
        found = ", ".join(f"{name} {n}" for name, n in zip(_PARTS, counts, strict=True))
        return f"train, val and test need labels; labelled samples: {found}"
    if len(np.unique(train)) < 2:
        return "train needs two classes, found one"
    return "" if np.isin(test, train).any() else "no class of test has a training sample"


def _unlabelled(
    rows: np.ndarray, table: Splits, settings: Probe, out: Path, reason: str
) -> dict[str, Any]:
    """What is written where the label cannot be asked for: targets, which can, and why not more."""
    with threadpool_limits(1):
        parts = _all_parts(table, settings)
        asked, answers = target_probes.probe_targets(rows, table, parts, settings)
    result = {"labels": 0, "reason": reason, "of_targets": asked}
    with staged(out) as folder:
        write_json(folder / "probe.json", result)
        write_csv(folder / "predictions.csv", ["index", "label", "group"], [])
        write_csv(folder / "classes.csv", _CLASSES, [])
        write_csv(folder / "targets.csv", target_probes.FIELDS, answers)
        save_file({}, folder / "probe.safetensors")
        for name in ("confusion.svg", "components.svg"):
            save(message("no labels"), folder / name)
    return result


def _write_predictions(path: Path, probed: Probed, predictions: dict[str, Any]) -> None:
    """Per test sample: index, label, group (its number where groups have no names), predictions."""
    table, test = probed.splits, probed.parts[2]
    names = [name for name in predictions if name != "majority"]
    groups = [table.group_names[g] for g in probed.groups] if probed.named else test.tolist()
    columns = zip(test, table.labels[test], groups, *(predictions[n] for n in names), strict=True)
    write_csv(path, ["index", "label", "group", *names], columns)


def _write_scores(folder: Path, probed: Probed, predicted: np.ndarray, rows: np.ndarray) -> None:
    """classes.csv and figures of the linear probe: predicted labels (m,) and test embeddings (m, D)."""
    table, test, y = probed.splits, probed.parts[2], probed.labels[2]
    write_csv(folder / "classes.csv", _CLASSES, per_class(y, predicted))
    names = y if table.names is None else table.names[test]
    of_classes = {int(code): str(name) for code, name in zip(y, names, strict=True)}
    save(probing.confusion(y, predicted, of_classes), folder / "confusion.svg")
    save(probing.components(rows, names, _nuisance(table, test)), folder / "components.svg")


def _nuisance(table: Splits, rows: np.ndarray) -> dict[str, np.ndarray]:
    """What embeddings should not tell, by name, for the figure."""
    if table.nuisance is None:
        return {}
    if table.nuisance_column is not None:
        return {table.nuisance_column: table.nuisance[rows]}
    return {"group": np.array(table.group_names)[table.groups[rows]]}


def main(argv: list[str] | None = None) -> None:
    """The command line; see the top of this file or ``--help``."""
    p = parser(__doc__)
    add_spec(p, "experiments.NAME.probe")
    p.add_argument("--embeddings", type=Path, required=True, help=".npy, float (rows, dimensions)")
    p.add_argument("--splits", type=Path, required=True, help="splits.csv with one row per embedding")
    p.add_argument("--poolings", type=Path, help=".safetensors, other poolings of the same rows")
    p.add_argument("--tokens", type=Path, help=".npy, float (samples, tokens, dimensions), by embed")
    p.add_argument("--out", type=Path, required=True, help="folder for the results")
    args = p.parse_args(argv)
    settings = parse(Probe, *read_spec(args.spec))
    result = probe(args.embeddings, args.splits, settings, args.out, args.poolings, args.tokens)
    if not result["labels"]:
        print(f"{args.out}: not probed, {result['reason']}")
        return
    print("\n".join(_spoken(result, args.out)))


def _spoken(result: dict[str, Any], out: Path) -> list[str]:
    """The score beside its floor, and what was not probed, for the terminal."""
    n, (low, high) = result["n"]["test"], result["logistic"]["accuracy_interval"]
    interval = "no interval" if low is None else f"[{low:.4f}, {high:.4f}]"
    lines = [
        f"{out}: linear probe {result['logistic']['accuracy']:.4f} {interval}, "
        f"majority class {result['majority']['accuracy']:.4f}; {n} test samples; {result['interval']}"
    ]
    if result["without_label"]:
        lines.append(f"  {result['without_label']} samples without a label are left out")
    if n_across := result["groups_across_parts"]:
        lines.append(f"  LEAK: {n_across} groups are in several parts; test scores may be too high")
    if new := result["new_classes"]:
        lines.append(
            f"  {sum(new.values())} of {n} test samples are from classes that train does not have: "
            f"{', '.join(new)}; no probe can predict these"
        )
    return lines


if __name__ == "__main__":
    run(main)
