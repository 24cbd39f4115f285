"""What a verdict is made of: the numbers of a run that rules read, and the faults they find."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .remedies import GENERAL, Patch, Remedies, Remedy, Settings, merge, slower

Limits = Any  # thresholds by name, as ``config.Monitor`` has them


@dataclass(frozen=True)
class Finding:
    """One fault.

    severity: "error" (the embeddings are of no use) or "warning". evidence: numbers, with n and where
    they were seen. remedy: a patch of the experiment's block in config.yaml; empty where the run's
    settings are not known. doc: where the documentation explains it.
    """

    name: str
    severity: str
    evidence: str
    advice: str
    remedy: dict[str, Any]

    @property
    def doc(self) -> str:
        """The section of the page that explains the fault."""
        return "docs/reading-the-report.md#" + self.name.lower().replace(" ", "-")


@dataclass(frozen=True)
class Evidence:
    """Statistics of one run; what is None or empty was not measured, and no rule fires on it.

    Attributes:
        pooled: ``row_statistics`` or ``moment_statistics`` of the pooled embeddings.
        tokens: ``token_statistics``.
        ranks: ``spectrum.summary`` of the pooled embeddings; None in it where rows are too few.
        singular_values: of the centred pooled embeddings, descending.
        history: columns of metrics.csv.
        validation: columns of validation.csv.
        snapshots: rows of snapshots.csv, the last one for the final encoder.
        probe_n: val samples behind the snapshots' probe.
        nuisance: ``nuisance_statistics``, if samples have named groups.
        conditions: ``condition_statistics``, if predictions have conditions.
        persistence: n, and the distances of the future's embeddings from what is ``predicted`` and from
            the last embedding of the past ``repeated``, if the future is predicted.
        motion: accuracies of a probe of whole ``clip``s and of single ``frame``s, their difference with
            interval and verdict, and n, of data whose samples have frames.
        weights: of published weights how many ``tensors`` there are, and how many look ``as_initial``.
        settings: of the training.
        remedies: those of its kind of data.
        finished: False while training goes on; rules about its end wait.
    """

    pooled: dict[str, Any] | None = None
    tokens: dict[str, Any] | None = None
    ranks: dict[str, Any] | None = None
    singular_values: Sequence[float] | None = None
    history: dict[str, list[float]] = field(default_factory=dict)
    validation: dict[str, list[float]] = field(default_factory=dict)
    snapshots: list[dict[str, Any]] = field(default_factory=list)
    probe_n: int = 0
    nuisance: dict[str, Any] | None = None
    conditions: dict[str, Any] | None = None
    persistence: dict[str, Any] | None = None
    motion: dict[str, Any] | None = None
    weights: dict[str, int] | None = None
    settings: Settings | None = None
    remedies: Remedies = GENERAL
    finished: bool = True

    @property
    def past_half(self) -> bool:
        """Whether half of the steps are made; a loss may stand still before that."""
        if self.finished or self.settings is None:
            return self.finished
        return self.history["step"][-1] >= self.settings.steps / 2

    @property
    def overshoot(self) -> float:
        """Largest step over the norm of the weights, where that is so large that it explains a fault;
        else 0. Sound runs: .005 to .007; at a hundred times their learning rate: .08 to .1."""
        most = max(self.history.get("update_to_weight", []), default=0.0)
        return most if most > 0.02 else 0.0

    @property
    def calmer(self) -> Remedy | None:
        """What brings steps back to half a per cent of the weights, if they overshoot."""
        if not self.overshoot:
            return None

        def calm(s: Settings) -> Patch:
            # Weights that have grown hide how far steps of Adam's kind overshot: a rate that was sound.
            most = math.inf if s.optimizer.kind == "sgd" else 0.003
            return slower(s, self.overshoot / 0.005, most)

        return calm

    def patch(self, *remedies: Remedy) -> dict[str, Any]:
        """The remedies for this run's settings as one block; empty where those are not known, or where
        no setting helps."""
        if self.settings is None:
            return {}
        changes = merge(*(remedy(self.settings) for remedy in remedies))
        return {"train": changes} if changes else {}

    @property
    def when(self) -> str:
        """Text on the step after which the embeddings were taken, or nothing."""
        steps = self.history.get("step", [])
        return f", after step {steps[-1]:g}" if steps else ""

    def occurrences(self, column: str, bad: Callable[[float], bool]) -> str:
        """Text on the log rows, validations and snapshots whose ``column`` was bad, or nothing."""
        parts = []
        for name, table in (("log rows", self.history), ("validations", self.validation)):
            values = table.get(column, [])
            steps = [step for step, v in zip(table.get("step", []), values, strict=False) if bad(v)]
            if steps:
                parts.append(f"at {len(steps)} of {len(values)} {name}, first at step {steps[0]:g}")
        known = [row for row in self.snapshots if row.get(column) is not None]
        fractions = [f"{row['fraction']:g}" for row in known if bad(row[column])]
        if fractions:
            parts.append("at snapshots " + ", ".join(fractions))
        return "; seen " + ", ".join(parts) if parts else ""
