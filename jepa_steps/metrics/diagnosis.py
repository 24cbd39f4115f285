"""The verdict: named faults, each with its evidence and a remedy."""

from dataclasses import asdict, replace
from typing import Any

from . import embedding_rules, training_rules
from .evidence import Evidence, Finding, Limits

# Causes before what follows from them: the verdict is the first error, else the first warning.
RULES = (
    training_rules.initial_weights,
    training_rules.nan_loss,
    training_rules.divergence,
    embedding_rules.collapse,
    embedding_rules.positional_collapse,
    embedding_rules.temporal_collapse,
    embedding_rules.rank_k_collapse,
    embedding_rules.dimensional_collapse,
    embedding_rules.condition_ignored,
    embedding_rules.persistence,
    embedding_rules.no_motion,
    training_rules.small_batch,
    training_rules.under_trained,
    training_rules.no_learning,
    training_rules.overfitting,
    embedding_rules.high_correlation,
    embedding_rules.dead_dimensions,
    embedding_rules.nuisance_dominated,
)


UNTRIED = "This change has not been tested on this kind of data: it may not help."


def diagnose(evidence: Evidence, limits: Limits) -> list[Finding]:
    """All faults that the numbers show, errors first; empty = healthy."""
    found = [_honest(finding, evidence) for rule in RULES if (finding := rule(evidence, limits))]
    return sorted(found, key=lambda finding: finding.severity != "error")


def verdict(found: list[Finding], judged: bool) -> dict[str, Any]:
    """``verdict`` (floor, healthy, or the first finding's name) and all findings as plain data.

    Args:
        judged: False for floors, of which nothing is asked.
    """
    if not judged:
        return {"verdict": "floor", "findings": []}
    plain = [{**asdict(finding), "doc": finding.doc} for finding in found]
    return {"verdict": found[0].name if found else "healthy", "findings": plain}


def _honest(finding: Finding, e: Evidence) -> Finding:
    """The same; its advice says so where no test has followed the change of settings it proposes."""
    untried = finding.remedy and finding.name not in e.remedies.followed
    return replace(finding, advice=f"{finding.advice} {UNTRIED}") if untried else finding
