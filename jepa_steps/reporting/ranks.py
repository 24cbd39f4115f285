"""The block "Ranks" of one experiment: ranks, spread, and how snapshots could be chosen without
labels."""

from typing import Any

from .grouping import dig
from .numbers import number, percent

RANKS = (
    ("effective rank", ("centred", "effective_rank"), ".1f"),
    ("RankMe", ("raw", "rankme"), ".1f"),
    ("participation ratio", ("centred", "participation_ratio"), ".1f"),
    ("stable rank", ("centred", "stable_rank"), ".1f"),
    ("condition number", ("centred", "condition_number"), ".3g"),
)


def ranks(e: dict[str, Any]) -> dict[str, Any]:
    """Ranks of pooled embeddings and tokens, the level of white noise, and the other statistics."""
    rank, noise, rows = e["rank"], e["rank"].get("chance") or {}, []
    names = {"pooled": "pooled", "tokens": "tokens", "position_centred_tokens": "tokens less position"}
    for key, name in names.items():
        measured = rank.get(key)
        if measured:
            alpha = dig(measured, "centred", "alpha_req", "alpha")
            cells = [number(dig(measured, *path), form) for _, path, form in RANKS]
            r2 = number(dig(measured, "centred", "alpha_req", "r2"), ".2f")
            cells.append(number(alpha) if alpha is None else f"{number(alpha, '.2f')} ({r2})")
            size_of = f"{measured['n']:,} × {measured['dim']}"
            if thinned := rank.get("measured"):
                size_of += f" (one in {thinned['every']} of {thinned['of']:,} dimensions)"
            rows.append((name, cells, size_of, measured.get("trust", "ok"), measured.get("reason")))
    if noise:
        cells = [number(noise.get(path[-1]), form) for _, path, form in RANKS]
        rows.append(("white noise", [*cells, "–"], f"{noise['n']:,} × {noise['dim']}", "ok", None))
    lidar, what = rank.get("lidar") or {}, e["embed"].get("views") or "views"
    views = f"of at most {lidar.get('max')}, {lidar.get('n')} × {lidar.get('q')} {what}"
    views += "; few samples: not more than dimensions" if lidar.get("trust") == "few" else ""
    level = f"white noise {number(noise.get('uniformity'), '.2f')}"
    prediction = e["monitor"].get("prediction") or {}
    others = number(prediction.get("shuffled"), ".3g")
    floor = f"squared distance to targets on val; to other samples' targets {others}; 0 = equal"
    facts = [
        ("LiDAR", lidar.get("lidar"), views),
        ("uniformity", dig(rank, "pooled", "uniformity"), level),
        ("alignment", rank.get("alignment"), f"squared distance between {what} of a sample; 0 = equal"),
        ("alignment of predictions", prediction.get("alignment"), floor),
        ("log mean exp similarity", dig(rank, "pooled", "log_mean_exp_similarity"), "1 = all equal"),
        ("self-cluster", dig(rank, "pooled", "self_cluster"), "0 = spread evenly"),
        ("SIGReg ratio", dig(rank, "pooled", "sigreg_ratio"), "1 = a normal distribution"),
    ]
    return {
        "rows": rows,
        "spread": _spread(rank, names),
        "spread_columns": [name for name, _, _ in SPREAD],
        "selection": _selection(e["monitor"].get("selection") or {}),
        "no_selection": dig(e, "monitor", "selection", "no_rank"),
        "facts": [(n, f"{number(v, '.3g')} ({note})") for n, v, note in facts if v is not None],
    }


SPREAD = (
    ("norm", "mean_norm", ".3g"),
    ("its std", "std_norm", ".2g"),
    ("std of a dimension", "mean_std", ".3g"),
    ("smallest", "min_std", ".2g"),
    ("variance term", "variance_term", ".3g"),
    ("covariance term", "covariance_term", ".3g"),
    ("correlation, mean", "mean_abs_correlation", ".2f"),
    ("largest", "max_abs_correlation", ".2f"),
    ("above .9", "high_correlation_share", ".1%"),
)


def _spread(rank: dict[str, Any], names: dict[str, str]) -> list[tuple[str, list[str]]]:
    """Norms, stds and correlations of each kind of rows."""
    found = {name: dig(rank, key, "spread") for key, name in names.items()}
    return [
        (name, [number(part[key], form) for _, key, form in SPREAD])
        for name, part in found.items()
        if part
    ]


def _selection(found: dict[str, Any]) -> list[list[str]]:
    """Which snapshot each label-free criterion would take, and what a probe on val says of it."""
    rows = []
    for name, title in (("effective_rank", "effective rank"), ("rankme", "RankMe"), ("lidar", "LiDAR"),
                        ("sigreg_ratio", "SIGReg ratio"), ("val_loss", "loss on val")):  # fmt: skip
        one = found.get(name)
        if one:
            probes = [percent(one["chosen_probe"]), percent(one["best_probe"])]
            rows.append([title, number(one["spearman"], ".2f"), f"{one['chosen']:.0%}", *probes])
    return rows
