"""The settings of training as Markdown tables, for docs/training.md."""

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from .expression_model import CellPredictor, ExpressionJepa, ExpressionModel
from .objective import Objective, Optimizer
from .run import JepaRun
from .training import Augment, JepaTraining, Masks, Model, Predictor

BLOCKS: dict[str, type[BaseModel]] = {
    "train": JepaTraining,
    "train.model": Model,
    "train.predictor": Predictor,
    "train.masks": Masks,
    "train.augment": Augment,
    "train.objective": Objective,
    "train.optimizer": Optimizer,
    "train of cells, beside the settings of a run above": ExpressionJepa,
    "train.model of cells": ExpressionModel,
    "train.predictor of cells": CellPredictor,
}


def settings_tables() -> str:
    """A heading and a table of name, default, meaning for every block of a training."""
    return "\n".join(f"### {name}\n\n{_table(block)}" for name, block in BLOCKS.items())


def _table(block: type[BaseModel]) -> str:
    lines = ["| setting | default | what and why |", "|---|---|---|"]
    known = set(JepaRun.model_fields) - {"encoder"} if block is ExpressionJepa else set()
    for name, field in block.model_fields.items():
        if name in known:
            continue
        meaning = " ".join((field.description or "").split()).replace("|", "\\|")
        lines.append(f"| `{name}` | {_default(field.default)} | {meaning} |")
    return "\n".join(lines) + "\n"


def _default(value: object) -> str:
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        return "see below"
    if value is None:
        return "null"
    return str(list(value) if isinstance(value, tuple) else value).lower()
