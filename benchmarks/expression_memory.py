"""Claim: preparing an .h5ad of any size takes at most 512 MiB of memory.

A generated Perturb-seq file of counts, 300,000 cells x 8,000 genes, 7 % of them above 0, written in
blocks; all of prepare (labels, split, two passes, gene features, audit). What grows: the high-water mark
of resident memory (VmHWM) after it, less that after the imports. Run:

    python benchmarks/expression_memory.py [csr] [csc] [dense]  [--cells 300000] [--folder /tmp]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common
import h5py
import numpy as np

GENES, DENSITY, BATCH, LABELS = 8_000, 0.07, 5_000, 200

CHILD = """
import json, sys
from pathlib import Path
import anndata, scipy.sparse, sklearn.decomposition
from jepa_steps.config.training import parse_dataset
from jepa_steps.modalities.expression.prepare import prepare
def mark():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(l.split()[1]) for l in lines if l.startswith("VmHWM")) / 1024
before = mark()
dataset = parse_dataset(json.loads(sys.argv[1]), "benchmark", "expression")
manifest = prepare(dataset, Path(sys.argv[2]))
print("PEAK", before, mark(), sum(c["cells"] for c in manifest["counts"].values()))
"""


def write(path: Path, cells: int, kind: str) -> None:
    """A file of counts; rows (or, as CSC, columns) are drawn block by block."""
    rng = np.random.default_rng(0)
    major, minor = (GENES, cells) if kind == "csc" else (cells, GENES)
    with h5py.File(path, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        if kind == "dense":
            x = file.create_dataset("X", (cells, GENES), "f4", chunks=(500, GENES))
            x.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
            for a in range(0, cells, BATCH):
                b = min(a + BATCH, cells)
                x[a:b] = rng.poisson(DENSITY, (b - a, GENES)).astype(np.float32)
        else:
            _write_sparse(file.create_group("X"), kind, major, minor, (cells, GENES), rng)
        _write_table(file.create_group("obs"), [f"cell{i}" for i in range(cells)], rng)
        _write_table(file.create_group("var"), [f"gene{i}" for i in range(GENES)], None)


def _write_sparse(group, kind: str, major: int, minor: int, shape: tuple[int, int], rng) -> None:
    group.attrs.update({"encoding-type": f"{kind}_matrix", "encoding-version": "0.1.0", "shape": shape})
    data = group.create_dataset("data", (0,), "f4", maxshape=(None,), chunks=(1 << 16,))
    indices = group.create_dataset("indices", (0,), "i4", maxshape=(None,), chunks=(1 << 16,))
    lengths, size = np.zeros(major, np.int64), max(1, 2_500_000 // max(int(minor * DENSITY), 1))
    for a in range(0, major, size):
        n = min(size, major - a)
        lengths[a : a + n] = rng.binomial(minor, DENSITY, n)
        total, stored = int(lengths[a : a + n].sum()), len(data)
        # increasing places within a row: random gaps of the mean that fills it
        gaps = rng.integers(1, max(int(2 / DENSITY), 2), total)
        starts = np.repeat(np.cumsum(lengths[a : a + n]) - lengths[a : a + n], lengths[a : a + n])
        places = np.cumsum(gaps)
        places = places - np.concatenate([[0], places])[starts] - 1
        keep = places < minor
        row = np.repeat(np.arange(a, a + n), lengths[a : a + n])[keep]
        lengths[a : a + n] = np.bincount(row - a, minlength=n)
        for d, v in ((data, rng.geometric(0.6, keep.sum())), (indices, places[keep])):
            d.resize((stored + len(v),))
            d[stored:] = v
    group.create_dataset("indptr", data=np.concatenate([[0], np.cumsum(lengths)]))


def _write_table(group, names: list[str], rng) -> None:
    columns = [] if rng is None else ["perturbation", "cell_type", "batch"]
    group.attrs.update({"encoding-type": "dataframe", "encoding-version": "0.2.0", "_index": "_index",
                        "column-order": columns})  # fmt: skip
    _text(group, "_index", names)
    levels = {"perturbation": ["control"] + [f"gene{i}" for i in range(LABELS)],
              "cell_type": ["K562", "RPE1", "HepG2"], "batch": [f"b{i}" for i in range(40)]}  # fmt: skip
    for name in columns:
        part = group.create_group(name)
        part.attrs.update(
            {"encoding-type": "categorical", "encoding-version": "0.2.0", "ordered": False}
        )
        part.create_dataset("codes", data=rng.integers(0, len(levels[name]), len(names)).astype("i2"))
        part["codes"].attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        _text(part, "categories", levels[name])


def _text(group, name: str, values: list[str]) -> None:
    group.create_dataset(name, data=values, dtype=h5py.string_dtype())
    group[name].attrs.update({"encoding-type": "string-array", "encoding-version": "0.2.0"})


def main() -> None:
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("kinds", nargs="*", default=["csr"])
    p.add_argument("--cells", type=int, default=300_000)
    p.add_argument("--folder", default=None)
    args = p.parse_args()
    common.header(__doc__.split("\n\n")[0])
    for kind in args.kinds:
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            path = Path(folder) / "screen.h5ad"
            write(path, args.cells, kind)
            spec = json.dumps({"source": "h5ad", "path": str(path)})
            start = time.time()
            run = subprocess.run([sys.executable, "-c", CHILD, spec, str(Path(folder) / "out")],
                                 capture_output=True, text=True)  # fmt: skip
            if run.returncode:
                sys.exit(run.stderr)
            before, after, kept = run.stdout.split("PEAK ")[1].split()
            print(
                f"{kind}: {args.cells} x {GENES}, {path.stat().st_size / 2**30:.2f} GiB, {kept} cells "
                f"kept: {float(before):.0f} MiB after imports, peak {float(after):.0f} MiB, growth "
                f"{float(after) - float(before):.0f} MiB, {time.time() - start:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
