"""Every setting of the project: type, unit, bounds, default and reason. Defaults live only here."""

from .base import Settings
from .datasets import ImageDataset
from .experiments import Config, Experiment, check_fit
from .expression import ExpressionDataset, ExpressionSplit, Keys, KnockDown
from .expression_model import ExpressionJepa, ExpressionModel, UntrainedCells
from .judgement import Embed, Evaluate, Monitor, Probe, Rank
from .objective import Objective, Optimizer
from .presets import PRESETS
from .reading import load_config, parse, parse_training, read_yaml, resolved, schema
from .resources import Resources
from .run import JepaRun
from .training import Augment, JepaTraining, Masks, Model, PcaEncoder, RawEncoder, Training, kind

__all__ = [
    "PRESETS",
    "Augment",
    "Config",
    "Embed",
    "Evaluate",
    "Experiment",
    "ExpressionDataset",
    "ExpressionJepa",
    "ExpressionModel",
    "ExpressionSplit",
    "ImageDataset",
    "JepaRun",
    "JepaTraining",
    "Keys",
    "KnockDown",
    "Masks",
    "Model",
    "Monitor",
    "Objective",
    "Optimizer",
    "PcaEncoder",
    "Probe",
    "Rank",
    "RawEncoder",
    "Resources",
    "Settings",
    "Training",
    "UntrainedCells",
    "check_fit",
    "kind",
    "load_config",
    "parse",
    "parse_training",
    "read_yaml",
    "resolved",
    "schema",
]
