"""Small drawings inside the page: intervals on a common scale, as inline SVG in the page's colours."""

from collections.abc import Iterable

from markupsafe import Markup

_WIDTH = 120


def reach(values: Iterable[float]) -> float:
    """Half-width of an axis around 0 that holds all values, on a round number from 2 to 100."""
    most = max((abs(v) for v in values), default=1.0)
    return next((float(s) for s in (2, 5, 10, 20, 50) if s >= most), 100.0)


def difference(low: float, point: float, high: float, half: float, says: str) -> Markup:
    """An interval around a difference, 0 in the middle, the axis from -half to half; what lies
    beyond is drawn at its end."""
    x = [_WIDTH / 2 * (1 + max(-1.0, min(1.0, v / half))) for v in (low, point, high)]
    return Markup(
        '<svg class="mark {}" viewBox="-5 0 130 14" width="130" height="14" aria-hidden="true">'
        '<line class="axis" x1="0" x2="120" y1="7" y2="7"/><line class="zero" x1="60" x2="60" y1="0" '
        'y2="14"/><line class="interval" x1="{:.1f}" x2="{:.1f}" y1="7" y2="7"/>'
        '<circle cx="{:.1f}" cy="7" r="4"/></svg>'
    ).format(says, x[0], x[2], x[1])


def accuracy(low: float | None, value: float, high: float | None, start: float, trained: bool) -> Markup:
    """An accuracy with its interval, where there is one, on an axis from ``start`` to 1."""
    low, high = (value, value) if low is None or high is None else (low, high)
    x = [_WIDTH * max(0.0, min(1.0, (v - start) / (1 - start))) for v in (low, value, high)]
    return Markup(
        '<svg class="mark {}" viewBox="-5 0 130 14" width="130" height="14" aria-hidden="true">'
        '<line class="axis" x1="0" x2="120" y1="7" y2="7"/>'
        '<line class="interval" x1="{:.1f}" x2="{:.1f}" y1="7" y2="7"/>'
        '<circle cx="{:.1f}" cy="7" r="4"/></svg>'
    ).format("trained" if trained else "floor", x[0], x[2], x[1])


def start(lows: list[float]) -> float:
    """Where an axis of accuracies begins: below all of them, on a tenth."""
    return min(0.9, max(0.0, int(10 * min(lows, default=0.0)) / 10))
