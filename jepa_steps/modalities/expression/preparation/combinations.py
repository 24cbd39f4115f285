"""Which labels are combinations: those whose parts are known, or that their doses or types confirm."""

import numpy as np

from ....errors import InputError
from ..dataset import ExpressionDataset
from ..sources.source import ExpressionSource
from .columns import LabelColumns
from .label_text import alone, entries, is_control, joins_names, joins_nothing, split_label, words


def known_names(texts: list[str], genes: list[str], controls: tuple[str, ...]) -> set[str]:
    """Names that may be parts of a combination: genes of the table, what is perturbed alone or beside a
    control, and controls."""
    simple = {text: alone(text, controls) for text in texts}
    known = set(genes) | {name for name in simple.values() if name}
    known |= {piece for text in texts for piece in words(text) if is_control(piece, controls)}
    # A name may hold a dash or a slash itself, as HLA-A does; not where both sides are names.
    whole = {text for text, name in simple.items() if name is None and joins_nothing(text)}
    return known | {text for text in whole if len(split_label(text, "auto", known)) == 1}


def split_labels(
    source: ExpressionSource,
    dataset: ExpressionDataset,
    columns: LabelColumns,
    known: set[str],
    genes: list[str],
) -> list[tuple[str, ...]]:
    """Parts of each label; ``known`` as ``known_names`` gives them, ``genes`` those of the table.

    Raises:
        InputError: a plus between names that nothing confirms: as one gene, the label would carry its
            genes past every split.
    """
    stated = _stated(columns)
    any_case = {name.lower() for name in known} if dataset.ignore_case else set()
    whole = known if dataset.delimiter == "auto" else set(genes)
    parsed = [
        split_label(text, dataset.delimiter, whole, stated.get(i, set()), any_case)
        for i, text in enumerate(columns.perturbation.values)
    ]
    whole = [parts[0] for parts in parsed if len(parts) == 1]
    unclear = [text for text in whole if joins_names(text) and text not in known]
    if unclear and dataset.delimiter == "auto":
        parts = [part.strip() for part in min(unclear).split("+")]
        missing = next(part for part in parts if part not in known)
        raise InputError(
            f"{source.path}: {columns.keys['perturbation']}: {len(unclear)} labels join names, e.g. "
            f"{min(unclear)!r}, but {missing!r} is neither a gene of the table nor perturbed alone; set "
            'delimiter: "+" to split them all the same, or none to take each label as one gene'
        )
    return parsed


def _stated(columns: LabelColumns) -> dict[int, set[int]]:
    """How many parts the types or doses of a label's cells list, where several; by the label's code."""
    stated: dict[int, set[int]] = {}
    for column in filter(None, (columns.type, columns.dose)):
        pairs = np.stack([columns.perturbation.codes, column.codes])
        for text, code in np.unique(pairs[:, pairs.min(axis=0) >= 0], axis=1).T.tolist():
            if (count := entries(column.values[code])) > 1:
                stated.setdefault(text, set()).add(count)
    return stated


def in_one_case(parsed: list[tuple[str, ...]], genes: list[str]) -> list[tuple[str, ...]]:
    """Names that differ in case alone become one: as the gene table has it, or as it stands first in
    order."""
    spelling: dict[str, str] = {}
    for name in (*genes, *sorted({part for parts in parsed for part in parts})):
        spelling.setdefault(name.lower(), name)
    return [tuple(spelling[part.lower()] for part in parts) for parts in parsed]
