"""What an encoder of videos knows of motion: predicted later frames, and the motion controls."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from ...data.probed import resampled_by
from ...data.splits import read_splits
from ...device import judging_device
from ...errors import InputError
from ...metrics.comparison import FEWEST_GROUPS, how_many
from ...metrics.errors_compared import judge, summary
from ...model.export import load_encoder
from ..contract import Evaluation
from .future import LAST, LINE, MEAN, MODEL, Future, predicted_future
from .motion import CLIP, FRAME, motion
from .motion_figure import evaluation_figure
from .settings import Evaluate
from .store import open_store
from .training import UntrainedVideo, VideoJepa

BASELINES = [LAST, LINE, MEAN]


def predicts(train: object) -> bool:
    """Whether there are frames in order to ask about: of trained encoders, and of untrained ones for the
    motion controls."""
    return isinstance(train, VideoJepa | UntrainedVideo)


def evaluate(
    train: VideoJepa | UntrainedVideo,
    description: dict[str, Any],
    folder: Path,
    data: Path,
    settings: Evaluate,
) -> Evaluation | str:
    """Errors of predicted later frames beside those of predictions without a model, and accuracies of
    probes on changed clips; or why there is neither.

    Raises:
        InputError: the encoder was trained on other data, or a horizon is beyond the clips.
    """
    store = open_store(data)
    table = resampled_by(read_splits(data / "splits.csv"), FEWEST_GROUPS)
    if store.manifest["sha256"] != description["data_sha256"]:
        raise InputError(f"{folder}: trained on other data than {data} holds now; train it again")
    torch.set_num_threads(settings.threads)
    future, why = None, "no predictor was trained"
    if isinstance(train, VideoJepa) and train.objective.level == "tokens":
        future, why = predicted_future(train, folder, store, settings), "clips have too few times"
    with threadpool_limits(settings.threads):
        controls = motion(load_encoder(folder, judging_device()), store, table, settings)
    if future is None and isinstance(controls, str):
        return f"no later frames to predict ({why}), and no motion controls ({controls})"
    test = len(np.unique(table.groups[store.rows("test")]))
    result = _result(future, controls, how_many(test, f"test {table.unit}"), settings)
    if future is not None:
        result |= _of_future(future, table.groups[future.rows], settings)
    if not isinstance(controls, str):
        _add_controls(result, controls)
    predicted = np.empty((0, 0), np.float32) if future is None else future.predicted
    figure = evaluation_figure(future, controls)
    return Evaluation(result, ["method", "column", "clip", "error"], _rows(future), predicted, figure)


def _result(
    future: Future | None, controls: dict[str, Any] | str, over: str, settings: Evaluate
) -> dict[str, Any]:
    return {
        "task": "motion" if future is None else "future",
        "leaky": False,
        "methods": {},
        "verdicts": [],
        "controls": controls,
        "interval": f"95 % bootstrap over {over}; {settings.bootstrap} resamples; verdicts corrected "
        "for their number by Holm",
    }


def _of_future(future: Future, units: np.ndarray, settings: Evaluate) -> dict[str, Any]:
    columns, resamples = dict.fromkeys(future.errors[MODEL], units), (settings.bootstrap, settings.seed)
    found: dict[str, Any] = {
        "held_out": how_many(len(future.rows), "clip"),
        "past": future.past,
        "horizons": list(future.horizons),
        "methods": {
            name: {column: summary(v, units, *resamples) for column, v in values.items()}
            for name, values in future.errors.items()
        },
        "verdicts": [
            {"metric": row.pop("column"), **row}
            for row in judge(future.errors, MODEL, BASELINES, columns, *resamples)
        ],
    }
    return {**found, "persistence": future.persistence} if future.persistence else found


def _add_controls(result: dict[str, Any], controls: dict[str, Any]) -> None:
    judged = {name: found for name, found in controls.items() if "scores" in found}
    result["verdicts"] += [_verdict(name, found) for name, found in judged.items()]
    if "label" in judged:
        result["motion"] = {"n": judged["label"]["n"]["test"], **_seen(judged["label"])}
    most = max((found["n"]["test"] for found in judged.values()), default=0)
    result.setdefault("held_out", how_many(most, "clip"))


def _verdict(name: str, found: dict[str, Any]) -> dict[str, Any]:
    """The whole clip against one frame, as a row beside those of predicted frames."""
    return {
        "metric": f"clip over frame: {name}",
        "model": found["scores"][CLIP]["accuracy"],
        "best_baseline": FRAME,
        "baseline": found["scores"][FRAME]["accuracy"],
        **found["clip_less_frame"],
    }


def _seen(found: dict[str, Any]) -> dict[str, Any]:
    scores, less = found["scores"], found["clip_less_frame"]
    return {
        "clip": scores[CLIP]["accuracy"],
        "frame": scores[FRAME]["accuracy"],
        **{name: less[name] for name in ("difference", "low", "high", "verdict")},
    }


def _rows(future: Future | None) -> Iterator[list[object]]:
    """A row per method, horizon and test clip."""
    for name, values in (future.errors if future else {}).items():
        for column, errors in values.items():
            for row, error in zip(future.rows.tolist(), errors, strict=True):
                yield [name, column, row, repr(float(error))]
