"""Learning rate and EMA momentum as pure functions of the optimizer step."""

import math


def warmup_cosine(step: int, steps: int, warmup: int, floor: float) -> float:
    """Factor on the peak learning rate at ``step`` (0-based) of ``steps``.

    Linear warm-up reaches 1 at its last step and starts at 1/warmup, never at 0; the cosine ends
    at ``floor``, a ratio of the peak (Loshchilov & Hutter 2017).
    """
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup + 1) / max(steps - warmup, 1)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))


def linear(step: int, steps: int, start: float, end: float) -> float:
    """From ``start`` at step 0 to ``end`` at the last step."""
    return start + (end - start) * step / max(steps - 1, 1)
