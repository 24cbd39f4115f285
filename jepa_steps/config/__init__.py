"""Every setting of the project: type, unit, bounds, default and reason. Defaults live only here."""

from .base import Settings
from .datasets import ImageDataset
from .experiments import Config, Experiment, check_fit
from .expression import ExpressionDataset, ExpressionSplit, Keys, KnockDown
from .judgement import Embed, Monitor, Probe, Rank
from .objective import Objective, Optimizer
from .presets import PRESETS
from .reading import load_config, parse, parse_training, read_yaml, resolved, schema
from .resources import Resources
from .training import Augment, JepaTraining, Masks, Model, PcaEncoder, RawEncoder, Training

__all__ = [
    "PRESETS",
    "Augment",
    "Config",
    "Embed",
    "Experiment",
    "ExpressionDataset",
    "ExpressionSplit",
    "ImageDataset",
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
    "check_fit",
    "load_config",
    "parse",
    "parse_training",
    "read_yaml",
    "resolved",
    "schema",
]
