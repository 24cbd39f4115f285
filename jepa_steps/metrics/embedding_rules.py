"""Rules on embeddings: each takes the evidence and the thresholds, and names one fault or none."""

import numpy as np

from . import remedies, spectrum
from .evidence import Evidence, Finding, Limits
from .nuisance import nuisance_share


def collapse(e: Evidence, limits: Limits) -> Finding | None:
    """All embeddings nearly equal."""
    if e.pooled is None or e.pooled["relative_spread"] >= limits.relative_spread:
        return None
    where = e.occurrences("relative_spread", lambda v: v < limits.relative_spread)
    return Finding(
        "collapse",
        "error",
        f"embeddings spread around their mean by {e.pooled['relative_spread']:.2g} of their norm "
        f"(limit {limits.relative_spread:g}, n = {e.pooled['n']}){where}{_overshoot(e)}",
        "The encoder gives all samples nearly the same embedding. Strengthen the part of the objective "
        "that keeps embeddings apart, on batches that are large enough for it.",
        _calmer(e, remedies.more_spread),
    )


def positional_collapse(e: Evidence, limits: Limits) -> Finding | None:
    """Tokens that code where they are, not what they show."""
    if e.tokens is None or e.tokens["position_share"] <= limits.position_share:
        return None
    where = e.occurrences("position_share", lambda v: v > limits.position_share)
    return Finding(
        "positional collapse",
        "error",
        f"position alone explains {e.tokens['position_share']:.1%} of the token variance (limit "
        f"{limits.position_share:.0%}, n = {e.tokens['samples']} samples, {e.tokens['n']} tokens)"
        f"{where}",
        "The encoder encodes where a token is, not what it shows. Hide less, so that the content of "
        "hidden tokens can be predicted from the context, or compare whole views.",
        e.patch(e.remedies.content_over_position),
    )


def temporal_collapse(e: Evidence, limits: Limits) -> Finding | None:
    """Tokens of one sample that are equal over time, beside a code of their place, while samples
    differ."""
    if e.tokens is None or e.remedies.equal_over_time is None or e.tokens["n"] <= e.tokens["samples"]:
        return None
    position, sample = e.tokens["position_share"], e.tokens["sample_share"]
    if position > limits.position_share or sample <= 0:
        return None
    over_time = max(0.0, 1 - position - sample) / (1 - position)
    if over_time >= limits.time_share:
        return None
    pooled = e.settings is not None and e.settings.objective.level == "pooled"
    return Finding(
        "temporal collapse",
        "warning" if pooled else "error",
        f"{over_time:.2%} of the token variance that position does not explain lies within samples, "
        f"over time (limit {limits.time_share:.0%}); differences of samples make up {sample:.0%} of all "
        f"token variance (n = {e.tokens['samples']} samples, {e.tokens['n']} tokens){e.when}",
        "The tokens of a sample are nearly the same at all times. This does no harm to their mean, but "
        "it does to forecasts. Predict hidden time instead of comparing whole views, or hide more time.",
        e.patch(e.remedies.equal_over_time),
    )


def rank_k_collapse(e: Evidence, limits: Limits) -> Finding | None:
    """Embeddings that lie in a subspace of k directions."""
    if e.singular_values is None or e.ranks is None:
        return None
    width, k = _width(e.ranks), spectrum.directions(np.asarray(e.singular_values))
    most = limits.subspace_share * width
    if width < 4 or k > most or k == 0:  # 0: equal rows, which is collapse
        return None
    where = e.occurrences("directions", lambda v: 0 < v <= most)
    return Finding(
        "rank-k collapse",
        "error",
        f"k = {k} of {width} directions hold 99.999 % of the variance (limit "
        f"{limits.subspace_share:.0%} of them, n = {e.ranks['n']}){e.when}{where}{_overshoot(e)}",
        "Embeddings do not vary beyond k directions. Decorrelate the dimensions, or lower the learning "
        "rate.",
        _calmer(e, remedies.more_directions),
    )


def dimensional_collapse(e: Evidence, limits: Limits) -> Finding | None:
    """Few directions carry nearly all the variance."""
    if e.ranks is None:
        return None
    rank, width = e.ranks["centred"]["effective_rank"], _width(e.ranks)
    if rank is None or rank >= limits.rank_share * width:  # None: too few rows to say
        return None
    where = e.occurrences("effective_rank", lambda v: v < limits.rank_share * width)
    few = "" if e.ranks["trust"] == "ok" else ", few rows for this width"
    return Finding(
        "dimensional collapse",
        "error",
        f"effective rank {rank:.1f} of {width} (limit {limits.rank_share:.0%}, n = {e.ranks['n']}"
        f"{few}){where}{_overshoot(e)}",
        "A few directions carry nearly all variance. Strengthen the covariance term, or let the target "
        "encoder follow faster.",
        _calmer(e, remedies.more_directions),
    )


def high_correlation(e: Evidence, limits: Limits) -> Finding | None:
    """Dimensions that repeat each other."""
    if e.pooled is None or e.pooled["mean_abs_correlation"] <= limits.correlation:
        return None
    where = e.occurrences("mean_abs_correlation", lambda v: v > limits.correlation)
    return Finding(
        "high correlation",
        "warning",
        f"two dimensions correlate by {e.pooled['mean_abs_correlation']:.2f} on average and by "
        f"{e.pooled['max_abs_correlation']:.2f} at most (limit of the average {limits.correlation:g}, "
        f"n = {e.pooled['n']}){e.when}{where}",
        "Dimensions repeat each other. Strengthen the covariance term, or let the target encoder follow "
        "faster.",
        _calmer(e, remedies.more_directions),
    )


def dead_dimensions(e: Evidence, limits: Limits) -> Finding | None:
    """Dimensions that hardly vary."""
    if e.pooled is None or e.pooled["dead_share"] <= limits.dead_share:
        return None
    dead = e.pooled["dead_share"]
    where = e.occurrences("dead_share", lambda v: v > limits.dead_share)
    return Finding(
        "dead dimensions",
        "warning",
        f"{dead:.0%} of the dimensions have a std under a tenth of the median (limit "
        f"{limits.dead_share:.0%}, n = {e.pooled['n']}); smallest std {e.pooled['min_std']:.2g}, "
        f"mean {e.pooled['mean_std']:.2g}{where}",
        "These dimensions carry no information. Strengthen the variance term, or use a smaller width.",
        e.patch(lambda s: remedies.fewer_dimensions(s, dead)),
    )


def nuisance_dominated(e: Evidence, limits: Limits) -> Finding | None:
    """Embeddings that tell the batch rather than the label."""
    if e.nuisance is None:
        return None
    share, label = nuisance_share(e.nuisance), e.nuisance["label_share"]
    most = max(limits.nuisance_share, label or 0.0)
    if share is None or share <= most:
        return None
    where = e.occurrences("nuisance_share", lambda v: v > most)
    beside = (
        "" if label is None else f" among samples of one label; the label explains {label:.0%} of all"
    )
    return Finding(
        "nuisance-dominated embeddings",
        "warning",
        f"{_named(e.nuisance)} explains {share:.0%} of the variance{beside} (limit: the larger of "
        f"{limits.nuisance_share:.0%} and the label's share; corrected for chance, "
        f"n = {e.nuisance['n']}, {e.nuisance['groups']} groups){e.when}{where}",
        "Embeddings encode the group or batch of a sample more strongly than what it is. Use "
        "augmentation that varies what groups differ in, or remove these differences when preparing the "
        "data.",
        e.patch(e.remedies.vary_nuisance),
    )


def condition_ignored(e: Evidence, limits: Limits) -> Finding | None:
    """Predictions that do not depend on the condition."""
    if e.conditions is None:
        return None
    predicted, target = e.conditions["predicted_share"], e.conditions["target_share"]
    if target is None or target <= 0 or (predicted or 0.0) >= limits.condition_ratio * target:
        return None
    return Finding(
        "condition ignored",
        "error",
        f"the condition explains {predicted or 0.0:.2%} of the variance of the predictions and "
        f"{target:.2%} of the variance of the targets (limit: {limits.condition_ratio:g} of the latter; "
        f"n = {e.conditions['inputs']} inputs x {e.conditions['conditions']} conditions, "
        f"{e.conditions['targets']} targets){e.when}",
        "The predictor predicts nearly the same for every condition. Give it more depth, and check that "
        "the labels of the conditions are right: mixed-up labels teach it to ignore them.",
        e.patch(remedies.deeper_predictor),
    )


def persistence(e: Evidence, limits: Limits) -> Finding | None:
    """Predictions of the future no better than repeating the last embedding of the past."""
    if e.persistence is None:
        return None
    predicted, repeated = e.persistence["predicted"], e.persistence["repeated"]
    if predicted < limits.persistence_ratio * repeated:
        return None
    return Finding(
        "persistence",
        "error",
        f"the distance to the embeddings of the future is {predicted:.3f} from the predictions and "
        f"{repeated:.3f} from the last embedding of the past (limit: {limits.persistence_ratio:g} of "
        f"the latter; 0 = equal, 2 = nothing in common; n = {e.persistence['n']} test samples){e.when}",
        "The predictor is no better than repeating the present. Give it more depth, and train longer.",
        e.patch(remedies.deeper_predictor, lambda s: remedies.longer(s, 2.0)),
    )


def no_motion(e: Evidence, limits: Limits) -> Finding | None:
    """A probe of whole clips that is no better than one of single frames."""
    if e.motion is None or e.remedies.equal_over_time is None:
        return None
    if e.motion["verdict"] not in ("ties", "below"):
        return None
    m = e.motion
    return Finding(
        "no motion",
        "warning",
        f"a probe of whole clips has an accuracy of {m['clip']:.1%}, a probe of single frames "
        f"{m['frame']:.1%} (difference {100 * m['difference']:+.1f} points, 95 % interval "
        f"{100 * m['low']:+.1f} to {100 * m['high']:+.1f}; n = {m['n']} test clips){e.when}",
        "Single frames predict the labels as well as whole clips. Either the labels do not depend on "
        "motion, or the encoder does not encode motion. If they do depend on it, predict later frames, "
        "use longer tubelets, or train longer.",
        e.patch(e.remedies.equal_over_time),
    )


def _named(nuisance: dict) -> str:
    """What embeddings should not tell, by its name where it has one of its own."""
    name = nuisance.get("name", "group")
    return "the group" if name == "group" else f"{name!r}"


def _overshoot(e: Evidence) -> str:
    return f"; single steps moved the weights by up to {e.overshoot:.0%}" if e.overshoot else ""


def _calmer(e: Evidence, build: remedies.Remedy) -> dict:
    """The remedy, with a lower learning rate where steps were too large."""
    return e.patch(build, e.calmer) if e.calmer else e.patch(build)


def _width(ranks: dict) -> int:
    """Directions that n rows of D dimensions can span around their mean."""
    return max(1, min(ranks["dim"], ranks["n"] - 1))
