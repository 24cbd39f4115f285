"""Images that are no pictures, generated: satellites, microscopes, spectrograms, scenes to be tiled."""

import numpy as np
import tifffile

WEAK = 3  # the channel that holds the class of ``satellites``, counted from 0


def waves(kind: int, size: int) -> np.ndarray:
    """A texture of horizontal, vertical or diagonal waves (size, size)."""
    grid = np.arange(size)
    down, across = np.meshgrid(grid, grid, indexing="ij")
    return np.sin(np.pi / 4 * (down, across, (down + across) / 1.4)[kind])


def satellites(folder, n=90, size=16, channels=13, seed=0):
    """TIFFs uint16 of many bands of strong blocks; of a weak one that holds the class."""
    rng, arrays = np.random.default_rng(seed), {}
    for i in range(n):
        kind = i % 3
        blocks = rng.normal(size=(4, 4, channels)).repeat(size // 4, 0).repeat(size // 4, 1)
        x = 2000 + 900 * blocks + 60 * rng.normal(size=(size, size, channels))
        x[..., WEAK] = 400 + 10 * rng.normal(size=(size, size)) + 40 * waves(kind, size)
        path = folder / ("field", "forest", "water")[kind] / f"{i:03}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays[path.relative_to(folder).as_posix()] = x.clip(0, 65535).astype(np.uint16)
        tifffile.imwrite(path, np.moveaxis(arrays[path.relative_to(folder).as_posix()], -1, 0))
    return arrays


def microscope(folder, n=24, size=20, channels=5):
    """A file per channel: r01c02f003-ch1.tiff."""
    rng, arrays = np.random.default_rng(1), {}
    for i in range(n):
        x = rng.integers(100, 4095, (size, size, channels)).astype(np.uint16)
        for c in range(channels):
            path = folder / ("dmso", "drug")[i % 2] / f"r01c02f{i:03}-ch{c + 1}.tiff"
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, x[..., c])
        arrays[f"{('dmso', 'drug')[i % 2]}/r01c02f{i:03}-*.tiff"] = x
    return arrays


def spectrograms(path, n=60):
    """float32 (n, 64, 256), powers, with a table of labels beside."""
    rng = np.random.default_rng(2)
    x = np.exp(rng.normal(size=(n, 64, 256))).astype(np.float32)
    x[np.arange(n), 20 + 20 * (np.arange(n) % 2)] *= 20
    np.save(path, x)
    path.with_suffix(".csv").write_text("label\n" + "".join(f"{'ab'[i % 2]}\n" for i in range(n)))
    return x


def scenes(folder, n=9, shape=(40, 50, 4)):
    """Large uint16 images of four bands; the first one has an empty corner."""
    rng, arrays = np.random.default_rng(3), {}
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        x = rng.integers(1, 65536, shape).astype(np.uint16)
        if i == 0:
            x[:16, :16] = 0
        tifffile.imwrite(folder / f"s{i}.tif", x, planarconfig="contig", photometric="minisblack")
        arrays[f"s{i}.tif"] = x
    return arrays
