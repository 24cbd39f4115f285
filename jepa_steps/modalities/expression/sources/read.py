"""Opens the file a data set names."""

from pathlib import Path

from ....errors import InputError
from ..dataset import ExpressionDataset
from .features import genes_only
from .h5ad import open_h5ad
from .keys import gene_keys
from .npz import open_npz
from .sachs import open_sachs
from .source import ExpressionSource
from .text import open_csv, open_mtx


def open_source(dataset: ExpressionDataset, scratch: Path) -> ExpressionSource:
    """Names and annotations of a data set; the matrix is read by its ``blocks``.

    Args:
        scratch: folder for intermediate files, where the matrix is not stored by rows.

    Raises:
        InputError: missing path, wrong kind of file, no cells, no genes, none that is said to be one.
    """
    path = Path(dataset.path)
    if not path.exists():
        raise InputError(f"path: {path} does not exist; expected {_EXPECTED[dataset.source]}")
    if path.is_dir() != (dataset.source == "mtx"):
        found = "a folder" if path.is_dir() else "a file"
        raise InputError(f"path: {path} is {found}; source {dataset.source} expects "
                         f"{_EXPECTED[dataset.source]}")  # fmt: skip
    source = genes_only(
        {
            "h5ad": lambda: open_h5ad(path, dataset.layer, gene_keys(dataset), scratch),
            "mtx": lambda: open_mtx(path, dataset, scratch),
            "npz": lambda: open_npz(path, dataset),
            "csv": lambda: open_csv(path, dataset),
            "sachs": open_sachs,
        }[dataset.source]()
    )
    if not source.cells or not source.genes["index"]:
        raise InputError(
            f"{path}: found {source.cells} cells and {len(source.genes['index'])} genes, expected some"
        )
    return source


_EXPECTED = {
    "h5ad": "an .h5ad file",
    "mtx": "a folder with matrix.mtx, barcodes.tsv and features.tsv",
    "npz": "an .npz file",
    "csv": "a .csv file",
    "sachs": "a data card, config/cards/sachs.md",
}
