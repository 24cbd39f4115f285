"""Claims: 500 clips of 10 s are prepared with at most 512 MB of memory growth; decoding once and reading
clips from the store takes less time than decoding them in every epoch, from the second epoch on.

    python benchmarks/video_prepare.py [--clips 500]

Videos of 320 x 240 pixels at 25 frames a second, generated, H.264 in .mp4; prepared at 112 x 112 and 4
frames a second by 2 processes, clips of 16 frames. Memory: the largest sum of the unique set sizes (USS)
of the process and those it starts, sampled 5 times a second, less that of one that imports the same.
Rival: torch.utils.data.DataLoader with 2 workers, whose item decodes a video by PyAV from its beginning
and takes the same frames in the same size; two epochs of batches of 16. Also the largest difference
between when a frame that was taken is shown and the time that it was taken for, on a file of variable
rate whose frames tell their numbers.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import psutil
import torch
from torch.utils.data import DataLoader, Dataset

from jepa_steps.modalities.video.preparation.look import Look
from jepa_steps.modalities.video.preparation.reading import Told, read_frames
from jepa_steps.modalities.video.store import open_store

SECONDS, RATE, HEIGHT, WIDTH = 10, 25, 240, 320
SIZE, TAKEN, CLIP, BATCH = 112, 4, 16, 16
PREPARE = f"""
import sys, time
from pathlib import Path
from jepa_steps.modalities.video.dataset import VideoDataset
from jepa_steps.modalities.video.prepare import prepare
if __name__ == "__main__":
    if len(sys.argv) > 1:
        look = dict(image_size={SIZE}, frame_rate={TAKEN}, clip_length={CLIP})
        prepare(VideoDataset(source="folder", path=sys.argv[1], **look), Path(sys.argv[2]), 2)
    else:
        time.sleep(1)
"""


def encode(path: Path, frames: "list[np.ndarray]", times: list[int] | None = None) -> None:
    """H.264; ``times`` in milliseconds, None = evenly."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "ultrafast"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        if times:
            stream.codec_context.time_base = Fraction(1, 1000)
        for i, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            if times:
                frame.pts, frame.time_base = times[i], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def generate(folder: Path, clips: int) -> None:
    """Smooth patterns that move."""
    for number in range(clips):
        random = np.random.default_rng(number)
        coarse = random.integers(0, 256, (HEIGHT // 16, WIDTH // 16, 3)).astype(np.uint8)
        scene, step = coarse.repeat(16, 0).repeat(16, 1), random.integers(-4, 5, 2)
        frames = [np.roll(scene, tuple(t * step), (0, 1)) for t in range(SECONDS * RATE)]
        encode(folder / f"{number:04}.mp4", frames)


def watched(*arguments: str) -> tuple[float, float]:
    """(MiB at most, seconds) of a process that prepares, with those that it starts."""
    script = Path(tempfile.gettempdir()) / "video_prepare_child.py"
    script.write_text(PREPARE)  # a file, as spawned processes import it
    start, most = time.perf_counter(), 0
    child = subprocess.Popen([sys.executable, str(script), *arguments], stdout=subprocess.DEVNULL)
    while child.poll() is None:
        most = max(most, _used(psutil.Process(child.pid)))
        time.sleep(0.2)
    assert child.returncode == 0
    return most / 2**20, time.perf_counter() - start


def _used(process: psutil.Process) -> int:
    total = 0
    try:
        for one in [process, *process.children(recursive=True)]:
            total += one.memory_full_info().uss
    except psutil.Error:  # it ended meanwhile
        pass
    return total


class Decoded(Dataset):
    """A clip of each video, decoded when it is asked for, as most code for training on videos does."""

    def __init__(self, files: list[Path]):
        self.files = [file for file in files for _ in range(SECONDS * TAKEN // CLIP)]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> torch.Tensor:
        first = i % (SECONDS * TAKEN // CLIP) * CLIP
        wanted = [round((first + k) * RATE / TAKEN) for k in range(CLIP)]
        taken = {}
        with av.open(str(self.files[i])) as container:
            for number, frame in enumerate(container.decode(video=0)):
                if number in wanted:
                    image = frame.to_image()
                    left = (WIDTH - HEIGHT) // 2
                    square = image.crop((left, 0, left + HEIGHT, HEIGHT))
                    taken[number] = np.asarray(square.resize((SIZE, SIZE), 3))
                if number >= wanted[-1]:
                    break
        return torch.from_numpy(np.stack([taken[number] for number in wanted]))


def speed(videos: Path, out: Path) -> tuple[float, float, float]:
    """Seconds of two epochs from the store, and of the first and the second by decoding."""
    start, store = time.perf_counter(), open_store(out)
    for epoch in range(2):
        order = np.random.default_rng(epoch).permutation(len(store))
        for a in range(0, len(order), BATCH):
            x = torch.from_numpy(store.samples(order[a : a + BATCH]))
    ours = time.perf_counter() - start
    loader = DataLoader(Decoded(sorted(videos.iterdir())), BATCH, shuffle=True, num_workers=2)
    epochs = []
    for _ in range(2):
        start, clips = time.perf_counter(), 0
        for y in loader:
            clips += len(y)
        epochs.append(time.perf_counter() - start)
    assert clips == len(store) and x.shape[1:] == y.shape[1:]
    return ours, *epochs


def time_error(scratch: Path) -> tuple[int, float]:
    """(frames taken, largest difference in seconds between the time stamp of a frame that was taken and
    that of the one shown at its time), on a file of variable rate."""
    gaps = np.random.default_rng(0).choice([7, 20, 33, 40, 95, 250], 31)
    times = (np.cumsum(gaps) - gaps[0]).tolist()
    path = scratch / "variable.mp4"
    encode(path, [np.full((64, 64, 3), 8 * i, np.uint8) for i in range(31)], times)
    worst, number = 0.0, 0
    for rate in (2, 4, 7.5, 12, 24):
        look = Look((8, 8), 3, "crop", rate)
        for k, frame in enumerate(read_frames(path, look, Told())):
            at = 1000 * k / rate
            shown = max(t for t in times if t <= at + 0.5)
            worst = max(worst, abs(times[round(frame.mean() / 8)] - shown) / 1000)
            number += 1
    return number, worst


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--clips", type=int, default=500)
    args = p.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        videos, out = scratch / "videos", scratch / "out"
        videos.mkdir()
        generate(videos, args.clips)
        idle, _ = watched()
        most, seconds = watched(str(videos), str(out))
        reading, first, second = speed(videos, out)
        number, worst = time_error(scratch)
    size = f"{args.clips} clips of {SECONDS} s, {WIDTH} x {HEIGHT}"
    print(f"{size}: memory growth {most - idle:.0f} MiB ({most:.0f} MiB in all)")
    print(f"{'':28}{'prepare':>10}{'2 epochs':>10}{'together':>10}{'further epoch':>15}")
    for title, once, epochs in (("store", seconds, reading), ("DataLoader, PyAV", 0, first + second)):
        print(f"{title:28}{once:9.1f}s{epochs:9.1f}s{once + epochs:9.1f}s{epochs / 2:14.2f}s")
    print(f"two epochs: {(first + second) / (seconds + reading):.1f} times as fast, prepare included; "
          f"every further one {second / (reading / 2):.0f} times")  # fmt: skip
    print(f"time stamps: {number} frames of a variable rate, largest error {1000 * worst:.1f} ms")


if __name__ == "__main__":
    main()
