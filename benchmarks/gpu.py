"""Goal: model FLOP utilisation of 10, 30, 40, 40 % for ViT-T/S/B/L with compiled blocks and bf16, of the
bf16 matmul peak measured on the same card; end to end with data >= 95 % of the compute-only pace.

    python benchmarks/gpu.py            on a GPU, at most 8 minutes
    python benchmarks/gpu.py --smoke    a tiny model on the CPU; its figures say nothing

Operations by torch's counter, forward and backward pass; a step is the trainer's, from the drawing of
masks to the EMA. Compute-only repeats one batch that is on the device already; shares of end to end are
of the compiled blocks. Embedding is Encoder.embed in fp32 from the prepared file. Resume: 20 steps at
once, and 10 with a checkpoint and 10 more, plain and with deterministic kernels. Precision: the mean
loss of 50 steps in bf16 and in fp32 from the same weights and batches, beside that of other seeds.
A measurement that would begin after six minutes is left out, and named.
"""

import sys
import time

import common
import torch

from jepa_steps.device import moved
from jepa_steps.engine import parallel
from jepa_steps.engine.cost import step_cost
from jepa_steps.model.export import Encoder, describe

SMOKE = "--smoke" in sys.argv
VITS = {  # side, batch, model
    "ViT-T 32/4": (32, 2048, {"patch_size": 4, "dim": 192, "depth": 12, "heads": 3}),
    "ViT-S 96/8": (96, 1024, {"patch_size": 8, "dim": 384, "depth": 12, "heads": 6}),
    "ViT-B 224/16": (224, 256, {"patch_size": 16, "dim": 768, "depth": 12, "heads": 12}),
    "ViT-L 224/16": (224, 128, {"patch_size": 16, "dim": 1024, "depth": 24, "heads": 16}),
}
SMALL = VITS["ViT-T 32/4"]
if SMOKE:
    SMALL = (16, 32, {"patch_size": 4, "dim": 32, "depth": 2, "heads": 1})
    VITS = {"tiny 16/4": SMALL}
WARMUP, STEPS, RESUMED = (1, 2, 10) if SMOKE else (8, 25, 20)
HALF = "fp32" if SMOKE else "bf16"  # CPUs are slow in bf16
AUGMENT = {"crop_scale": [0.3, 1.0], "crop_aspect": [0.75, 1.3333], "flip": 0.5}
BEGUN, LATEST = time.perf_counter(), 360  # seconds
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peak() -> float:
    """FLOP/s of a large bf16 product, the best of 10."""
    n = 256 if SMOKE else 8192
    a = torch.randn(n, n, device=DEVICE, dtype=torch.bfloat16)
    best = float("inf")
    for _ in range(10):
        wait()
        start = time.perf_counter()
        a @ a
        wait()
        best = min(best, time.perf_counter() - start)
    return 2 * n**3 / best


def pace(trainer, draw) -> float:
    """Steps per second."""
    trainer.batch = draw
    for _ in range(WARMUP):
        trainer.train_step()
    wait()
    start = time.perf_counter()
    for _ in range(STEPS):
        trainer.train_step()
    wait()
    return STEPS / (time.perf_counter() - start)


def training(card: float) -> None:
    """MFU with and without compiled blocks, end to end against compute alone, embedding."""
    for name, (side, batch, model) in VITS.items():
        for compiled in (False, True):
            how = "compiled" if compiled else "plain"
            if time.perf_counter() - BEGUN > LATEST:
                print(f"{name}, batch {batch}, {how}: left out, {LATEST} s are over", flush=True)
                continue
            trainer = common.trainer(
                side, batch, model, DEVICE, images=2 * batch, compile=compiled and not SMOKE,
                precision=HALF, augment=AUGMENT, log_every=1000,
            )  # fmt: skip
            drawn = trainer.batch
            one = drawn(0, 0)
            cost = step_cost(trainer.jepa, one, trainer.settings, trainer.precision, trainer.world)
            alone = pace(trainer, lambda number, step, one=one: one)
            with_data = pace(trainer, drawn) if compiled else alone
            print(f"{name}, batch {batch}, {how}: MFU {alone * cost.flops / card:.1%} of compute alone "
                  f"({alone * batch:,.0f} images/s)", end="", flush=True)  # fmt: skip
            if compiled:
                print(f"; end to end {with_data * batch:,.0f} images/s, {with_data / alone:.1%} of it, "
                      f"MFU {with_data * cost.flops / card:.1%}", end="")  # fmt: skip
            print(flush=True)
            if compiled:
                print(f"{name}: embeds {embedded(trainer, batch):,.0f} images/s in fp32", flush=True)
            del trainer


def embedded(trainer, batch: int) -> float:
    """Images per second from the prepared file to embeddings on the host."""
    store = trainer.store
    description = describe(trainer.settings, store)
    encoder = Encoder(description, parallel.weights(trainer.jepa.exported()), DEVICE)
    rows = range(2 * batch)
    pieces = [list(rows[a : a + 256]) for a in range(0, len(rows), 256)]
    for _ in range(2):  # the first time warms up
        start = time.perf_counter()
        for piece in pieces:
            encoder.embed(store.samples(piece)).cpu()
        seconds = time.perf_counter() - start
    return len(rows) / seconds


def resumes() -> None:
    """Whether a resumed run gives the weights of one that was not interrupted."""
    side, batch, model = SMALL
    for deterministic in (False, True):
        settings = {"images": 512, "precision": HALF, "augment": AUGMENT, "steps": RESUMED}
        settings |= {"deterministic": deterministic, "optimizer": {"lr": 0.001, "warmup": 0.1}}
        whole, first = (common.trainer(side, min(batch, 256), model, DEVICE, **settings) for _ in "ab")
        while whole.step < RESUMED:
            whole.train_step()
        while first.step < RESUMED // 2:
            first.train_step()
        first.save()
        second = common.trainer(side, min(batch, 256), model, DEVICE, **settings)
        second.folder = first.folder
        second.resume()
        while second.step < RESUMED:
            second.train_step()
        pairs = zip(whole.jepa.parameters(), second.jepa.parameters(), strict=True)
        away = max(float((a - b).detach().abs().max()) for a, b in pairs)
        how = "deterministic kernels" if deterministic else "plain"
        says = "equal to the bit" if away == 0 else f"weights differ by up to {away:.2g}"
        print(f"resume at step {RESUMED // 2} of {RESUMED}, {how}: {says}", flush=True)
    torch.use_deterministic_algorithms(False)


def precisions() -> None:
    """The loss after 50 steps in bf16 beside fp32's, and beside that of other seeds."""
    side, batch, model = SMALL
    steps, found = (3 if SMOKE else 50), {}
    for precision, seed in (("fp32", 0), ("bf16", 0), ("fp32", 1), ("fp32", 2)):
        trainer = common.trainer(
            side, min(batch, 256), model, DEVICE, images=2048 if not SMOKE else 64, precision=precision,
            seed=seed, steps=100, optimizer={"lr": 0.001, "warmup": 0.1}, augment=AUGMENT,
            objective={"kind": "vicreg"},
        )  # fmt: skip
        while trainer.step < steps:
            trainer.train_step()
        found[precision, seed] = trainer.means.loss()
    of_seeds = [loss for (precision, _), loss in found.items() if precision == "fp32"]
    print(f"mean loss of {steps} steps: bf16 {found['bf16', 0]:.5f}, fp32 {found['fp32', 0]:.5f}; fp32 "
          f"of three seeds {min(of_seeds):.5f} to {max(of_seeds):.5f}", flush=True)  # fmt: skip


def copies() -> None:
    """Bytes per second of a batch of images to the device, pinned and not."""
    x = torch.randint(0, 256, (256, 224, 224, 3) if not SMOKE else (8, 16, 16, 3), dtype=torch.uint8)
    device, found = torch.device(DEVICE), {}
    for name, copy in {"plain": lambda: x.to(device), "pinned": lambda: moved(x, device)}.items():
        for _ in range(2):
            wait()
            start = time.perf_counter()
            for _ in range(5):
                copy()
            asked = time.perf_counter() - start
            wait()
            found[name] = (5 * x.nbytes / (time.perf_counter() - start) / 1e9, asked / 5)
    texts = [f"{n} {r:.1f} GB/s, {1e3 * each:.2f} ms until it returns" for n, (r, each) in found.items()]
    print(f"copies of {x.nbytes / 1e6:.0f} MB: " + "; ".join(texts), flush=True)


def main() -> None:
    if not SMOKE and DEVICE == "cpu":
        sys.exit("no GPU here: nothing to measure; --smoke runs the same code on the CPU")
    common.header(__doc__.split("\n\n")[0])
    if SMOKE:
        print("smoke: shows that everything runs; its figures say nothing")
    card = peak()
    print(f"measured bf16 matmul peak {card / 1e12:.2f} TFLOP/s")
    copies()
    resumes()
    precisions()
    training(card)
    if DEVICE == "cuda":
        most = torch.cuda.max_memory_allocated() / 2**30
        room = torch.cuda.get_device_properties(0).total_memory / 2**30
        print(f"peak memory {most:.1f} GiB of {room:.0f}")
    print(f"all of it: {time.perf_counter() - BEGUN:.0f} s")


if __name__ == "__main__":
    main()
