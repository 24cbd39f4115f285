"""Every setting of the project: type, unit, bounds, default and reason. Defaults live only here and in
``modalities/*/settings.py``. The whole of config.yaml: ``experiments.py``."""

from .base import Settings
from .embed import Embed
from .evaluate import Evaluate
from .floors import JUDGED, PcaEncoder, RawEncoder, UntrainedEncoder, UntrainedModel
from .given import ModuleEncoder, PretrainedEncoder, UntrainedPretrained
from .masks import Masks
from .monitor import Monitor
from .objective import Objective, Optimizer
from .predictor import Predictor
from .probe import Probe
from .rank import Rank
from .reading import parse, read_yaml, resolved
from .resources import Resources
from .run import JepaRun

__all__ = [
    "JUDGED",
    "Embed",
    "Evaluate",
    "JepaRun",
    "Masks",
    "ModuleEncoder",
    "Monitor",
    "Objective",
    "Optimizer",
    "PcaEncoder",
    "Predictor",
    "PretrainedEncoder",
    "Probe",
    "Rank",
    "RawEncoder",
    "Resources",
    "Settings",
    "UntrainedEncoder",
    "UntrainedModel",
    "UntrainedPretrained",
    "parse",
    "read_yaml",
    "resolved",
]
