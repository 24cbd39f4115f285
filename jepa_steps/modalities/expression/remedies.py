"""What to change in a run on cells that went wrong."""

from ...metrics.remedies import Patch, Remedies, more_directions, more_spread
from .settings import ExpressionJepa


def content_over_position(s: ExpressionJepa) -> Patch:
    """Make content pay: hide fewer modules of genes, or spread perturbed cells over more directions."""
    if not s.objective.moving_target:
        return more_spread(s)
    return more_directions(s) if s.task == "perturbation" else {"hidden_share": s.hidden_share / 2}


REMEDIES = Remedies(content_over_position)
