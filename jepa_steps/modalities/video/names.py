"""What predictions and motion controls are called."""

_NAMES = {
    "predictor": "predictor",
    "copy_last": "last frame again",
    "linear": "line through two",
    "mean": "training mean",
    "clip": "whole clip",
    "one_frame": "one frame",
    "shuffled": "shuffled",
    "backwards": "backwards",
    "majority": "majority",
}


def title(method: str) -> str:
    """A method's or control's name as tables and figures have it."""
    return _NAMES[method]
