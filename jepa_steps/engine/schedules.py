"""What changes over training, as pure functions of the optimizer step."""

import math

from ..config import JepaRun, Masks


def at(step: int, train: JepaRun) -> dict[str, float]:
    """Scheduled values of optimizer step ``step`` (0-based), by their columns in metrics.csv.

    lr: learning rate. weight_decay: of matrices. ema_momentum: of the target encoder.
    """
    o, steps = train.optimizer, train.steps
    warmup = round(o.warmup * steps)
    final = o.weight_decay if o.final_weight_decay is None else o.final_weight_decay
    return {
        "lr": o.lr * warmup_decay(step, steps, warmup, o.min_lr_ratio, o.schedule),
        "weight_decay": cosine(step, steps, o.weight_decay, final),
        "ema_momentum": linear(step, steps, *train.objective.ema_momentum),
    }


def target_blocks(step: int, steps: int, masks: Masks) -> dict[str, float]:
    """The curriculum of masks at ``step`` of ``steps``, by its columns in metrics.csv.

    mask_blocks (whole number), mask_scale_low, mask_scale_high: the target blocks to draw.
    """
    ramp = linear(step, round(masks.ramp * steps), 0.0, 1.0)
    first_blocks = masks.blocks if masks.first_blocks is None else masks.first_blocks
    first_scale = masks.scale if masks.first_scale is None else masks.first_scale
    return {
        "mask_blocks": round(first_blocks + ramp * (masks.blocks - first_blocks)),
        "mask_scale_low": first_scale[0] + ramp * (masks.scale[0] - first_scale[0]),
        "mask_scale_high": first_scale[1] + ramp * (masks.scale[1] - first_scale[1]),
    }


def warmup_decay(step: int, steps: int, warmup: int, floor: float, shape: str = "cosine") -> float:
    """Factor on the peak learning rate at ``step`` (0-based) of ``steps``.

    Linear warm-up reaches 1 at its last step and starts at 1/warmup, never at 0. After it, cosine
    (Loshchilov & Hutter 2017) and linear end at ``floor``, a ratio of the peak; constant stays at 1.
    """
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup + 1) / max(steps - warmup, 1)
    left = {
        "cosine": 0.5 * (1 + math.cos(math.pi * progress)),
        "linear": 1 - progress,
        "constant": 1.0,
    }[shape]
    return floor + (1 - floor) * left


def linear(step: int, steps: int, start: float, end: float) -> float:
    """From ``start`` at step 0 to ``end`` at the last of ``steps``, where it stays."""
    return start + (end - start) * min(step / max(steps - 1, 1), 1.0)


def cosine(step: int, steps: int, start: float, end: float) -> float:
    """From ``start`` at step 0 to ``end`` at the last of ``steps`` along half a cosine (DINO)."""
    progress = min(step / max(steps - 1, 1), 1.0)
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * progress))
