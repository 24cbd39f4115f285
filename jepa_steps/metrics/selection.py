"""Choosing a snapshot without labels: do label-free criteria order snapshots as a probe does?"""

import math

import numpy as np

# Criterion -> whether a larger value is better.
CRITERIA = {
    "effective_rank": True,
    "rankme": True,
    "lidar": True,
    "sigreg_ratio": False,
    "val_loss": False,
}


def probe_accuracy(train: np.ndarray, train_y: np.ndarray, val: np.ndarray, val_y: np.ndarray) -> float:
    """Accuracy on val of a ridge classifier fitted on train; rows (n, D), labels int (n,).

    Standardised by train; its strength is chosen by leave-one-out on train, in closed form. Cheap
    enough for every snapshot, and val is not used to choose anything.
    """
    from sklearn.linear_model import RidgeClassifierCV  # takes a second, and floors have no snapshots

    mean, std = train.mean(0, dtype=np.float64), train.std(0, dtype=np.float64)
    scale = np.where(std > 1e-12 * max(1.0, np.abs(mean).max()), std, np.inf)
    model = RidgeClassifierCV(alphas=np.logspace(-2, 4, 7))
    model.fit((train - mean) / scale, train_y)
    return float((model.predict((val - mean) / scale) == val_y).mean())


def agreement(stages: list[dict]) -> dict[str, dict[str, float | None]]:
    """How well each criterion orders stages of training by their probe accuracy.

    Args:
        stages: with keys fraction, probe and the CRITERIA; None = not measured.

    Returns:
        Per criterion measured at three stages or more: spearman, its rank correlation with the
        probe, positive = the criterion is right (None where either is constant); chosen, the
        fraction of training it would take, and chosen_probe and best_probe, what that one and the
        best one score.
    """
    from scipy.stats import spearmanr

    result = {}
    for name, larger in CRITERIA.items():
        known = [s for s in stages if s.get(name) is not None and s.get("probe") is not None]
        if len(known) < 3:
            continue
        value = np.array([s[name] for s in known]) * (1 if larger else -1)
        probe = np.array([s["probe"] for s in known])
        constant = np.ptp(value) == 0 or np.ptp(probe) == 0
        rho = math.nan if constant else float(spearmanr(value, probe).statistic)
        chosen = int(value.argmax())
        result[name] = {
            "spearman": None if math.isnan(rho) else rho,
            "chosen": known[chosen]["fraction"],
            "chosen_probe": float(probe[chosen]),
            "best_probe": float(probe.max()),
        }
    return result
