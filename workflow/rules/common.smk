# Paths, settings and source files that the rules share.
import json
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

sys.path.insert(0, workflow.basedir)
import jepa_steps.config as settings
from jepa_steps.errors import InputError

try:
    settings.parse(settings.Config, config, "config")
except InputError as error:
    raise WorkflowError(str(error))
validate(config, "../schemas/config.schema.json", set_default=False)

# Relative where possible: the same names as in dvc.yaml.
BASE = os.path.relpath(workflow.basedir)


def code(*names):
    """The source files of a step: modules, or whole folders of the package."""
    found = []
    for name in names:
        path = Path(BASE, "jepa_steps", name)
        found += [path] if path.suffix else sorted(path.glob("*.py"))
    return [os.path.normpath(p) for p in found]


# The modules that read prepared tables, without those that decode images.
TABLES = ["data/__init__.py", "data/counter.py", "data/splits.py", "data/store.py"]


def spec(block):
    """A function of the wildcards: the settings of one block as JSON, as dvc.yaml tracks them."""

    def read(wildcards):
        return json.dumps(config["experiments"][wildcards.experiment].get(block, {}))

    return read


def prepared(wildcards):
    """The prepared files of an experiment's data set."""
    dataset = config["experiments"][wildcards.experiment]["dataset"]
    return [
        f"data/{dataset}/{name}"
        for name in ("images.npy", "splits.csv", "manifest.json")
    ]


def dataset_of(wildcards):
    return f"data/{config['experiments'][wildcards.experiment]['dataset']}"


def threads_of(wildcards):
    """Training uses as many threads as its settings say; they are part of the result."""
    return config["experiments"][wildcards.experiment]["train"].get("threads", 2)


# What the report reads of each experiment.
REPORTED = {
    "train": ["encoder.json", "summary.json", "metrics.csv"],
    "monitor": [
        "monitor.json",
        "losses.svg",
        "over_training.svg",
        "rates.svg",
        "std.svg",
    ],
    "rank": ["rank.json", "spectrum.svg"],
    "probe": [
        "probe.json",
        "predictions.csv",
        "classes.csv",
        "confusion.svg",
        "components.svg",
    ],
}


wildcard_constraints:
    experiment="|".join(config["experiments"]),
    dataset="|".join(config["datasets"]),
