"""The panel of probes that judges one set of embeddings.

Shapes: N samples of all parts, m test samples, D dimensions, C classes, T tokens.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from . import comparison, probes
from .neighbours import knn_probe
from .scores import scores

Settings = Any  # of the probes, as ``config.Probe`` has them


def choose_pooling(
    candidates: Iterable[tuple[str, np.ndarray]], labels: np.ndarray, parts: list[np.ndarray]
) -> tuple[dict[str, Any], np.ndarray]:
    """The pooling whose embeddings a ridge classifier reads best on val; of equal ones the first. Where
    val has fewer than 100 samples, a later pooling must be better by more than a standard error of its
    accuracy (Breiman et al. 1984): the best of several coarse numbers is chosen by luck.

    Args:
        candidates: names and embeddings (N, D).
        labels: int64 (N,).
        parts: sample numbers of train, val and test.

    Returns:
        {"chosen", "val_accuracy" by name} and the chosen embeddings.
    """
    train, val, _ = parts
    accuracy: dict[str, float] = {}
    chosen, best = "", np.empty(0)
    for name, rows in candidates:
        accuracy[name] = probes.pooling_accuracy(rows[train], rows[val], labels[train], labels[val])
        if accuracy[name] > accuracy.get(chosen, -1.0) + probes.coarseness(accuracy[name], len(val)):
            chosen, best = name, rows
    return {"chosen": chosen, "val_accuracy": accuracy}, best


def judge(
    data: probes.Split3, groups: np.ndarray, settings: Settings
) -> tuple[dict[str, np.ndarray], dict[str, Any], probes.Linear]:
    """Run all probes of pooled embeddings.

    Args:
        data: standardised embeddings and labels.
        groups: int64 (m,) of the test samples.

    Returns:
        predicted labels (m,) by probe, few<k>_<draw> among them; scores, choices and intervals by
        probe, with "classes" those the linear probe knows; and that probe's class scores.
    """
    linear, classes, choice = probes.logistic_probe(data, settings.logistic_c)
    ridge, ridge_choice = probes.ridge_probe(data)
    both_x, both_y = data.train_and_val
    chances = probes.probabilities(linear(data.test))
    predictions = {
        "logistic": classes[chances.argmax(1)],
        "ridge": ridge,
        "knn": knn_probe(both_x, both_y, data.test, settings.knn_k),
        "majority": np.full(len(data.test_y), np.bincount(both_y).argmax()),
    }
    found = {name: scores(data.test_y, predicted) for name, predicted in predictions.items()}
    whole = _of_all_classes(chances, classes, data.test_y)
    found["logistic"] = {**scores(data.test_y, predictions["logistic"], whole), **choice}
    found["ridge"] |= ridge_choice
    found["knn"]["k"] = settings.knn_k
    found["majority"]["class"] = int(predictions["majority"][0])
    few = _few_label(data, settings)
    right = [np.array([p == data.test_y]) for p in predictions.values()]
    right += [drawn == data.test_y for drawn in few.values()]
    found_few = {
        str(k): _over_draws(r, data.test_y) for k, r in zip(few, right[len(found) :], strict=True)
    }
    shares = np.stack([r.mean(0) for r in right])
    entries = [*found.values(), *found_few.values()]
    for entry, interval in zip(entries, intervals(shares, groups, settings), strict=True):
        entry["accuracy_interval"] = interval
    predictions |= {f"few{k}_{i}": row for k, drawn in few.items() for i, row in enumerate(drawn)}
    least = int(np.unique(data.train_y, return_counts=True)[1].min())
    found |= {"few_label": found_few, "fewest_of_a_class": least}
    return predictions, {"classes": classes.tolist(), **found}, linear


def judge_linear(
    data: probes.Split3, groups: np.ndarray, settings: Settings
) -> tuple[np.ndarray, dict[str, Any]]:
    """(predicted labels (m,), scores and choices) of the linear probe alone, with the majority's
    accuracy beside them.

    Args:
        data: standardised features and labels. groups: int64 (m,) of the test samples.
    """
    linear, classes, choice = probes.logistic_probe(data, settings.logistic_c)
    predicted = classes[linear(data.test).argmax(1)]
    majority = np.bincount(data.train_and_val[1]).argmax()
    return predicted, {
        **scores(data.test_y, predicted),
        "accuracy_interval": intervals((predicted == data.test_y)[None], groups, settings)[0],
        "majority": float((data.test_y == majority).mean()),
        "classes": len(classes),
        "n": {"train": len(data.train_y), "val": len(data.val_y), "test": len(data.test_y)},
        **choice,
    }


def judge_regression(data: probes.Split3, groups: np.ndarray, settings: Settings) -> dict[str, Any]:
    """R2 and choices of the ridge regression of one target; always predicting the mean has R2 0.

    Args:
        data: standardised features and targets (n, 1). groups: int64 (m,) of the test samples.
    """
    predicted, choice = probes.regression_probe(data)
    off, units = (data.test_y - predicted)[:, 0] ** 2, comparison.units_of(groups)
    ends = comparison.r2_interval(off, data.test_y[:, 0], units, settings.bootstrap, settings.seed)
    interval = ends.tolist() if np.isfinite(ends).all() else [None, None]
    n = {"train": len(data.train_y), "val": len(data.val_y), "test": len(data.test_y)}
    return {**choice, "r2_interval": interval, "n": n}


def judge_classes(
    rows: np.ndarray, codes: np.ndarray, parts: list[np.ndarray], groups: np.ndarray, settings: Settings
) -> tuple[list[np.ndarray], dict[str, np.ndarray], dict[str, Any]] | str:
    """(sample numbers of each part, predictions and scores as of ``judge``) of a target of classes, or
    why nothing can be said. Arguments as ``judge_covariate``; codes -1 are unknown and left out."""
    known = [part[codes[part] >= 0] for part in parts]
    y = [codes[part] for part in known]
    if min(map(len, known)) == 0:
        return f"samples with a value in train, val and test: {', '.join(str(len(p)) for p in known)}"
    if len(np.unique(y[0])) < 2:
        return "all samples of train are of one class"
    if not np.isin(y[2], y[0]).any():
        return "no class of test has a training sample"
    data = probes.Split3(*probes.standardise(*(rows[part] for part in known)), *y)
    predictions, scores, _ = judge(data, groups[known[2]], settings)
    scores["n"] = {"train": len(y[0]), "val": len(y[1]), "test": len(y[2])}
    return known, predictions, scores


def judge_covariate(
    rows: np.ndarray, codes: np.ndarray, parts: list[np.ndarray], groups: np.ndarray, settings: Settings
) -> dict[str, Any] | None:
    """Scores of a linear probe for a covariate; None where training has one value, or test some that
    training has not.

    Args:
        rows: (N, D), embeddings. codes: int64 (N,). parts: sample numbers of train, val and test.
        groups: int64 (N,).
    """
    y = [codes[part] for part in parts]
    if len(np.unique(y[0])) < 2 or not np.isin(np.concatenate(y), y[0]).all():
        return None
    mean, scale = probes.standardisation(rows[parts[0]])
    data = probes.Split3(*((rows[part] - mean) / scale for part in parts), *y)
    return judge_linear(data, groups[parts[2]], settings)[1]


def judge_target(
    rows: np.ndarray, values: np.ndarray, parts: list[np.ndarray], groups: np.ndarray, settings: Settings
) -> dict[str, Any] | None:
    """Scores of a ridge regression of a target float64 (N,), NaN where there is none; None where a part
    has fewer than three values. Arguments as ``judge_covariate``."""
    known = [part[~np.isnan(values[part])] for part in parts]
    if min(len(np.unique(values[part])) for part in known) < 3:
        return None
    x = probes.standardise(*(rows[part] for part in known))
    data = probes.Split3(*x, *(values[part][:, None] for part in known))
    return judge_regression(data, groups[known[2]], settings)


def judge_tokens(data: probes.Split3, groups: np.ndarray, settings: Settings) -> tuple[np.ndarray, dict]:
    """(predicted labels (m,), scores and choices) of the attentive probe.

    Args:
        data: token embeddings float32 (n, T, D) of each part, and labels.
        groups: int64 (m,) of the test samples.
    """
    from .attentive import attentive_probe

    classes, train_y = np.unique(data.train_y, return_inverse=True)
    known = np.isin(data.val_y, classes)  # a class that train lacks cannot be predicted
    val_y = np.searchsorted(classes, data.val_y[known])
    parts = probes.Split3(data.train, data.val[known], data.test, train_y, val_y, data.test_y)
    chances, choice = attentive_probe(parts, settings.seed)
    predicted = classes[chances.argmax(1)]
    whole = _of_all_classes(chances, classes, data.test_y)
    return predicted, {
        **scores(data.test_y, predicted, whole),
        "accuracy_interval": intervals((predicted == data.test_y)[None], groups, settings)[0],
        **choice,
        "n": {"train": len(train_y), "val": len(val_y), "test": len(data.test_y)},
    }


def _of_all_classes(chances: np.ndarray, classes: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Probabilities (m, C) of all class numbers up to the highest; 0 for those never seen."""
    whole = np.zeros((len(chances), int(max(classes.max(), y.max())) + 1))
    whole[:, classes] = chances
    return whole


def _few_label(data: probes.Split3, settings: Settings) -> dict[int, np.ndarray]:
    """Predicted labels (draws, m) by labels a class, of the sizes that every class can fill."""
    drawn = {
        k: probes.few_label_probe(data, k, settings.few_draws, settings.seed)
        for k in settings.few_labels
    }
    return {k: predicted for k, predicted in drawn.items() if predicted is not None}


def _over_draws(right: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Scores of few-label probes from who was right, bool (draws, m), and labels int64 (m,)."""
    spread = float(right.mean(1).std(ddof=1)) if len(right) > 1 else 0.0
    return {
        "accuracy": float(right.mean()),
        "balanced_accuracy": float(np.mean([right[:, y == c].mean() for c in np.unique(y)])),
        "std_over_draws": spread,
        "draws": len(right),
    }


def intervals(shares: np.ndarray, groups: np.ndarray, settings: Settings) -> list[list[float | None]]:
    """Intervals of the means of shares (K, m), resampling what ``comparison.units_of`` names; none
    where all of the scale from 0 to 1 is possible."""
    units = comparison.units_of(groups)
    found = comparison.intervals(shares, units, settings.bootstrap, settings.seed).clip(0, 1)
    return [[None, None] if (low, high) == (0, 1) else [low, high] for low, high in found.tolist()]


def explain_intervals(groups: np.ndarray, named: bool, unit: str, settings: Settings) -> str:
    """How the intervals were obtained."""
    n, samples = len(np.unique(groups)), f"{len(groups)} test samples"
    over = comparison.how_many(n, f"test {unit}") if named else samples
    if named and n < comparison.FEWEST_GROUPS:
        over = f"{samples} within {over}, so it holds for {'this one' if n == 1 else 'these'} only"
    return f"95 % bootstrap over {over}, {settings.bootstrap} resamples, expanded percentiles"
