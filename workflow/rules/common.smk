# Paths and settings that the rules share.
import json
import sys

from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

sys.path.insert(0, workflow.basedir)
import jepa_steps.config as settings
from jepa_steps.errors import InputError
from jepa_steps.provenance import code_digest

try:
    settings.parse(settings.Config, config, "config")
except InputError as error:
    raise WorkflowError(str(error))
validate(config, "../schemas/config.schema.json", set_default=False)


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
    return config["experiments"][wildcards.experiment]["train"].get("threads", 1)


# What the report reads of each experiment.
REPORTED = {
    "train": ["encoder.json", "summary.json", "metrics.csv"],
    "monitor": [
        "monitor.json",
        "losses.svg",
        "masks.svg",
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
