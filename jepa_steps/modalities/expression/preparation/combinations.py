"""Which labels are combinations: those whose parts are known, or that their doses or types confirm."""

import numpy as np

from ....errors import InputError
from ..dataset import ExpressionDataset
from ..sources.source import Column, ExpressionSource
from .label_text import entries, is_control, joins_names, split_label, words


def split_labels(
    source: ExpressionSource, dataset: ExpressionDataset, keys: dict, label: Column, known: set[str]
) -> list[tuple[str, ...]]:
    """Parts of each label.

    Raises:
        InputError: a plus between names that nothing confirms: as one gene, the label would carry its
            genes past every split.
    """
    stated = _stated(source, keys, label)
    parsed = [split_label(text, dataset.delimiter, known, stated.get(i, set()))
              for i, text in enumerate(label.values)]  # fmt: skip
    whole = [parts[0] for parts in parsed if len(parts) == 1]
    unclear = [text for text in whole if joins_names(text) and text not in known]
    if unclear and dataset.delimiter == "auto":
        parts = [part.strip() for part in min(unclear).split("+")]
        missing = next(part for part in parts if part not in known)
        raise InputError(
            f"{source.path}: {keys['perturbation']}: {len(unclear)} labels join names, e.g. "
            f"{min(unclear)!r}, but {missing!r} is neither a gene of the table nor perturbed alone; set "
            "delimiter: + to split them all the same, or none to take each label as one gene"
        )
    return parsed


def _stated(source: ExpressionSource, keys: dict, label: Column) -> dict[int, set[int]]:
    """How many parts the types or doses of a label's cells list, where several; by the label's code."""
    stated: dict[int, set[int]] = {}
    for column in (source.column(keys[what]) for what in ("type", "dose") if keys[what]):
        pairs = np.stack([label.codes, column.codes])
        for text, code in np.unique(pairs[:, pairs.min(axis=0) >= 0], axis=1).T.tolist():
            if (count := entries(column.values[code])) > 1:
                stated.setdefault(text, set()).add(count)
    return stated


def kept_whole(
    texts: list[str], parsed: list[tuple[str, ...]], known: set[str], controls: tuple[str, ...]
) -> list[str]:
    """Labels taken as one gene that hold the name of another, as those of its guides do."""
    return sorted(
        text
        for text, parts in zip(texts, parsed, strict=True)
        if len(parts) == 1 and text not in known and not is_control(text, controls)
        and any(piece in known and not is_control(piece, controls) for piece in words(text))
    )  # fmt: skip
