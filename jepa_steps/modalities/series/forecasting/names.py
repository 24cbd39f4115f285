"""What methods and errors of forecasts are called."""

METRICS = {"mse": "MSE", "mae": "MAE", "mase": "MASE"}
"""Mean squared error and mean absolute error, both in units of the training part's deviation; and the
mean absolute error over that of the seasonal forecast one season ahead on the training part (Hyndman &
Koehler 2006). Lower is better."""
_NAMES = {
    "embedding": "ridge on the embedding",
    "ridge_past": "ridge on the raw past",
    "untrained": "ridge on the untrained encoder",
    "last_value": "last value",
    "last_season": "last season",
    "mean": "training mean",
}


def title(method: str) -> str:
    """A method's name as tables and figures have it."""
    return _NAMES[method]
