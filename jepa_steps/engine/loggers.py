"""Weights & Biases and MLflow, where they are asked for: the rows of ``record.Record`` once more.

Both find out by themselves where to send, from their own environment (WANDB_MODE, MLFLOW_TRACKING_URI).
What they cannot do never stops a training: the first fault is told, and the logger is dropped.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from ..errors import InputError
from ..files import atomic_write, read_json, write_json

# Seconds that W&B may upload after the last step, and that MLflow waits for one answer: other ranks wait
# with this one.
PATIENCE = 60


class Logger(Protocol):
    """One library, for one run."""

    def open(self, known: str | None, name: str, settings: dict[str, Any], folder: Path) -> str:
        """Begin a run, or go on with the one of the id ``known``; returns its id."""
        ...

    def last(self, table: str) -> int:
        """The last step of a table that the run had when it was opened, -1 for none."""
        ...

    def log(self, values: dict[str, float], step: int) -> None: ...

    def close(self) -> None: ...


class Wandb:
    """Weights & Biases. Offline each start has a folder of its own, which knows of no other: the newest
    is given the whole history."""

    def open(self, known: str | None, name: str, settings: dict[str, Any], folder: Path) -> str:
        """See ``Logger``; offline files go into ``folder``."""
        import wandb

        # What a training prints stays its own.
        quiet = wandb.Settings(console="off", finish_timeout=PATIENCE)
        found = {"id": known, "resume": "allow", "name": name, "config": settings}
        self._run = wandb.init(dir=str(folder), settings=quiet, **found)
        self._last = self._run.step - 1
        return self._run.id

    def last(self, table: str) -> int:
        return self._last

    def log(self, values: dict[str, float], step: int) -> None:
        self._run.log(values, step=step)

    def close(self) -> None:
        self._run.finish()


class Mlflow:
    """MLflow; settings become its parameters, ``optimizer.lr`` and so on."""

    def open(self, known: str | None, name: str, settings: dict[str, Any], folder: Path) -> str:
        """See ``Logger``; where it writes is the environment's to say."""
        # Its own are two minutes, seven times over.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(PATIENCE))
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        import mlflow

        self._library = mlflow
        self._run = mlflow.start_run(run_id=known, run_name=name)
        if known is None:
            mlflow.log_params(_flat(settings))
        return self._run.info.run_id

    def last(self, table: str) -> int:
        of_table = [key for key in self._run.data.metrics if key.startswith(f"{table}/")]
        history = self._library.MlflowClient().get_metric_history
        return max(
            (m.step for key in of_table[:1] for m in history(self._run.info.run_id, key)), default=-1
        )

    def log(self, values: dict[str, float], step: int) -> None:
        self._library.log_metrics(values, step=step)

    def close(self) -> None:
        self._library.end_run()


LOGGERS: dict[str, type[Logger]] = {"wandb": Wandb, "mlflow": Mlflow}


def chosen(text: str) -> tuple[str, ...]:
    """The loggers in a list with commas; none in "".

    Raises:
        InputError: one that is unknown or not installed.
    """
    names = tuple(dict.fromkeys(filter(None, text.split(","))))
    for name in names:
        if name not in LOGGERS:
            raise InputError(f"--loggers: found {name!r}, expected some of {', '.join(LOGGERS)}")
        spec = find_spec(name)
        # A folder of that name, such as W&B itself makes, is no library.
        if spec is None or spec.origin is None:
            raise InputError(f"--loggers: {name} is not installed; pip install 'jepa-steps[{name}]'")
    return names


class Loggers:
    """The loggers of a run. ``loggers.json`` in the run folder keeps its id in each of them, so that a
    training that goes on from a checkpoint goes on with the same run.

    Args:
        names: of ``LOGGERS``. folder: run folder. run: the run's name. settings: plain.
    """

    def __init__(self, names: Sequence[str], folder: Path, run: str, settings: dict[str, Any]):
        self._ids, self._run, self._settings = folder / "loggers.json", run, settings
        self._loggers: dict[str, Logger] = {name: LOGGERS[name]() for name in names}
        self._last: dict[str, dict[str, int]] = {}

    def open(self, tables: Iterable[str]) -> None:
        """Begin the run, or go on with it."""
        if not self._loggers:
            return
        ids = read_json(self._ids) if self._ids.is_file() else {}

        def begin(name: str, logger: Logger) -> None:
            ids[name] = logger.open(ids.get(name), self._run, self._settings, self._ids.parent)
            self._last[name] = {table: logger.last(table) for table in tables}

        self._each(begin)
        atomic_write(self._ids, lambda temporary: write_json(temporary, ids))

    def write(self, table: str, row: dict[str, Any]) -> None:
        """Send a row of metrics, validation or timing, each column as table/column; not to a run that
        had it before this start."""
        values = {f"{table}/{name}": value for name, value in row.items() if name != "step"}

        def send(name: str, logger: Logger) -> None:
            if row["step"] > self._last[name][table]:
                logger.log(values, row["step"])

        self._each(send)

    def close(self) -> None:
        """Send what is left, and end the runs."""
        self._each(lambda name, logger: logger.close())

    def _each(self, action: Callable[[str, Logger], None]) -> None:
        """Do something with every logger, and drop those that fail."""
        for name, logger in list(self._loggers.items()):
            try:
                action(name, logger)
            except Exception as error:
                reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
                print(f"{name}: {reason}; training goes on without this logger", flush=True)
                del self._loggers[name]


def _flat(settings: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Settings of nested blocks by names with dots."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        inside = isinstance(value, dict) and value
        found |= _flat(value, f"{before}{name}.") if inside else {f"{before}{name}": value}
    return found
