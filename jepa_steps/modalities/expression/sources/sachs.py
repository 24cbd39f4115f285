"""Protein levels of perturbed T cells (Sachs et al. 2005, Science 308:523), out of the package cdt.

The file has no column of conditions. Its rows are the nine data sets of the paper's supplement one after
the other, in the published order; config/cards/sachs.md says how that was checked.
"""

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
from scipy import sparse

from ....data.installed import installed
from ....errors import InputError
from .annotations import in_memory
from .source import ExpressionSource, block, factorise

CONDITIONS = {
    "control": 853,  # CD3 and CD28 alone
    "ICAM-2": 902,
    "AKT-inhibitor": 911,
    "G06976": 723,
    "psitectorigenin": 810,
    "U0126": 799,
    "LY294002": 848,
    "PMA": 913,
    "b2cAMP": 707,
}
"""Cells of each condition, in the order of the rows."""
INSTALL = "pip install --no-deps cdt==0.6.0"
_FILE = "cdt/data/resources/cyto_full_data.csv"
_SHA256 = "fc331dcd0bc1d8765986b88cd1d23dd5a3f52e4ffc299fdf96de9d522ddf01aa"
_NOTE = "conditions come from the published order of the rows; the file does not name them"


def open_sachs() -> ExpressionSource:
    """7,466 cells x 11 proteins and lipids, nine conditions.

    Raises:
        InputError: cdt is not installed, or holds another file.
    """
    path = located()
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != _SHA256:
        raise InputError(f"{path}: found sha256 {found[:12]}…, expected {_SHA256[:12]}…; {INSTALL}")
    proteins, *rows = csv.reader(io.StringIO(content.decode()))
    values = np.array(rows, np.float32)
    labels = list(chain.from_iterable([name] * n for name, n in CONDITIONS.items()))
    kinds = ["" if label == "control" else "compound" for label in labels]
    columns = {"condition": factorise(labels), "perturbation_type": factorise(kinds)}

    def blocks() -> Iterator[sparse.csr_matrix]:
        yield block(values)

    names = [str(row) for row in range(len(values))]
    return replace(in_memory(path, names, {"index": proteins}, columns, blocks), note=_NOTE)


def located() -> Path:
    """The file, found without importing cdt, whose dependencies are not installed.

    Raises:
        InputError: cdt is not installed.
    """
    return installed("cdt", _FILE, "source sachs", INSTALL)
