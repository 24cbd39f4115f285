"""The columns that say what was done to each cell: perturbation, type and dose, of the table or out of
labels that say all of it (``label_pattern``)."""

import re
from dataclasses import dataclass

import numpy as np

from ....errors import InputError
from ..dataset import ExpressionDataset
from ..sources.keys import find_keys
from ..sources.source import Column, ExpressionSource
from .label_text import CONTROLS, is_control

OF_LABEL = "label_pattern"  # stands for the name of a column that a pattern takes out of the label


@dataclass(frozen=True)
class LabelColumns:
    """Codes and texts of n cells. keys: the column behind each annotation, None where there is none."""

    keys: dict[str, str | None]
    perturbation: Column
    type: Column | None
    dose: Column | None


def read_columns(source: ExpressionSource, dataset: ExpressionDataset) -> LabelColumns:
    """Find the columns and read labels as the settings say.

    Raises:
        InputError: a key that is no column, no perturbations, or labels that the pattern does not match.
    """
    keys = find_keys(source, dataset)
    label = source.column(keys["perturbation"]).naming(dataset.control)
    read = {what: source.column(keys[what]) if keys[what] else None for what in ("type", "dose", "unit")}
    if dataset.label_pattern:
        taken = _taken_apart(label, keys["perturbation"], source, dataset)
        label = taken.pop("perturbation")
        for what in taken:
            if getattr(dataset.keys, what) not in (None, "none"):
                raise InputError(
                    f"{source.path}: label_pattern and keys.{what}: found a {what} in both, expected one"
                )
        read |= taken
        keys |= dict.fromkeys(taken, OF_LABEL)
    dose = read["dose"]
    if dose and read["unit"]:
        dose = _beside(dose, read["unit"])
    return LabelColumns(keys, label, read["type"], dose)


def _taken_apart(
    label: Column, key: str, source: ExpressionSource, dataset: ExpressionDataset
) -> dict[str, Column]:
    """A column for each named part of the pattern; what stands outside of the parts is left out."""
    pattern = re.compile(dataset.label_pattern)
    names = [name for name in ("perturbation", "type", "dose") if name in pattern.groupindex]
    rows = [_parts_of(text, pattern, names, dataset) for text in label.values]
    strange = [text for text, row in zip(label.values, rows, strict=True) if row is None]
    if strange:
        raise InputError(
            f"{source.path}: label_pattern: {len(strange)} of {len(rows)} labels of {key!r} do not "
            f"match, e.g. {min(strange)!r}; expected a pattern of whole labels, controls aside"
        )
    return {name: recoded(label.codes, [row[i] for row in rows]) for i, name in enumerate(names)}


def _parts_of(
    text: str, pattern: re.Pattern, names: list[str], dataset: ExpressionDataset
) -> list[str] | None:
    """Texts of the named parts, a dose with its unit. With a delimiter of the user's each piece is
    matched by itself. The label of a control stays as it is."""
    controls = dataset.control or CONTROLS
    if is_control(text, controls):
        return [text if name == "perturbation" else "" for name in names]
    join = dataset.delimiter if dataset.delimiter not in ("auto", "none") else None
    rows = []
    for piece in text.split(join) if join else [text]:
        piece = piece.strip()
        match = pattern.fullmatch(piece)
        if match is None and not is_control(piece, controls):
            return None
        part = {k: (v or "").strip() for k, v in match.groupdict().items()} if match else {}
        part["dose"] = f"{part.get('dose', '')} {part.get('unit', '')}".strip()
        rows.append({"perturbation": piece, "type": ""} | part)
    signs = {"perturbation": join or "", "type": "+", "dose": "+"}
    return [signs[name].join(filter(None, (row[name] for row in rows))) for name in names]


def recoded(codes: np.ndarray, texts: list[str]) -> Column:
    """A column of ``texts``, one of each code; equal ones become one, empty ones are missing."""
    values = list(dict.fromkeys(filter(None, texts)))
    code = {text: i for i, text in enumerate(values)} | {"": -1}
    return Column(np.array([*(code[text] for text in texts), -1], np.int32)[codes], values)


def _beside(dose: Column, unit: Column) -> Column:
    """Doses with their units behind them."""
    pairs, member = np.unique(np.stack([dose.codes, unit.codes]), axis=1, return_inverse=True)
    texts = ["" if d < 0 else dose.values[d] if u < 0 else f"{dose.values[d]} {unit.values[u]}"
             for d, u in pairs.T.tolist()]  # fmt: skip
    return recoded(member.reshape(-1), texts)
