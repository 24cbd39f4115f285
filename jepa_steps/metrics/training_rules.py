"""Rules on the course of training; each names one fault, or none."""

import math

import numpy as np

from . import remedies
from .evidence import Evidence, Finding, Limits

_AS_INITIAL = 0.9  # share of tensors; training moves all but a few
# Loss of predicting zero for a layer-normed target: means of x^2, |x|, smooth_l1(x); x standard normal.
_ZERO = {"l2": 1.0, "l1": 0.798, "smooth_l1": 0.425}


def initial_weights(e: Evidence, limits: Limits) -> Finding | None:
    """Published weights that were never trained, or never loaded where they were saved."""
    if e.weights is None or e.weights["as_initial"] < _AS_INITIAL * e.weights["tensors"]:
        return None
    return Finding(
        "initial weights",
        "error",
        f"{e.weights['as_initial']} of {e.weights['tensors']} tensors have the mean and spread of "
        f"freshly initialised ones, within sampling error (limit {_AS_INITIAL:.0%})",
        "These weights look as if they had been drawn at random. Check how the folder was made: a "
        "conversion that does not recognise any key saves the initial weights.",
        {},
    )


def nan_loss(e: Evidence, limits: Limits) -> Finding | None:
    """Batches that gave no finite loss or gradient."""
    skipped, steps = e.history.get("skipped", []), e.history.get("step", [])
    if not skipped or skipped[-1] <= _allowed(e.settings, steps[-1]):
        return None
    starts = [0.0, *steps[:-1]]
    rows = zip(starts, steps, np.diff([0.0, *skipped]), strict=True)
    where = [f"{a:g} to {b:g}" for a, b, more in rows if more > 0]
    places = ", ".join(where[:5]) + (f" and {len(where) - 5} more" if len(where) > 5 else "")
    return Finding(
        "NaN loss",
        "error" if skipped[-1] > 0.01 * steps[-1] else "warning",
        f"{skipped[-1]:g} batches without a finite loss or gradient were skipped, in addition to "
        f"{steps[-1]:g} steps (between steps {places})",
        "Lower the learning rate and clip gradients harder. With half precision, try float32. If the "
        "same samples cause it each time, look at them.",
        e.patch(remedies.slower, remedies.full_precision),
    )


def _allowed(s: remedies.Settings | None, steps: float) -> float:
    """Batches that the search for the loss scale of fp16 passes over in a sound run."""
    return 10 + steps / 1000 if s is not None and s.precision == "fp16" else 0


def divergence(e: Evidence, limits: Limits) -> Finding | None:
    """A loss that ends far above its minimum and above where it began."""
    loss, s = e.history.get("loss", []), e.settings
    if len(loss) < 5:
        return None
    end, least = _end(loss), min(loss)
    # A moving target may take the loss up again after its first drop, but not above predicting zero.
    moving = s is not None and "ema_target" in s.objective.kind
    above = max(loss[0], _ZERO[s.objective.distance]) if moving else loss[0]
    if end <= limits.divergence * least or end <= above:
        return None
    at = e.history["step"][int(np.argmin(loss))]
    return Finding(
        "divergence",
        "error",
        f"the loss ends at {end:.3g}, {end / least:.1f} times its minimum {least:.3g} at step {at:g} "
        f"(limits: {limits.divergence:g} times, and a loss of {above:.3g}; {len(loss)} rows)",
        "Lower the learning rate, lengthen the warm-up and clip gradients harder.",
        e.patch(remedies.slower),
    )


_NONE_KNOWN = "No setting is known to mend this. More steps helped in some runs and not in others."


def no_learning(e: Evidence, limits: Limits) -> Finding | None:
    """Embeddings no better than the untrained encoder's, or worse; without labels, a loss that stays."""
    loss = e.history.get("loss", [])
    if loss and e.history["step"][-1] < limits.steps:  # under-trained: too early to say
        return None
    probes = [row["probe"] for row in e.snapshots if row.get("probe") is not None]
    if e.finished and len(probes) > 1 and (1 - probes[0]) * e.probe_n >= 10:  # room for better
        return _no_gain(e, probes[0], probes[-1])
    if len(loss) < 5 or not e.past_half or _end(loss) <= (1 - limits.loss_drop) * max(loss[:3]):
        return None
    patch = e.patch(e.calmer) if e.calmer else {}
    evidence = (
        f"the loss is {max(loss[:3]):.3g} in the first rows and {_end(loss):.3g} in the last (limit: "
        f"a drop of {limits.loss_drop:.0%}; {len(loss)} rows, {e.history['step'][-1]:g} steps)"
    )
    advice = "The loss does not fall. " + (
        "Steps are too large: lower the learning rate."
        if patch
        else f"{_NONE_KNOWN} Check the learning rate, the samples and what is hidden."
    )
    return Finding("no learning", "warning", evidence, advice, patch)


def _no_gain(e: Evidence, first: float, last: float) -> Finding | None:
    """A probe on val that does not rise by its standard error, or falls by it."""
    error = _standard_error(first, last, e.probe_n)
    if last - first > error:
        return None
    patch = e.patch(e.calmer or e.remedies.two_views)
    if not patch:
        fix = (
            f"{_NONE_KNOWN} Look at the masks and samples in the report, and try another task or "
            "objective."
        )
    else:
        fix = "Lower the learning rate." if e.calmer else "Compare two views instead of tokens."
    n = f"(standard error of the difference {error:.3f}, n = {e.probe_n})"
    probe = "a probe of the label on val"
    if first - last <= error:
        evidence = f"{probe} scores {last:.3f} at the end and {first:.3f} before training {n}"
        advice = f"Training did not make the embeddings better. {fix}"
        return Finding("no learning", "warning", evidence, advice, patch)
    evidence = f"{probe} falls from {first:.3f} before training to {last:.3f} at the end {n}"
    severity = "error" if first - last > 2 * error else "warning"
    advice = f"Training made the embeddings worse. {fix}"
    return Finding("worse than untrained", severity, evidence, advice, patch)


def overfitting(e: Evidence, limits: Limits) -> Finding | None:
    """A validation loss that moves away from the training loss.

    Compares growth, not levels: a moving target moves both losses.
    """
    ratio = _validation_over_training(e)
    third = len(ratio) // 3
    if len(ratio) < 4:
        return None
    early, late = float(np.median(ratio[:third])), float(np.median(ratio[-third:]))
    growth = late / max(1.0, early)
    if growth <= limits.overfitting:
        return None
    steps = e.validation["step"]
    return Finding(
        "overfitting",
        "warning",
        f"validation loss divided by training loss is {early:.2f} up to step {steps[third - 1]:g} and "
        f"{late:.2f} from step {steps[-third]:g} on (limit {limits.overfitting:g} times; {len(ratio)} "
        "validations)",
        "The encoder memorises the training samples. Use more weight decay or stronger augmentation, or "
        "export an earlier encoder with select.",
        e.patch(e.remedies.more_regularisation),
    )


def _validation_over_training(e: Evidence) -> list[float]:
    """Loss on val over the loss of the training rows up to each validation."""
    at = np.array(e.history.get("step", []))
    result = []
    for step, value in zip(e.validation.get("step", []), e.validation.get("val_loss", []), strict=False):
        row = int((at <= step).sum()) - 1
        if row >= 0 and e.history["loss"][row] > 0:
            result.append(value / e.history["loss"][row])
    return result


def small_batch(e: Evidence, limits: Limits) -> Finding | None:
    """Variance and covariance terms over too few samples."""
    s = e.settings
    if s is None or not s.objective.regularised or s.batch_size >= limits.batch:
        return None
    return Finding(
        "small batch",
        "warning",
        f"{s.objective.kind} measures variance and covariance over {s.batch_size} samples (limit "
        f"{limits.batch}); a std measured on them is off by {1 / math.sqrt(2 * (s.batch_size - 1)):.0%}",
        "The terms that keep embeddings apart are mostly noise on so few samples. Use a larger batch; "
        "if it does not fit into memory, set accumulate.",
        e.patch(remedies.more_samples),
    )


def under_trained(e: Evidence, limits: Limits) -> Finding | None:
    """A run that ended before its encoder had settled."""
    if not e.finished or not e.history.get("step"):
        return None
    steps, s = e.history["step"][-1], e.settings
    epochs = e.history["epoch"][-1] if "epoch" in e.history else math.inf
    reasons, factor = [], 2.0
    if steps < limits.steps:
        reasons.append(f"training took {steps:g} steps (limit {limits.steps})")
        factor = 2 * limits.steps / steps
    if epochs < 1:
        reasons.append(f"training made {epochs:.2g} passes over the samples (limit: 1)")
        factor = max(factor, 2 / epochs)
    initial = _initial_share(s) if s is not None else 0.0
    if initial > limits.initial_share:
        reasons.append(f"the moving average still holds {initial:.0%} of the initial weights")
        factor = max(factor, math.log(limits.initial_share) / math.log(initial))
    reasons += _still_improving(e, limits)
    if not reasons:
        return None
    return Finding(
        "under-trained",
        "warning",
        "; ".join(reasons),
        "Train longer" + (", or let the moving average follow faster." if initial else "."),
        e.patch(lambda s: remedies.longer(s, factor)),
    )


def _initial_share(s: remedies.Settings) -> float:
    """Weight of the initial encoder in the moving average at the end; 0 without one."""
    if "ema_target" not in s.objective.kind:
        return 0.0
    momentum = np.linspace(*s.objective.ema_momentum, s.steps)
    return float(np.exp(np.log(momentum.clip(min=1e-300)).sum()))


def _still_improving(e: Evidence, limits: Limits) -> list[str]:
    """Texts on what was getting better in the last quarter."""
    found, loss = [], e.history.get("loss", [])
    probes = [row["probe"] for row in e.snapshots if row.get("probe") is not None]
    if len(probes) > 2:
        error = _standard_error(probes[-2], probes[-1], e.probe_n)
        if probes[-1] - probes[-2] > 3 * error:
            found.append(
                f"the probe on val rose from {probes[-2]:.3f} to {probes[-1]:.3f} in the last quarter "
                f"(standard error {error:.3f}, n = {e.probe_n})"
            )
    if len(loss) >= 20:
        quarter, width = len(loss) * 3 // 4, max(2, len(loss) // 10)
        before, end = float(np.mean(loss[quarter - width : quarter])), _end(loss)
        whole = max(loss[:3]) - end
        # of the difference of two means of ``width`` rows; neighbouring rows differ by noise alone
        error = float(np.std(np.diff(loss[len(loss) // 2 :]))) / math.sqrt(width)
        if before - end > max(limits.still_falling * whole, 4 * error):
            found.append(
                f"the loss fell from {before:.3g} to {end:.3g} in the last quarter, "
                f"{(before - end) / whole:.0%} of its whole fall (limit {limits.still_falling:.0%}; "
                f"{len(loss)} rows)"
            )
    return found


def _end(loss: list[float]) -> float:
    """Mean of the last tenth, at least of two rows."""
    return float(np.mean(loss[-max(2, len(loss) // 10) :]))


def _standard_error(a: float, b: float, n: int) -> float:
    """Of the difference of two accuracies on n samples, taken as independent (an upper bound)."""
    return math.sqrt(max(a * (1 - a) + b * (1 - b), 1 / n) / n) if n else math.inf
