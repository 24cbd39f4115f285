"""What a config can say of gene expression: data sets, encoders, how predictions are judged, presets."""

from typing import Annotated, Any

from pydantic import Field

from ...config.base import Settings
from ...config.evaluate import Evaluate as Evaluation
from ...config.given import ModuleEncoder
from .dataset import ExpressionDataset, ExpressionSplit, Keys, KnockDown
from .training import CellPredictor, ExpressionJepa, ExpressionModel, UntrainedCells


class Evaluate(Evaluation):
    """How predictions for held-out perturbations are judged."""

    controls: Annotated[int, Field(ge=1)] = 512
    """Largest number of control cells per context from which predictions are made. The predictions are
    averaged."""
    readout_cells: Annotated[int, Field(ge=16)] = 50_000
    """Largest number of training cells on which the readout is fitted, the map from embeddings to
    expression."""
    halvings: Annotated[int, Field(ge=1)] = 20
    """Number of random halvings of a perturbation's test cells. How well one half predicts the other
    gives the ceiling, the score that a prediction without noise would get."""
    cells: Annotated[int, Field(ge=2)] = 200
    """Largest number of cells per perturbation in an energy distance. It is measured on 50 principal
    components."""


Dataset = ExpressionDataset
ENCODERS = (ExpressionJepa, UntrainedCells, ModuleEncoder)
PREPARE = {"threads": 1, "mem_mb": 1000}  # read in blocks, by one process
FILES = (
    "data.npy",
    "indices.npy",
    "indptr.npy",
    "dense.npy",
    "count_values.npy",
    "splits.csv",
    "genes.csv",
    "gene_features.npy",
    "perturbations.json",
    "audit.json",
    "manifest.json",
)
BLOCKS = {
    "expression.NAME": ExpressionDataset,
    "expression.NAME.keys": Keys,
    "expression.NAME.split": ExpressionSplit,
    "expression.NAME.knock_down": KnockDown,
    "train: a JEPA of expression": ExpressionJepa,
    "train.model of expression": ExpressionModel,
    "train.predictor of expression": CellPredictor,
    "train, floor: an untrained encoder of expression": UntrainedCells,
    "evaluate of expression": Evaluate,
}
PRESETS: dict[str, dict[str, Any]] = {
    # Specification sections 2 and 3, column of gene expression; for hundreds of perturbations.
    "bio-jepa": {
        "encoder": "bio-jepa",
        "batch_size": 256,
        "model": {"tokenizer": "mlp", "tokens": 64, "dim": 256, "depth": 4, "heads": 8},
        "predictor": {"dim": 128, "depth": 2, "heads": 4},
        "optimizer": {"lr": 0.001, "weight_decay": 0.01},
    },
    # Did best on a screen of 30 perturbations (benchmarks/RESULTS.md): few wide tokens, shifts alone.
    "bio-jepa-small": {
        "encoder": "bio-jepa",
        "steps": 800,
        "batch_size": 256,
        "model": {"tokens": 4, "dim": 128, "depth": 1, "heads": 2},
        "predictor": {"dim": 64, "depth": 0, "heads": 2},
        "optimizer": {"lr": 0.002, "weight_decay": 0.01},
        "validate_every": 200,
    },
    # For embeddings. Chosen on the two screens with counts that benchmarks/RESULTS.md reports it on.
    "thinned-counts": {
        "encoder": "bio-jepa",
        "task": "thinned counts",
        "thinning": 0.3,
        "steps": 400,
        "batch_size": 256,
        "model": {
            "tokenizer": "mlp",
            "tokens": 1,
            "hidden": 512,
            "linear_path": True,
            "dim": 256,
            "depth": 0,
            "heads": 1,
        },
        "objective": {"kind": "vicreg", "level": "pooled", "projector": 512},
        "optimizer": {"lr": 0.0005, "weight_decay": 0.01},
        "validate_every": 40,
        "select": "loss",
    },
    "masked-genes": {
        "encoder": "bio-jepa",
        "task": "masked genes",
        "batch_size": 256,
        "model": {"tokens": 64, "dim": 256, "depth": 4, "heads": 8},
        "predictor": {"dim": 128, "depth": 2, "heads": 4},
        "objective": {"kind": "ema_target"},
        "optimizer": {"lr": 0.001, "weight_decay": 0.01},
    },
}


def sources(dataset: ExpressionDataset) -> dict[str, str]:
    """Paths that prepare reads, by the setting that names them."""
    named = {name: getattr(dataset, name) for name in ("path", "cells", "gene_features_path")}
    return {name: path for name, path in named.items() if path}


def check(dataset: ExpressionDataset, train: Settings) -> None:
    """Nothing in a config tells how many genes there are; ``train`` itself stops where they are too
    few."""
