"""The training loop, read from top to bottom.

Everything random is a function of (seed, epoch, sample number) or (seed, batch number), so a
checkpoint holds tensors and a few numbers and nothing else.

A batch whose loss or gradient is not finite is passed over on every rank: ``step`` counts optimizer
steps and drives the schedules, ``step + guard.skipped`` numbers the batches.
"""

import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from ..config import JepaRun
from ..errors import InputError
from ..metrics import remedies
from ..modalities import optional_part, part
from ..modalities.contract import Store
from ..model.start import start
from . import checkpoint, memory, parallel, schedules
from .cost import facts, step_cost
from .determinism import make_deterministic
from .distributed import World
from .gradients import backward
from .guard import Guard
from .loggers import Loggers
from .optimizer import optimizers, schedule, update_ema
from .pace import Pace
from .precision import Precision
from .record import Means, Record, say, show
from .signals import leave, stop_on_signal
from .speed import Speed
from .starts import Starts
from .validation import Validation
from .verdicts import Verdicts
from .watch import Watch, columns

# The finished encoder is the snapshot at 1.
SNAPSHOTS = (0.0, 0.1, 0.25, 0.5, 0.75)


class Trainer:
    """State and step of one run.

    Args:
        train: validated settings.
        store: prepared data.
        folder: run folder, where checkpoints, snapshots and records live.
        world: this process among the ranks.

    Raises:
        InputError: a batch that does not divide into ranks and pieces.
    """

    def __init__(self, train: JepaRun, store: Store, folder: Path, world: World):
        parts = world.size * train.accumulate
        if train.batch_size % parts:
            raise InputError(
                f"batch_size: found {train.batch_size}, expected a multiple of {parts} "
                f"({world.size} processes x accumulate {train.accumulate})"
            )
        torch.set_num_threads(train.threads)
        if train.deterministic:
            make_deterministic(world.device)
        self.settings, self.folder, self.world = train, folder, world
        self.precision = Precision(train, world.device)
        modality = store.manifest["modality"]
        self.task = part(modality, "task").task(train, store, world)
        self.jepa = self.task.jepa
        if train.init:
            self.started = start(self.jepa.encoder, train)
            if self.jepa.target_encoder is not None:
                self.jepa.target_encoder.load_state_dict(self.jepa.encoder.state_dict())
        self.model = parallel.parallel(self.jepa, train, world, self.precision.name)
        self.optimizers = optimizers(self.jepa, train.optimizer)
        self.parameters = [p for p in self.jepa.parameters() if p.requires_grad]
        self.validation = Validation(train, store, self.task, folder, world, self.precision)
        self.guard = Guard(folder, train.skip_limit, train.diverged)
        self.verdicts = Verdicts(train, remedies.given_by(optional_part(modality, "remedies")))
        self.means, self.watch = Means(), Watch()
        self.step, self.update_to_weight, self.waited = 0, 0.0, 0.0
        self._next: tuple[int, int, tuple[Tensor, ...]] | None = None

    # ------------------------------------------------------------------------------- one step

    def batch(self, number: int, step: int) -> tuple[Tensor, ...]:
        """This rank's share of batch ``number``, as optimizer step ``step`` takes it."""
        start = time.perf_counter()
        batch = self.task.batch(number, step)
        self.waited += time.perf_counter() - start
        return batch

    def train_step(self) -> None:
        """One optimizer step, or one batch passed over; sums of the metrics stay on the device."""
        number = self.step + self.guard.skipped
        if self._next is None or self._next[:2] != (number, self.step):
            self._next = (number, self.step, self.batch(number, self.step))
        watched = self.step % self.settings.watch_every == 0
        self.jepa.watch = self.watch.add if watched else None
        loss, parts = self.gradient(self._next[2])
        # Drawn while an accelerator is still busy: the next line that reads a number waits for it.
        if self.step + 1 < self.settings.steps:
            self._next = (number + 1, self.step + 1, self.batch(number + 1, self.step + 1))
        norm = parallel.whole(
            torch.nn.utils.clip_grad_norm_(self.parameters, self.settings.optimizer.clip_norm)
        )
        finite = bool(torch.isfinite(loss + norm))
        self.watch.settle(finite)
        if finite:
            self.update()
            clipped = (norm > self.settings.optimizer.clip_norm).float()
            self.means.add({"loss": loss, **parts, "gradient_norm": norm, "clipped_share": clipped})
            self.step += 1
            self.guard.stepped()
        else:
            samples = self.task.samples(number)[1]
            self.guard.skip(self.step, float(loss), float(norm), samples)
        self.precision.update()

    def gradient(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, dict[str, Tensor]]:
        """Fill the gradients; (loss over all ranks, this rank's parts), detached."""
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        pieces = self.settings.accumulate
        loss, parts = backward(self.model, self.jepa, batch, self.step, pieces, self.precision)
        self.precision.unscale(self.optimizers)
        return self.world.total(loss) / self.world.size, parts

    def update(self) -> None:
        """Move the weights along the gradients, and the target encoder after them."""
        now = schedules.at(self.step, self.settings)
        measured = self.logs(self.step + 1)
        before = [p.detach().clone() for p in self.parameters] if measured else []
        for optimizer in self.optimizers:
            schedule(optimizer, now["lr"], now["weight_decay"])
            optimizer.step()
        if self.jepa.target_encoder is not None:
            update_ema(self.jepa.target_encoder, self.jepa.encoder, now["ema_momentum"])
        if measured:
            moves = [p.detach() - old for p, old in zip(self.parameters, before, strict=True)]
            self.update_to_weight = float(_norm(moves) / _norm(before))

    def logs(self, step: int) -> bool:
        """Whether a row of metrics.csv ends with ``step``."""
        return step % self.settings.log_every == 0 or step == self.settings.steps

    # ------------------------------------------------------------------------------ the record

    def metrics(self) -> dict[str, Any]:
        """The row of metrics.csv at this step: means since the last one, norms, scheduled values."""
        row, statistics = self.means.take(self.world), self.watch.take(self.world)
        self.guard.watch(self.step, row["loss"])
        self.verdicts.judge(self.step, statistics)
        batches = self.step + self.guard.skipped
        return {
            "step": self.step,
            "epoch": round(batches * self.settings.batch_size / len(self.task.rows), 6),
            **row,
            "weight_norm": float(_norm(self.parameters)),
            "update_to_weight": self.update_to_weight,
            **columns(statistics),
            "skipped": self.guard.skipped,
            **schedules.at(self.step - 1, self.settings),
            **self.task.scheduled(self.step - 1),
        }

    def save_snapshot(self, fraction: float) -> None:
        """Write the encoder of this moment to the run folder."""
        state = parallel.weights(self.jepa.exported())
        if self.world.main:
            path = self.folder / f"snapshot-{fraction:g}.safetensors"
            checkpoint.atomic_write(path, lambda temporary: save_file(state, temporary))

    def save(self) -> None:
        """Write a resume checkpoint."""
        state = {
            "step": self.step,
            **parallel.training_state(self.jepa, self.optimizers),
            "scaler": self.precision.scaler.state_dict(),
            "guard": self.guard.state(),
            "verdicts": self.verdicts.rows,
            "best": self.validation.best,
            "means": self.means.state(self.world),
            "watch": self.watch.state(self.world),
            "update_to_weight": self.update_to_weight,
        }
        if self.world.main:
            checkpoint.save(self.folder, self.step, state, self.settings.keep_checkpoints)

    def resume(self) -> None:
        """Continue from the newest valid checkpoint of the run folder, if there is one."""
        newest = -1
        if self.world.main:
            checkpoint.remove_leftovers(self.folder)
            newest = checkpoint.newest(self.folder, tqdm.write)
        # One rank looks: on a shared disk others may still see the folder as it was.
        newest = self.world.from_main(newest)
        if newest >= 0:
            state = checkpoint.load(self.folder, newest)
            parallel.load_training_state(self.jepa, self.optimizers, state)
            self.precision.scaler.load_state_dict(state["scaler"])
            self.guard.load(state["guard"])
            self.verdicts.rows = state["verdicts"]
            self.validation.best = state["best"]
            self.means.load(state["means"], self.world)
            self.watch.load(state["watch"], self.world)
            self.step, self.update_to_weight = state["step"], state["update_to_weight"]
            if self.world.main:
                print(f"resumed from the checkpoint of step {self.step}", flush=True)

    # ----------------------------------------------------------------------------------- loop

    def run(self, loggers: Loggers | None = None) -> dict[str, Any]:
        """Train to the end; returns the summary (speed, operations, memory)."""
        s, main, stop = self.settings, self.world.main, stop_on_signal()
        self.resume()
        starts = Starts(self.world, self.step, self.folder)
        if main and self.step < s.steps:
            starts.check()
        cost = step_cost(self.jepa, self.task.batch(0, 0), s, self.precision, self.world)
        if main:
            print(f"a step needs about {cost.memory_bytes / 2**20:,.0f} MiB per process", flush=True)
        speed, pace_of_start = Speed(cost, s.batch_size, self.world, self.step), Pace(s, cost, self.step)
        # A finished run has nothing more to tell.
        told = loggers if self.step < s.steps else None
        record = Record(self.folder, self.step, told) if main else None
        snapshots = {round(f * s.steps): f for f in SNAPSHOTS}
        if self.step == 0:
            self.save_snapshot(0.0)
        bar = tqdm(total=s.steps, initial=self.step, unit="step", disable=not main or None, leave=False)
        while self.step < s.steps:
            before = self.step
            with memory.explained(s, cost.memory_bytes, self.world.size):
                self.train_step()
            bar.update(self.step - before)
            last, stepped = self.step == s.steps, self.step > before
            if stepped and main:
                for line in pace_of_start.lines(self.step, self.means.loss):
                    say(bar, line)
            if stepped and self.logs(self.step):
                row, pace = self.metrics(), speed.lap(self.step, self.waited)
                self.waited = 0.0
                starts.note(self.step)
                if record:
                    record.write("metrics", row)
                    record.write("timing", {"step": self.step, **pace})
                show(bar, row, pace, main and (self.step % (10 * s.log_every) == 0 or last))
            if stepped and (self.step % s.validate_every == 0 or last):
                with memory.explained(s, cost.memory_bytes, self.world.size):
                    row = self.validation(self.step)
                if record:
                    record.write("validation", row)
            if stepped and self.step in snapshots:
                self.save_snapshot(snapshots[self.step])
            if stepped and (self.step % s.checkpoint_every == 0 or last):
                self.save()
            asked = -self.world.smallest(-stop["signal"])
            if asked and not last:
                self.save()
                starts.note(self.step)
                leave(asked, self.step, starts.may_requeue(self.step), main)
        bar.close()
        if record:
            record.close()
        return {
            "skipped": self.guard.skipped,
            "best": self.validation.best,
            **facts(s, self.jepa, len(self.task.rows), self.world, self.precision, cost),
            "this_run": speed.total(self.step),
            "run": starts.total(self.step),
        }


def _norm(tensors: list[Tensor]) -> Tensor:
    return parallel.whole(torch.nn.utils.get_total_norm([t.detach() for t in tensors]))
