"""Claim: the mask sampler of clips is >= 25x faster per sample than V-JEPA's own.

Rival: the algorithm of V-JEPA's public code (facebookresearch/jepa, multi-block masks in three
dimensions), written out here with its settings: per clip, eight blocks of 15 % of height x width, and
then two of 70 %, over all frames; a block is a tensor of ones with zeros at a random place, masks are
products of blocks, and every clip keeps as many tokens as the one with the fewest. Both sides make both
kinds of masks. 16 frames of 224 pixels in tubelets of 2 x 16 x 16, batch 128. One thread, interleaved
repeats, best of each. Run:

    python benchmarks/video_masks.py
"""

import math
import platform
import time

import numpy as np
import torch

from jepa_steps.data.union_masks import UnionMasks
from jepa_steps.engine.memory import keep_freed

BATCH, GRID, REPEATS = 128, (8, 14, 14), 7
KINDS = ((8, 0.15), (2, 0.7))
ASPECT = (0.75, 1.5)


def block_size(generator: torch.Generator, scale: float) -> tuple[int, int, int]:
    """Tokens of a block along time, height and width, drawn once per batch."""
    times, rows, columns = GRID
    area = int(rows * columns * scale)
    u = torch.rand(1, generator=generator).item()
    aspect = ASPECT[0] + u * (ASPECT[1] - ASPECT[0])
    height = min(round(math.sqrt(area * aspect)), rows)
    width = min(round(math.sqrt(area / aspect)), columns)
    return times, height, width


def of_block(size: tuple[int, int, int]) -> torch.Tensor:
    """Ones, and zeros in one block at a random place."""
    times, height, width = size
    top = int(torch.randint(0, GRID[1] - height + 1, (1,)))
    left = int(torch.randint(0, GRID[2] - width + 1, (1,)))
    mask = torch.ones(GRID, dtype=torch.int32)
    mask[:times, top : top + height, left : left + width] = 0
    return mask


def rival(step: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Context and target tokens of a batch, for each kind of masks."""
    found = []
    for number, (blocks, scale) in enumerate(KINDS):
        size = block_size(torch.Generator().manual_seed(2 * step + number), scale)
        contexts, targets, fewest = [], [], [math.prod(GRID)] * 2
        for _ in range(BATCH):
            context = torch.empty(0)
            while not len(context):
                mask = torch.ones(GRID, dtype=torch.int32)
                for _ in range(blocks):
                    mask = mask * of_block(size)
                mask = mask.flatten()
                target = torch.argwhere(mask == 0).squeeze()
                context = torch.nonzero(mask).squeeze()
            contexts.append(context)
            targets.append(target)
            fewest = [min(fewest[0], len(context)), min(fewest[1], len(target))]
        stacked = (
            torch.stack([x[:n] for x in parts])
            for parts, n in zip((contexts, targets), fewest, strict=True)
        )
        found.append(tuple(stacked))
    return found


SAMPLERS = [UnionMasks(GRID, 0, blocks, (scale, scale), purpose=str(scale)) for blocks, scale in KINDS]


def ours(step: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The same."""
    epoch, index = np.zeros(BATCH, int), np.arange(BATCH) + BATCH * step
    return [s.seen_and_hidden(s.layout(step, epoch, index)) for s in SAMPLERS]


def seconds(call, calls: int) -> float:
    start = time.process_time()
    for i in range(calls):
        call(i)
    return (time.process_time() - start) / calls


def main() -> None:
    torch.set_num_threads(1)
    keep_freed()  # as training does; both sides run under it
    times = {"jepa-steps": [], "written out": []}
    for _ in range(REPEATS):
        times["jepa-steps"].append(seconds(ours, 100))
        times["written out"].append(seconds(rival, 4))
    rate = {name: BATCH / min(t) for name, t in times.items()}
    print(f"{platform.machine()}, torch {torch.__version__}")
    for name, value in rate.items():
        print(f"{name:12} {value:10,.0f} clips/s")
    print(f"ratio {rate['jepa-steps'] / rate['written out']:.1f}")


if __name__ == "__main__":
    main()
