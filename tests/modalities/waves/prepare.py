from pathlib import Path

import numpy as np

from ... import draws
from ...config import resolved
from ...data.splits import assign, write_splits
from ...files import sha256, staged, write_json


def prepare(dataset, out, workers, n=300):
    noise, random = float(Path(dataset.path).read_text()), draws.generator(0, "waves")
    labels = np.arange(n) % 2
    angle = np.arange(16) * (0.3 + 0.5 * labels[:, None]) + random.uniform(0, 6, (n, 1))
    x = np.sin(angle) + noise * random.standard_normal((n, 16))
    split = assign(np.full(n, -1), labels, np.arange(n), 0.2, 0.2, 0)
    with staged(out) as folder:
        np.save(folder / "waves.npy", x.astype(np.float32))
        write_splits(folder / "splits.csv", split, labels, [str(i) for i in range(n)], None)
        manifest = {"modality": "waves", "settings": resolved(dataset)}
        manifest["sha256"] = {file.name: sha256(file) for file in folder.iterdir()}
        write_json(folder / "manifest.json", manifest)
    return manifest


def summary(manifest, folder):
    return ["300 waves"]
