"""The record of a run: ``metrics.csv`` and ``validation.csv`` (what was learned, reproducible to the
byte) and ``timing.csv`` (how fast, not reproducible); TensorBoard and ``loggers`` are views of them."""

import csv
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from ..files import atomic_write, read_numbers
from .distributed import World
from .loggers import Loggers

TABLES = ("metrics", "validation", "timing")


class Means:
    """Means of scalars over the steps of a log interval, summed on the device without waiting."""

    def __init__(self):
        self._sums: dict[str, Tensor] = {}
        self._count = 0

    def add(self, values: dict[str, Tensor]) -> None:
        """Add one step's values, scalars on the device."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0) + value
        self._count += 1

    def loss(self) -> float:
        """The mean loss of this rank since the last row; one device transfer."""
        return float(self._sums["loss"]) / self._count

    def take(self, world: World) -> dict[str, float]:
        """Means over steps and ranks, and start again; one device transfer."""
        sums = world.total(torch.stack([value.double() for value in self._sums.values()]))
        means = (sums / self._count / world.size).tolist()
        row = dict(zip(self._sums, means, strict=True))
        self._sums, self._count = {}, 0
        return row

    def state(self, world: World) -> dict[str, Any]:
        """What a checkpoint keeps: the sums of every rank. Every rank must call it."""
        sums = {name: world.gather(value) for name, value in self._sums.items()}
        return {"sums": sums, "count": self._count}

    def load(self, state: dict[str, Any], world: World) -> None:
        """Take over what ``state`` gave; as many ranks as before take their own, others the mean."""
        self._sums = {
            name: (parts[world.rank] if len(parts) == world.size else sum(parts) / len(parts)).to(
                world.device
            )
            for name, parts in state["sums"].items()
        }
        self._count = state["count"]


class Record:
    """Append rows to the tables in the run folder.

    On resume, rows after the checkpoint's step are dropped, so that the history has every step
    once. ``loggers`` are given the same rows, those of earlier starts first.
    """

    def __init__(self, folder: Path, resume_step: int, loggers: Loggers | None = None):
        self._paths = {name: folder / f"{name}.csv" for name in TABLES}
        for path in self._paths.values():
            _truncate(path, resume_step)
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=resume_step)
        self._loggers = loggers
        if loggers:
            loggers.open(TABLES)
            for name, row in _history(self._paths):
                loggers.write(name, row)

    def write(self, table: str, row: dict[str, Any]) -> None:
        """Add a row; its first column is ``step``. Floats keep all their digits."""
        path = self._paths[table]
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row), lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerow({k: repr(v) if isinstance(v, float) else v for k, v in row.items()})
        for name, value in row.items():
            if name != "step":
                self._board.add_scalar(f"{table}/{name}", value, row["step"])
        if self._loggers:
            self._loggers.write(table, row)

    def close(self) -> None:
        self._board.close()
        if self._loggers:
            self._loggers.close()


def _history(paths: dict[str, Path]) -> list[tuple[str, dict[str, Any]]]:
    """(table, row) of all tables, in the order of steps."""
    found = []
    for name, path in paths.items():
        columns = read_numbers(path) if path.exists() else {}
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        found += [(name, {**row, "step": int(row["step"])}) for row in rows]
    return sorted(found, key=lambda one: one[1]["step"])


def _truncate(path: Path, step: int) -> None:
    if not path.exists():
        return
    with path.open(newline="", encoding="utf-8") as file:
        lines = file.read().splitlines(keepends=True)
    # A row cut off by a kill has no line end; rows past the checkpoint will be written again.
    keep = [r for r in lines[1:] if r.endswith("\n") and int(r.split(",")[0]) <= step]
    if keep:
        text = "".join(lines[:1] + keep)
        atomic_write(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    else:
        path.unlink()


def say(bar: tqdm, line: str) -> None:
    """A line at once, above the bar where there is one."""
    if bar.disable:
        print(line, flush=True)
    else:
        bar.write(line)


def show(bar: tqdm, row: dict[str, Any], pace: dict[str, float], plain: bool) -> None:
    """The state of training: beside the bar on a terminal, else as a line now and then."""
    line = f"loss {row['loss']:.4f}, {pace['samples_per_second']:.0f} samples/s, MFU {pace['mfu']:.0%}"
    bar.set_postfix_str(line)
    if bar.disable and plain:
        say(bar, f"step {row['step']}/{bar.total}: {line}")
