"""Prepared data sets of any modality."""

from pathlib import Path

from ..cli import read_json
from .expression.store import ExpressionStore, open_expression
from .store import Store, open_store

Prepared = Store | ExpressionStore


def open_prepared(folder: Path) -> Prepared:
    """Open what ``prepare`` wrote.

    Raises:
        InputError: missing, damaged or inconsistent files.
    """
    manifest = read_json(folder / "manifest.json", "modality")
    return open_expression(folder) if manifest["modality"] == "expression" else open_store(folder)
