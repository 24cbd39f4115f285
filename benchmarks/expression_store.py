"""Claim: random batches come out of the store >= 20x as fast as out of a backed AnnData.

20,000 cells x 5,000 genes, 20 % of them above 0, random batches of 256 rows as dense float32, warm page
cache, one thread. Ours: the CSR of the store, its dense copy, and ragged batches (as they go to a
device), made dense by torch. Rival: anndata.read_h5ad(..., backed="r") of the same matrix as CSR, plain
and gzip, rows sorted as HDF5 likes them, or as a view adata[rows]. Wall seconds, the least of
interleaved rounds. Run:

    pip install -e '.[expression]' -c constraints.txt && python benchmarks/expression_store.py
"""

import tempfile
import time
from pathlib import Path

import anndata
import common
import numpy as np
import pandas as pd
import torch
from scipy import sparse

from jepa_steps.config.training import parse_dataset
from jepa_steps.modalities import open_store
from jepa_steps.modalities.expression.prepare import prepare
from jepa_steps.modalities.expression.ragged import densify

CELLS, GENES, DENSITY, BATCH, ROUNDS = 20_000, 5_000, 0.2, 256, 7


def screen(folder: Path) -> None:
    rng = np.random.default_rng(0)
    blocks = [
        sparse.csr_matrix(rng.poisson(-np.log(1 - DENSITY), (1000, GENES)).astype(np.float32))
        for _ in range(CELLS // 1000)
    ]
    labels = rng.choice(["control", *(f"gene{i}" for i in range(40))], CELLS)
    a = anndata.AnnData(
        sparse.vstack(blocks, format="csr"),
        obs=pd.DataFrame({"perturbation": labels}, index=[f"cell{i}" for i in range(CELLS)]),
        var=pd.DataFrame(index=[f"gene{i}" for i in range(GENES)]),
    )
    a.write_h5ad(folder / "plain.h5ad")
    a.write_h5ad(folder / "gzip.h5ad", compression="gzip")


def main() -> None:
    common.header(__doc__.split("\n\n")[0])
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        screen(folder)
        for limit in (0, 512):
            spec = {"source": "h5ad", "path": str(folder / "plain.h5ad"), "dense_limit": limit}
            prepare(parse_dataset(spec, "benchmark", "expression"), folder / str(limit))
        csr, dense = (open_store(folder / str(limit)) for limit in (0, 512))
        backed = {k: anndata.read_h5ad(folder / f"{k}.h5ad", backed="r") for k in ("plain", "gzip")}
        ways = {
            "store, CSR": (20, csr.samples),
            "store, dense copy": (20, dense.samples),
            "store, ragged": (20, csr.csr.ragged),
            "store, ragged, dense by torch": (
                20,
                lambda r: densify(*csr.csr.ragged(r), GENES, torch.device("cpu")),
            ),
            "anndata backed, plain": (1, lambda r: backed["plain"].X[np.sort(r)].toarray()),
            "anndata backed, plain, view": (1, lambda r: backed["plain"][r].X.toarray()),
            "anndata backed, gzip": (1, lambda r: backed["gzip"].X[np.sort(r)].toarray()),
        }
        rng, rate = np.random.default_rng(1), dict.fromkeys(ways, 0.0)
        for _ in range(ROUNDS):
            for way, (batches, read) in ways.items():
                rows = [rng.integers(0, CELLS, BATCH) for _ in range(batches)]
                start = time.perf_counter()
                for batch in rows:
                    read(batch)
                rate[way] = max(rate[way], batches * BATCH / (time.perf_counter() - start))
        for way, value in rate.items():
            print(f"{way:30} {value:10,.0f} rows/s {value / rate['anndata backed, plain']:8.1f}x")


if __name__ == "__main__":
    main()
