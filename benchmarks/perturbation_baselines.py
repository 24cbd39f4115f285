"""Claim: the baselines and metrics reproduce the anchor table of a real Perturb-seq set to .001.

The set: 5,961 cells x 500 genes, log-normalised, of PerturBench's resources (devel.h5ad, BSD-3; Norman
2019 CRISPRa in K562, McFaline 2023 CRISPRi in A172, T98G, U87MG). Run:

    pip install -c constraints.txt anndata && python benchmarks/perturbation_baselines.py devel.h5ad

Conventions that give the anchors, found by trying splits and definitions until the figures agreed:

- all 500 genes; K562 only in A, B and C; profiles are means over cells, every perturbation counts once;
- effects are read against the mean of the training controls (B and C: all K562 controls);
- the perturbed reference is the mean of the training perturbations' means;
- matching mean: mean of the genes' singles, a gene without one counting as the perturbed mean;
- additive: a gene without a single contributes the mean effect;
- L2 is the Euclidean norm over genes, averaged over perturbations; PDS takes l1 distances;
- an undefined correlation is left out of the mean (as 0 it would make the additive row
  of B .050);
- A: cells in file order, numpy default_rng(0).permutation, 70 % train, 15 % val, 15 % test;
- B: the 33 sorted condition names, default_rng(seed).permutation, the last 10 are tested and 23 train,
  seeds 0 to 4; whole conditions are held out, not genes. +- is the standard deviation over seeds;
- C: trained on the 18 singles only, tested on the 5 pairs of which both singles are measured;
- D: one McFaline line tested, trained on all the other lines.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from jepa_steps.modalities.expression.effects import baselines
from jepa_steps.modalities.expression.effects.ceiling import split_half
from jepa_steps.modalities.expression.effects.metrics import evaluate, mean_over_perturbations
from jepa_steps.modalities.expression.effects.pseudobulk import condition, group_means, training_table

Table = dict[str, dict[str, float]]

LINES = ("A172", "T98G", "U87MG")


@dataclass(frozen=True)
class Cells:
    """Expression (n, G) CSR, and the file's name of condition and cell line of each cell, str (n,)."""

    expression: csr_matrix
    names: np.ndarray
    lines: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> "Cells":
        return Cells(self.expression[rows], self.names[rows], self.lines[rows])

    @property
    def conditions(self) -> list[tuple[str, ...]]:
        return [() if n == "control" else condition(*n.split("+")) for n in self.names]


def read(path: Path) -> Cells:
    from anndata import read_h5ad

    data = read_h5ad(path)
    columns = (data.obs[c].to_numpy(dtype=str) for c in ("condition", "cell_type"))
    return Cells(data.X.tocsr(), *columns)


def scores(train: Cells, test: Cells, repeats: int = 0) -> Table:
    """Mean of each metric for each baseline, and of the split-half ceiling (repeats > 0)."""
    table = training_table(train.expression, train.conditions, train.lines)
    pairs = list(zip(test.conditions, test.lines, strict=True))
    keys = sorted({pair for pair in pairs if pair[0]})
    conditions, contexts = [c for c, _ in keys], [k for _, k in keys]
    number = {key: i for i, key in enumerate(keys)}
    codes = np.array([number.get(pair, -1) for pair in pairs])
    observed = group_means(test.expression, codes, len(keys))
    control = baselines.no_change(table, conditions, contexts)
    perturbed = baselines.perturbed_mean(table, conditions, contexts)

    def score(predicted, truth):
        return evaluate(predicted, truth, control, perturbed, contexts)

    values = {
        name: score(predict(table, conditions, contexts), observed)
        for name, predict in baselines.BASELINES.items()
    }
    shuffle = baselines.shuffled(table, 0)
    values["additive, shuffled"] = score(baselines.additive(shuffle, conditions, contexts), observed)
    if repeats:
        values["split-half ceiling"] = split_half(
            test.expression, codes, len(keys), score, repeats, seed=0
        )
    return {
        name: {metric: mean_over_perturbations(v)[0] for metric, v in result.items()}
        for name, result in values.items()
    }


def random_cells(cells: Cells) -> Table:
    """A: the leak."""
    k562 = cells[cells.lines == "k562"]
    n = len(k562.names)
    order = np.random.default_rng(0).permutation(n)
    return scores(k562[order[: round(0.7 * n)]], k562[order[round(0.7 * n) + round(0.15 * n) :]])


def unseen_perturbations(cells: Cells, seed: int) -> Table:
    """B: ten whole conditions held out."""
    k562 = cells[cells.lines == "k562"]
    names = sorted(set(k562.names) - {"control"})
    held = np.random.default_rng(seed).permutation(names)[-10:]
    test = np.isin(k562.names, held)
    return scores(k562[~test], k562[test])


def pairs_of_measured_singles(cells: Cells) -> Table:
    """C: pairs from their singles."""
    k562 = cells[cells.lines == "k562"]
    singles = [n for n in set(k562.names) if "+" not in n]
    pairs = [n for n in set(k562.names) if "+" in n and set(n.split("+")) <= set(singles)]
    train, test = (np.isin(k562.names, names) for names in (singles, pairs))
    return scores(k562[train], k562[test], repeats=20)


def unseen_line(cells: Cells, line: str) -> Table:
    """D: one cell line held out, its controls known."""
    test = (cells.lines == line) & (cells.names != "control")
    return scores(cells[~test], cells[test], repeats=20)


def over(tables: list[Table]) -> dict[str, dict[str, tuple[float, float]]]:
    """Mean and standard deviation over seeds or folds, undefined ones left out."""

    def spread(name: str, metric: str) -> tuple[float, float]:
        values = np.array([table[name][metric] for table in tables])
        values = values[np.isfinite(values)]
        return (float(values.mean()), float(values.std())) if len(values) else (np.nan, np.nan)

    return {name: {m: spread(name, m) for m in row} for name, row in tables[0].items()}


def main() -> None:
    cells = read(Path(sys.argv[1]))
    columns = ("pearson_delta", "pearson_delta_perturbed", "l2", "discrimination", "top20_precision")
    settings = {
        "A. random cells (the leak)": [random_cells(cells)],
        "B. unseen perturbation, 5 seeds": [unseen_perturbations(cells, seed) for seed in range(5)],
        "C. pairs of measured singles": [pairs_of_measured_singles(cells)],
        "D. unseen cell line, 3 folds": [unseen_line(cells, line) for line in LINES],
    }
    for title, tables in settings.items():
        print(f"\n{title}\n{'':20}" + "".join(f"{c:>26}" for c in columns))
        for name, row in over(tables).items():
            shown = (f"{row[c][0]:.3f} ± {row[c][1]:.2f}" for c in columns)
            print(f"{name:20}" + "".join(f"{s:>26}" for s in shown))


if __name__ == "__main__":
    main()
