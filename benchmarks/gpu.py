"""Goal: model FLOP utilisation of 10, 30, 40, 40 % for ViT-T/S/B/L with compiled blocks and bf16, of the
bf16 matmul peak measured on the same card; end to end with data >= 95 % of the compute-only pace.

    python benchmarks/gpu.py            on a GPU
    python benchmarks/gpu.py --smoke    a tiny model on the CPU; its figures say nothing

Operations by torch's counter, forward and backward pass; a step is the trainer's, from the drawing of
masks to the EMA. Compute-only repeats one batch that is on the device already.
"""

import sys
import time

import common
import torch

from jepa_steps.engine.cost import step_cost

SMOKE = "--smoke" in sys.argv
VITS = {  # side, batch, model
    "ViT-T 32/4": (32, 2048, {"patch_size": 4, "dim": 192, "depth": 12, "heads": 3}),
    "ViT-S 96/8": (96, 1024, {"patch_size": 8, "dim": 384, "depth": 12, "heads": 6}),
    "ViT-B 224/16": (224, 256, {"patch_size": 16, "dim": 768, "depth": 12, "heads": 12}),
    "ViT-L 224/16": (224, 128, {"patch_size": 16, "dim": 1024, "depth": 24, "heads": 16}),
}
if SMOKE:
    VITS = {"tiny 16/4": (16, 32, {"patch_size": 4, "dim": 32, "depth": 2, "heads": 1})}
WARMUP, STEPS = (1, 2) if SMOKE else (12, 40)
AUGMENT = {"crop_scale": [0.3, 1.0], "crop_aspect": [0.75, 1.3333], "flip": 0.5}


def wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peak(device: str) -> float:
    """FLOP/s of a large bf16 product, the best of 10."""
    n = 256 if SMOKE else 8192
    a = torch.randn(n, n, device=device, dtype=torch.bfloat16)
    best = float("inf")
    for _ in range(10):
        wait()
        start = time.perf_counter()
        a @ a
        wait()
        best = min(best, time.perf_counter() - start)
    return 2 * n**3 / best


def pace(trainer, draw) -> float:
    """Steps a second."""
    trainer.batch = draw
    for _ in range(WARMUP):
        trainer.train_step()
    wait()
    start = time.perf_counter()
    for _ in range(STEPS):
        trainer.train_step()
    wait()
    return STEPS / (time.perf_counter() - start)


def main() -> None:
    if not SMOKE and not torch.cuda.is_available():
        sys.exit("no GPU here: nothing to measure; --smoke runs the same code on the CPU")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    common.header(__doc__.split("\n\n")[0])
    card = peak(device)
    print(f"measured bf16 matmul peak {card / 1e12:.2f} TFLOP/s")
    for name, (side, batch, model) in VITS.items():
        trainer = common.trainer(
            side, batch, model, device, images=2 * batch, compile=not SMOKE, precision="bf16",
            augment=AUGMENT, log_every=1000,
        )  # fmt: skip
        drawn = trainer.batch
        one = drawn(0, 0)
        cost = step_cost(trainer.jepa, one, trainer.settings, trainer.precision, trainer.world)
        alone = pace(trainer, lambda number, step, one=one: one)
        with_data = pace(trainer, drawn)
        print(f"{name}, batch {batch}: {with_data * batch:,.0f} images/s, "
              f"MFU {with_data * cost.flops / card:.1%}, {with_data / alone:.1%} of compute-only",
              flush=True)  # fmt: skip
        del trainer


if __name__ == "__main__":
    main()
