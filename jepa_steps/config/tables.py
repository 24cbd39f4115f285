"""Every setting as Markdown tables: docs/settings.md."""

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from .datasets import ImageDataset, Split
from .experiments import Experiment
from .expression import ExpressionDataset, ExpressionSplit, Keys, KnockDown
from .expression_model import CellPredictor, ExpressionJepa, ExpressionModel, UntrainedCells
from .judgement import Embed, Evaluate, Monitor, Probe, Rank
from .objective import Objective, Optimizer
from .resources import Resources
from .run import JepaRun
from .training import (
    Augment,
    JepaTraining,
    Masks,
    Model,
    PcaEncoder,
    Predictor,
    RawEncoder,
    UntrainedEncoder,
)

BLOCKS: dict[str, type[BaseModel]] = {
    "images.NAME": ImageDataset,
    "images.NAME.split": Split,
    "expression.NAME": ExpressionDataset,
    "expression.NAME.keys": Keys,
    "expression.NAME.split": ExpressionSplit,
    "expression.NAME.knock_down": KnockDown,
    "experiments.NAME": Experiment,
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
    "train, floor: an untrained encoder of images": UntrainedEncoder,
    "train, floor: an untrained encoder of cells": UntrainedCells,
    "train, floor: principal components": PcaEncoder,
    "train, floor: the input itself": RawEncoder,
    "embed": Embed,
    "evaluate": Evaluate,
    "monitor": Monitor,
    "rank": Rank,
    "probe": Probe,
    "resources": Resources,
}
HEAD = """# Every setting

Blocks of a config, in the order in which they are used; `train` to `resources` stand below
`experiments.NAME`. Made by `python -m jepa_steps.config settings`.
"""


def settings_page() -> str:
    """docs/settings.md: a heading and a table of name, default, meaning for every block."""
    return "\n".join([HEAD, *(f"## {name}\n\n{_table(block)}" for name, block in BLOCKS.items())])


def _table(block: type[BaseModel]) -> str:
    lines = ["| setting | default | what and why |", "|---|---|---|"]
    known = set(JepaRun.model_fields) - {"encoder", "objective"} if block is ExpressionJepa else set()
    for name, field in block.model_fields.items():
        if name in known:
            continue
        meaning = " ".join((field.description or "").split()).replace("|", "\\|")
        lines.append(f"| `{name}` | {_default(field.default)} | {meaning} |")
    return "\n".join(lines) + "\n"


def _default(value: object) -> str:
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, Objective) and value != Objective():
        return ", ".join(
            f"{name}: {_default(v)}" for name, v in value if v != getattr(Objective(), name)
        )
    if isinstance(value, BaseModel):
        return "see its table"
    if value is None:
        return "null"
    return str(list(value) if isinstance(value, tuple) else value).lower()
