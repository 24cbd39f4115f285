"""Ends a run whose embeddings the monitor would call collapsed, where the settings ask for it."""

from typing import Any

from ..config import JepaRun, Monitor
from ..errors import HopelessRun
from ..metrics import embedding_rules as rules
from ..metrics.evidence import Evidence
from ..metrics.remedies import Remedies

_RULES = {
    "collapse": rules.collapse,
    "positional collapse": rules.positional_collapse,
    "dimensional collapse": rules.dimensional_collapse,
    "rank-k collapse": rules.rank_k_collapse,
}
# An EMA target may look collapsed for a moment while it leaves its initial weights.
_PATIENCE, _WARMUP = 3, 0.1


class Verdicts:
    """Applies the monitor's rules, at its default thresholds, to the statistics of log rows.

    Args:
        train: settings of the run.
        remedies: those of its kind of data.

    Attributes:
        rows: log rows in a row that each verdict was seen in; what a checkpoint keeps.
    """

    def __init__(self, train: JepaRun, remedies: Remedies):
        self._train, self._remedies = train, remedies
        self.rows = dict.fromkeys(train.stop_on, 0)

    def judge(self, step: int, taken: dict[str, Any]) -> None:
        """Take in one row's statistics (``Watch.take``).

        Raises:
            HopelessRun: a verdict of ``stop_on`` in 3 log rows in a row, after a tenth of the steps.
        """
        if not taken or step < _WARMUP * self._train.steps:
            return
        evidence = Evidence(**taken, settings=self._train, remedies=self._remedies, finished=False)
        for name in self.rows:
            finding = _RULES[name](evidence, Monitor())
            self.rows[name] = self.rows[name] + 1 if finding else 0
            if finding and self.rows[name] >= _PATIENCE:
                raise HopelessRun(
                    f"{name} in {_PATIENCE} log rows up to step {step}: {finding.evidence}; "
                    f"{finding.advice} Try {finding.remedy}, or drop it from train.stop_on"
                )
