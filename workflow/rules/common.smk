# Paths and settings that the rules share.
import gc
import json
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.enums import Quietness

sys.path.insert(0, workflow.basedir)
from jepa_steps.config import reading, resolved
from jepa_steps.config.experiments import Config
from jepa_steps.config.training import given_path
from jepa_steps.errors import InputError
from jepa_steps.init import check_version
from jepa_steps.modalities import MODALITIES, part
from jepa_steps.provenance import code_digest, source_digest
from jepa_steps.reporting.contents import read_files

# "python" in a rule is the one that plans, on the nodes of a cluster, too.
shell.prefix(f'export PATH="{Path(sys.executable).parent}:$PATH"; set -euo pipefail; ')
config_files = " + ".join(map(str, workflow.configfiles)) or "config"


def stopped(reason):
    """The error that stops planning, written out where --quiet all would drop it."""
    if Quietness.ALL in (workflow.output_settings.quiet or ()):
        print(reason, file=sys.stderr)
    return WorkflowError(reason)


try:
    check_version(Path(workflow.basedir))
    for file in workflow.configfiles:
        # Of two keys of one name Snakemake takes the last, without a word.
        reading.refuse_repeated_keys(Path(file))
    checked = reading.parse(Config, config, config_files)
except InputError as error:
    raise stopped(str(error))
# What is read by now stays to the end: without this a tenth of planning a sweep is spent on looking
# through it for garbage, again and again.
gc.freeze()
for block in (*MODALITIES, "experiments"):
    config.setdefault(block, {})


def spec(block):
    """A function of the wildcards: the settings of one block as JSON, as dvc.yaml tracks them."""

    def read(wildcards):
        return json.dumps(config["experiments"][wildcards.experiment].get(block, {}))

    return read


def modality_of(wildcards):
    """The kind of data of an experiment."""
    return checked.experiments[wildcards.experiment].modality


def code(step):
    """A function of the wildcards: the digest of what a step runs on an experiment's kind of data."""
    digests = {modality: code_digest(step, modality) for modality in MODALITIES}
    return lambda wildcards: digests[modality_of(wildcards)]


def files_of(modality):
    """What prepare writes of a kind of data."""
    return part(modality, "settings").FILES


def needs_of(modality):
    """What prepare asks of a machine."""
    return part(modality, "settings").PREPARE


def prepared(wildcards):
    """The prepared files of an experiment's data set."""
    folder = dataset_of(wildcards)
    return [f"{folder}/{name}" for name in files_of(modality_of(wildcards))]


def splits(wildcards):
    """The table of an experiment's samples, and the manifest, which says what its columns are."""
    folder = dataset_of(wildcards)
    return [f"{folder}/splits.csv", f"{folder}/manifest.json"]


def dataset_of(wildcards):
    return f"data/{config['experiments'][wildcards.experiment]['dataset']}"


def threads_of(block):
    """A function of the wildcards: threads as the settings say, of which they are a part; 1 where the
    block has none."""

    def read(wildcards):
        experiment = checked.experiments[wildcards.experiment]
        return getattr(getattr(experiment, block), "threads", 1)

    return read


def machines(wildcards):
    """What an experiment asks of a cluster."""
    return checked.experiments[wildcards.experiment].resources


def growing(amount):
    """A resource that grows with every try; the number of tries is the profile's."""
    return lambda wildcards, attempt: attempt * amount(wildcards)


def processes_per_node(wildcards):
    return max(1, machines(wildcards).gpus)


def processes(wildcards):
    return machines(wildcards).nodes * processes_per_node(wildcards)


def gpus_of_a_node(wildcards):
    """Slurm's --gres; the site's name of a GPU is the profile's."""
    asked = machines(wildcards).gpus
    site = workflow.resource_settings.default_resources or {}
    # As it stands in the profile: its value is for the rules that use it.
    kind = site["gpu_type"].raw if "gpu_type" in site else None
    return f"gpu:{f'{kind}:' if kind else ''}{asked}" if asked else ""


def reported():
    """What the report reads: the results of every experiment, the audit of every data set."""
    results = [
        f"results/{path}" for name in config["experiments"] for path in read_files(name)
    ]
    return results + [f"{folder}/manifest.json" for folder in data_folders()]


def datasets():
    """(kind of data, name) of every data set, in the order of the config."""
    return [(modality, name) for modality in MODALITIES for name in config[modality]]


def data_folders():
    """The data sets that experiments use, in the order of the config."""
    used = {experiment["dataset"] for experiment in config["experiments"].values()}
    return [f"data/{name}" for _, name in datasets() if name in used]


def sources(modality, name):
    """Paths that prepare reads of a data set, by the setting that names them."""
    return part(modality, "settings").sources(checked.datasets(modality)[name])


def source_of(modality):
    """A function of the wildcards: the digest of what prepare reads, so that a file that was added, deleted
    or replaced by an older one is a reason to run again."""
    return lambda w: source_digest(
        [Path(p) for p in sources(modality, w.dataset).values()]
    )


def was_prepared(name, key, path):
    """Whether a data set is there that was made from this path."""
    manifest = Path("data", name, "manifest.json")
    settings = json.loads(manifest.read_text())["settings"] if manifest.exists() else {}
    return settings.get(key) == path


def check_sources():
    """Stop with one line where a data set is still to be prepared and its file is not there."""
    if workflow.storage_settings.default_storage_provider:
        return
    for modality, name in datasets():
        for key, path in sources(modality, name).items():
            if not Path(path).exists() and not was_prepared(name, key, path):
                raise stopped(
                    f"{config_files}: {modality}.{name}.{key}: found no {path} in {Path.cwd()}; put it "
                    "there, or give an absolute path"
                )


check_sources()


def check_weights():
    """Stop with one line where weights are not there and no training has read them: in the function of
    an input this would be taken for nothing to do, where a report exists."""
    for name, experiment in checked.experiments.items():
        path, trained = given_path(experiment.train), Path(
            "results/train", name, "encoder.json"
        )
        if path is None or Path(path).exists() or is_trained_here(path):
            continue
        if not trained.exists() or json.loads(trained.read_text())["train"] != resolved(
            experiment.train
        ):
            raise stopped(
                f"{config_files}: experiments.{name}.train: found no {path} in {Path.cwd()}; put the "
                "weights there, or give an absolute path"
            )


def is_trained_here(path):
    """Whether weights are those of another experiment."""
    folder = Path(path)
    return (
        folder.parent == Path("results/train") and folder.name in config["experiments"]
    )


check_weights()


def weights(wildcards):
    """Files of weights that training reads beside the data; another experiment's are trained first."""
    path = given_path(checked.experiments[wildcards.experiment].train)
    if path is None:
        return []
    if is_trained_here(path):
        return [f"{path}/encoder.json", f"{path}/encoder.safetensors"]
    if Path(path).is_file():
        return [path]
    files = [f for f in Path(path).glob("*") if f.suffix in (".json", ".safetensors")]
    return sorted(map(str, files))


def targets():
    """The report; without experiments, every data set prepared."""
    if config["experiments"]:
        return ["results/report/report.html"]
    return [f"data/{name}/manifest.json" for _, name in datasets()]


def one_of(names):
    """A wildcard constraint: one of these names, and nothing where there are none."""
    return "|".join(names) or "(?!)"


wildcard_constraints:
    experiment=one_of(config["experiments"]),
