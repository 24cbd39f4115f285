"""The verdict: named faults, each with its evidence and a remedy."""

from dataclasses import asdict, dataclass
from typing import Any

from ..config import Monitor


@dataclass(frozen=True)
class Finding:
    """One fault. ``remedy`` is a patch of the experiment's block in config.yaml."""

    name: str
    severity: str  # "error" or "warning"
    evidence: str
    advice: str
    remedy: dict[str, Any]


def diagnose(
    pooled: dict, tokens: dict, ranks: dict, losses: list[float], limits: Monitor
) -> list[Finding]:
    """All faults that the numbers show; empty = healthy.

    Args:
        pooled: ``row_statistics`` of the pooled embeddings.
        tokens: ``token_statistics``.
        ranks: ``spectrum.summary`` of the pooled embeddings.
        losses: training loss over time; empty for floors.
        limits: thresholds.
    """
    checks = [
        _collapse(pooled, limits),
        _positional_collapse(tokens, limits),
        _dimensional_collapse(ranks, limits),
        _dead_dimensions(pooled, limits),
        _loss_fault(losses),
    ]
    return [finding for finding in checks if finding]


def _collapse(pooled: dict, limits: Monitor) -> Finding | None:
    spread = pooled["relative_spread"]
    if spread >= limits.relative_spread:
        return None
    return Finding(
        "collapse",
        "error",
        f"embeddings spread {spread:.2g} of their norm around one vector "
        f"(limit {limits.relative_spread:g}, n = {pooled['n']})",
        "Raise the variance weight, or predict an EMA target.",
        {"train": {"objective": {"kind": "ema_target+vicreg", "variance": 50.0}}},
    )


def _positional_collapse(tokens: dict, limits: Monitor) -> Finding | None:
    share = tokens["position_share"]
    if share <= limits.position_share:
        return None
    return Finding(
        "positional collapse",
        "error",
        f"position alone explains {share:.1%} of the token variance (limit {limits.position_share:.0%})",
        "The encoder codes where a token is, not what it shows. Use an EMA target and fewer "
        "or smaller target blocks, so that the context can predict content.",
        {"train": {"objective": {"kind": "ema_target"}, "masks": {"blocks": 2}}},
    )


def _dimensional_collapse(ranks: dict, limits: Monitor) -> Finding | None:
    rank, width = ranks["centred"]["effective_rank"], min(ranks["dim"], ranks["n"])
    if rank >= limits.rank_share * width:
        return None
    return Finding(
        "dimensional collapse",
        "error",
        f"effective rank {rank:.1f} of {width} (limit {limits.rank_share:.0%}, n = {ranks['n']})",
        "Raise the variance and covariance weights.",
        {"train": {"objective": {"kind": "ema_target+vicreg", "covariance": 2.0}}},
    )


def _dead_dimensions(pooled: dict, limits: Monitor) -> Finding | None:
    if pooled["dead_share"] <= limits.dead_share:
        return None
    return Finding(
        "dead dimensions",
        "warning",
        f"{pooled['dead_share']:.0%} of the dimensions hardly vary (limit {limits.dead_share:.0%})",
        "Raise the variance weight, or choose a smaller dim.",
        {"train": {"objective": {"kind": "ema_target+vicreg", "variance": 50.0}}},
    )


def _loss_fault(losses: list[float]) -> Finding | None:
    if len(losses) < 5:
        return None
    first, last, least = losses[0], losses[-1], min(losses)
    if last > 3 * least and last > first:
        return Finding(
            "divergence",
            "error",
            f"loss ends at {last:.3g}, {last / least:.1f} times its minimum",
            "Lower the learning rate or lengthen the warm-up.",
            {"train": {"optimizer": {"lr": 0.0003, "warmup": 0.2}}},
        )
    if last > 0.98 * max(losses[:3]):
        return Finding(
            "no learning",
            "warning",
            f"loss {first:.3g} at the start, {last:.3g} at the end",
            "Check the learning rate and the images; an EMA target may rise early, but ends lower.",
            {"train": {"optimizer": {"lr": 0.001}}},
        )
    return None


def verdict(found: list[Finding], trained: bool) -> dict[str, Any]:
    """``verdict`` (floor, healthy, or the first error or warning) and all findings."""
    ordered = sorted(found, key=lambda f: f.severity != "error")
    name = "floor" if not trained else ordered[0].name if ordered else "healthy"
    return {"verdict": name, "findings": [asdict(f) for f in ordered] if trained else []}
