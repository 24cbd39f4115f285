"""The training loop, read from top to bottom.

Everything random is a function of (seed, epoch, sample number) or (seed, step), so a checkpoint
holds tensors and a step number and nothing else.

Shapes: B samples of the global batch, b samples of this rank, K context tokens, M target blocks,
T tokens a block.
"""

import signal
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from ..config import JepaTraining
from ..data.augment import RandomResizedCrop
from ..data.batches import Images, Order
from ..data.masks import MultiBlockMasks
from ..data.store import Store
from ..errors import InputError
from ..model.jepa import Jepa
from . import checkpoint
from .distributed import World, mean, smallest
from .optimizer import adamw, update_ema
from .record import Record
from .schedules import linear, warmup_cosine
from .speed import Speed

# The finished encoder is the snapshot at 1.
SNAPSHOTS = (0.0, 0.1, 0.25, 0.5, 0.75)
STOPPED = 75  # exit code (EX_TEMPFAIL) after SIGTERM: a checkpoint was written, run again to go on


class Trainer:
    """State and step of one run.

    Args:
        train: validated settings.
        store: prepared data.
        folder: run folder, where checkpoints, snapshots and records live.
        world: this process among the ranks.
    """

    def __init__(self, train: JepaTraining, store: Store, folder: Path, world: World):
        size, _, channels = store.images.shape[1:]
        if train.batch_size % world.size:
            raise InputError(
                f"batch_size: found {train.batch_size}, expected a multiple of {world.size} processes"
            )
        torch.set_num_threads(train.threads)
        self.settings, self.folder, self.world = train, folder, world
        self.jepa = Jepa(train, size, channels).to(world.device)
        self.model = self.jepa if world.size == 1 else DistributedDataParallel(self.jepa)
        self.optimizer = adamw(self.jepa, train.optimizer)
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.images = Images(store, world.device)
        self.order = Order(store.rows("train"), train.seed)
        m, a = train.masks, train.augment
        self.masks = MultiBlockMasks(
            self.jepa.encoder.grid,
            train.seed,
            m.blocks,
            m.scale,
            m.aspect,
            m.context_scale,
            m.min_context,
        )
        self.augment = RandomResizedCrop(train.seed, a.crop_scale, a.crop_aspect, a.flip)
        self.varies = (a.crop_scale, a.crop_aspect, a.flip) != ((1.0, 1.0), (1.0, 1.0), 0.0)
        self.step, self.sums, self.count = 0, {}, 0
        self.bf16 = train.precision == "bf16" or (
            train.precision == "auto" and world.device.type == "cuda" and torch.cuda.is_bf16_supported()
        )

    # ------------------------------------------------------------------------------- one step

    def batch(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """This rank's images (b, C, H, W), context (b, K) and targets (b, M, T) at ``step``."""
        epoch, index = self.order.batch(step, self.settings.batch_size)
        mine = slice(self.world.rank, None, self.world.size)
        epoch, index = epoch[mine], index[mine]
        visible, targets = self.masks.visible(step, epoch, index)
        length = smallest(int(visible.sum(1).min()), self.world)
        context = self.masks.context(visible, length, step, epoch, index)
        x = self.images(index)
        if self.varies:
            x = self.augment(x, epoch, index)
        device = self.world.device
        return x, torch.from_numpy(context).to(device), torch.from_numpy(targets).to(device)

    def train_step(self) -> None:
        """One optimizer step; sums of the metrics stay on the device."""
        s, o = self.settings, self.settings.optimizer
        warmup = round(o.warmup * s.steps)
        lr = o.lr * warmup_cosine(self.step, s.steps, warmup, o.min_lr_ratio)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        autocast = torch.autocast(self.world.device.type, torch.bfloat16) if self.bf16 else nullcontext()
        with autocast:
            loss, parts = self.model(*self.batch(self.step))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, o.clip_norm)
        self.optimizer.step()
        momentum = 0.0
        if self.jepa.target_encoder is not None:
            momentum = linear(self.step, s.steps, *s.objective.ema_momentum)
            update_ema(self.jepa.target_encoder, self.jepa.encoder, momentum)
        clipped = (norm > o.clip_norm).float()
        values = {"loss": loss.detach(), **parts, "gradient_norm": norm, "clipped_share": clipped}
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0) + value
        self.count += 1
        self.step += 1
        self.now = {"lr": lr, "ema_momentum": momentum}

    # ------------------------------------------------------------------------------ the record

    def metrics(self) -> dict[str, Any]:
        """The means since the last call, over steps and ranks; one device transfer."""
        names = list(self.sums)
        values = mean(torch.stack([self.sums[n].double() for n in names]), self.world) / self.count
        row = dict(zip(names, values.tolist(), strict=True))
        self.sums, self.count = {}, 0
        if not np.isfinite(row["loss"]):
            raise InputError(
                f"loss became {row['loss']} before step {self.step}; "
                "lower optimizer.lr, lengthen optimizer.warmup, or check the images"
            )
        epoch = self.step * self.settings.batch_size / len(self.order.rows)
        return {"step": self.step, "epoch": round(epoch, 6), **row, **self.now}

    def save_snapshot(self, fraction: float) -> None:
        """Write the encoder of this moment to the run folder."""
        if self.world.main:
            weights = {k: v.cpu().contiguous() for k, v in self.jepa.exported().state_dict().items()}
            path = self.folder / f"snapshot-{fraction:g}.safetensors"
            checkpoint.atomic_write(path, lambda temporary: save_file(weights, temporary))

    def save(self) -> None:
        """Write a resume checkpoint."""
        if self.world.main:
            state = {
                "step": self.step,
                "model": self.jepa.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "sums": self.sums,
                "count": self.count,
            }
            checkpoint.save(self.folder, self.step, state)

    def resume(self) -> None:
        """Continue from the newest valid checkpoint of the run folder, if there is one."""
        state = checkpoint.load_newest(self.folder, tqdm.write)
        if state is not None:
            self.jepa.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.sums = {k: v.to(self.world.device) for k, v in state["sums"].items()}
            self.step, self.count = state["step"], state["count"]

    # ----------------------------------------------------------------------------------- loop

    def run(self) -> dict[str, Any]:
        """Train to the end; returns the summary (speed, operations, memory)."""
        s = self.settings
        self.resume()
        speed = Speed(self)
        record = Record(self.folder, self.step) if self.world.main else None
        snapshots = {round(f * s.steps): f for f in SNAPSHOTS}
        if self.step == 0:
            self.save_snapshot(0.0)
        stop = _stop_on_signal()
        bar = tqdm(
            total=s.steps,
            initial=self.step,
            unit="step",
            disable=not self.world.main or None,
            leave=False,
        )
        while self.step < s.steps:
            self.train_step()
            bar.update()
            last = self.step == s.steps
            if self.step % s.log_every == 0 or last:
                row, pace = self.metrics(), speed.lap()
                if record:
                    record.write("metrics", row)
                    record.write("timing", {"step": self.step, **pace})
                line = (
                    f"loss {row['loss']:.4f}, {pace['samples_per_second']:.0f} images/s, "
                    f"MFU {pace['mfu']:.0%}"
                )
                bar.set_postfix_str(line)
                if bar.disable and self.world.main and (self.step % (10 * s.log_every) == 0 or last):
                    print(f"step {self.step}/{s.steps}: {line}", flush=True)
            if self.step in snapshots:
                self.save_snapshot(snapshots[self.step])
            if self.step % s.checkpoint_every == 0 or last:
                self.save()
            if smallest(-stop["signal"], self.world) and not last:
                self.save()
                print(f"stopped by a signal at step {self.step}; run again to go on", file=sys.stderr)
                sys.exit(STOPPED)
        bar.close()
        if record:
            record.close()
        return self.summary(speed)

    def summary(self, speed: Speed) -> dict[str, Any]:
        """What summary.json holds."""
        s = self.settings
        return {
            "steps": s.steps,
            "epochs": s.steps * s.batch_size / len(self.order.rows),
            "parameters": {
                "encoder": sum(p.numel() for p in self.jepa.encoder.parameters()),
                "predictor": sum(p.numel() for p in self.jepa.predictor.parameters()),
            },
            "flops_per_step": speed.step_flops,
            "ranks": self.world.size,
            "device": str(self.world.device),
            "precision": "bf16" if self.bf16 else "fp32",
            "this_run": speed.total(),
        }


def _stop_on_signal() -> dict[str, int]:
    """SIGTERM and SIGUSR1 set a flag; the loop writes a checkpoint after the current step."""
    state = {"signal": 0}

    def note(number: int, _frame: Any) -> None:
        state["signal"] = number

    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, note)
    return state
