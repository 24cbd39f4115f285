"""Claim: what surrounds a step (batches, metrics, EMA, schedules, logging) takes <= 3 % of it, the
statistics of embeddings <= 2 %, a checkpoint <= 1 % of the steps between two at the default interval.

Rival: the bare step, i.e. forward and backward pass, clipping and optimizer step. What surrounds it is
timed by itself, in the trainer's loop with forward, backward and optimizer step left out; a difference
of two whole steps would drown in the noise of the machine. One thread, CPU seconds, the least of
interleaved repeats of 10 steps and one row of logs; checkpoints by wall time, median of 5, fsync
included. Run: python benchmarks/overhead.py
"""

import statistics
import subprocess
import sys
import time

import common
import torch

from jepa_steps.engine.cost import step_cost
from jepa_steps.engine.gradients import backward
from jepa_steps.engine.record import Record
from jepa_steps.engine.speed import Speed
from jepa_steps.engine.starts import Starts
from jepa_steps.engine.watch import Watch
from jepa_steps.modalities.images.settings import ImageJepa

STEPS, REPEATS = 10, 5
MODEL = {"patch_size": 4, "dim": 192, "depth": 12, "heads": 3}


# Peak memory of the statistics of 6 batches of ViT-S 224/16, in a process that has done nothing larger.
WATCH_MEMORY = """
import resource, torch
from jepa_steps.engine.distributed import World
from jepa_steps.engine.watch import Watch
tokens, some = torch.randn(256, 196, 384), torch.randn(2048, 384).double()
torch.linalg.eigvalsh(some.T @ some)  # the buffers of the linear algebra itself
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
watch = Watch()
for _ in range(6):
    watch.add(tokens)
    watch.settle(True)
watch.take(World(0, 1, torch.device("cpu")))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def watching(trainer, batch) -> float:
    """CPU seconds a step of the embeddings' statistics at the default intervals."""
    with torch.no_grad():
        tokens = trainer.jepa(batch[0])
    watch, every = Watch(), trainer.settings.watch_every
    log_every = ImageJepa.model_fields["log_every"].default

    def interval() -> None:
        for _ in range(log_every // every):
            watch.add(tokens)
            watch.settle(True)
        watch.take(trainer.world)

    return common.interleaved({"watch": interval}, REPEATS)["watch"] / log_every


def main() -> None:
    common.header(__doc__.split("\n\n")[0])
    trainer = common.trainer(32, 64, MODEL, log_every=STEPS)
    batch = trainer.batch(0, 0)
    settings, world = trainer.settings, trainer.world
    starts, record = Starts(world, 0, trainer.folder), Record(trainer.folder, 0)
    cost = step_cost(trainer.jepa, batch, settings, trainer.precision, world)
    speed = Speed(cost, settings.batch_size, world, 0)

    def bare() -> None:
        for _ in range(STEPS):
            for optimizer in trainer.optimizers:
                optimizer.zero_grad(set_to_none=True)
            backward(trainer.model, trainer.jepa, batch, 0, 1, trainer.precision)
            torch.nn.utils.clip_grad_norm_(trainer.parameters, 1.0)
            for optimizer in trainer.optimizers:
                optimizer.step()

    loss = torch.ones(())
    gradient, optimizers = trainer.gradient, trainer.optimizers

    def around() -> None:
        """The trainer's steps without forward, backward and optimizer step (gradients stay)."""
        trainer.gradient, trainer.optimizers = (lambda batch: (loss, {"prediction": loss})), []
        for _ in range(STEPS):
            trainer.train_step()
        row, pace = trainer.metrics(), speed.lap(trainer.step, trainer.waited)
        trainer.waited = 0.0
        starts.note(trainer.step)
        record.write("metrics", row)
        record.write("timing", {"step": trainer.step, **pace})
        trainer.gradient, trainer.optimizers = gradient, optimizers

    def batches() -> None:
        for number in range(STEPS):
            trainer.batch(number, number)

    calls = {"bare step": bare, "around it": around, "of which batches": batches}
    seconds = common.interleaved(calls, REPEATS)
    watch = watching(trainer, batch)
    for name, value in seconds.items():
        print(f"{name:18} {1000 * value / STEPS:8.1f} ms a step, {value / seconds['bare step']:.2%}")
    share = watch / (seconds["bare step"] / STEPS)
    print(f"{'watch':18} {1000 * watch:8.1f} ms a step, {share:.2%} (of it, embeddings' statistics)")
    command = [sys.executable, "-c", WATCH_MEMORY]
    grown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    print(f"{'watch, memory':18} {float(grown):8.0f} MiB at 256 x 196 tokens, D = 384")
    saves = []
    for _ in range(5):
        start = time.perf_counter()
        trainer.save()
        saves.append(time.perf_counter() - start)
    every = trainer.settings.checkpoint_every
    share = statistics.median(saves) / (every * seconds["bare step"] / STEPS)
    print(f"checkpoint         {1000 * statistics.median(saves):8.1f} ms, {share:.3%} of {every} steps")


if __name__ == "__main__":
    main()
