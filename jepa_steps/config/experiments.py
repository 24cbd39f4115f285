"""The whole of config.yaml, and what must fit together in it.

An experiment has the blocks of its kind of data: ``modality`` says which, and is that of its data set
where it is left out.
"""

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from pydantic import Field, create_model, model_validator

from ..modalities import MODALITIES, part
from .base import NAME, Settings
from .embed import Embed
from .evaluate import Evaluate
from .monitor import Monitor
from .probe import Probe
from .rank import Rank
from .reading import parse, read_yaml
from .resources import Resources
from .training import check_evaluate, check_fit, training_type

Name = Annotated[str, Field(pattern=NAME)]
PRESETS: dict[str, tuple[str, dict[str, Any]]] = {
    name: (modality, block)
    for modality in MODALITIES
    for name, block in part(modality, "settings").PRESETS.items()
}


class Experiment(Settings):
    """One encoder on one data set, and how it is judged."""

    dataset: str
    """Name of one of the data sets in this config."""
    modality: str
    """Kind of data. If you leave it out, it is the kind of the data set. DVC cannot look that up, so for
    DVC you must write it."""
    train: Settings
    """The encoder, and how it is trained."""
    embed: Embed = Embed()
    """How samples become embeddings."""
    evaluate: Evaluate = Evaluate()
    """How predictions are judged."""
    monitor: Monitor = Monitor()
    """Thresholds of the monitor's verdicts."""
    rank: Rank = Rank()
    """How the ranks of the embeddings are measured."""
    probe: Probe = Probe()
    """How probes predict labels from the embeddings."""
    resources: Resources = Resources()
    """Machines for training. They do not change the result beyond rounding."""


def _experiment(modality: str) -> type[Experiment]:
    """The type of an experiment on one kind of data."""
    evaluate = part(modality, "settings").Evaluate
    fields = Experiment.model_fields
    return create_model(
        f"{modality.capitalize()}Experiment",
        __base__=Experiment,
        __doc__=f"One encoder on a data set of {modality}, and how it is judged.",
        modality=(Literal[modality], Field(description=fields["modality"].description)),
        train=(training_type(modality), Field(description=fields["train"].description)),
        evaluate=(evaluate, Field(evaluate(), description=fields["evaluate"].description)),
    )


class _Config(Settings):
    """The whole of config.yaml."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in_modalities(cls, value: Any) -> Any:
        """Each experiment's kind of data, from the block that its data set stands in."""
        if not isinstance(value, dict) or set(value) - set(cls.model_fields):
            return value  # which another validator names
        _check_names(value)
        modality = _modality_by_name(value)
        experiments = value.get("experiments")
        if not isinstance(experiments, dict):
            return value
        filled = {
            name: _filled(e, modality, f"experiments.{name}") if isinstance(e, dict) else e
            for name, e in experiments.items()
        }
        return {**value, "experiments": filled}

    @model_validator(mode="after")
    def _training_fits_the_data(self) -> "_Config":
        for name, experiment in self.experiments.items():
            where, modality = f"experiments.{name}", experiment.modality
            dataset = self.datasets(modality)[experiment.dataset]
            check_fit(modality, dataset, experiment.train, where)
            _check_batch(experiment, where)
            check_evaluate(modality, dataset, experiment.train, experiment.evaluate, where)
        return self

    def datasets(self, modality: str) -> dict[str, Settings]:
        """The data sets of a kind by name."""
        return getattr(self, modality)


def _check_batch(experiment: Any, where: str) -> None:
    """Whether the batch divides among the processes that the machines start."""
    batch, asked = getattr(experiment.train, "batch_size", None), experiment.resources
    if batch is None:
        return
    pieces, each = experiment.train.accumulate, max(asked.gpus, 1)
    parts = asked.nodes * each * pieces
    if batch % parts:
        raise ValueError(
            f"{where}.train.batch_size: found {batch}, expected a multiple of {parts} (resources.nodes "
            f"{asked.nodes} x {each} per node, one process each; train.accumulate {pieces})"
        )


def _check_names(value: dict[str, Any]) -> None:
    for block in (*MODALITIES, "experiments"):
        for name in value[block] if isinstance(value.get(block), dict) else ():
            if not isinstance(name, str):
                raise ValueError(
                    f"{block}: found the name {name!r}, expected text; YAML reads no, off, yes, on and "
                    "numbers as other values: write the name in quotes"
                )


def _modality_by_name(value: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for modality in MODALITIES:
        block = value.get(modality)
        for name in block if isinstance(block, dict) else ():
            if name in found:
                raise ValueError(
                    f"{modality}.{name}: found the name under {found[name]} too; rename one of them"
                )
            found[name] = modality
    if not found and not any(value.get(modality) for modality in MODALITIES):
        raise ValueError(f"found no data set, expected at least one under {' or '.join(MODALITIES)}")
    return found


def _filled(experiment: dict[str, Any], modality: dict[str, str], where: str) -> dict[str, Any]:
    name, stated = experiment.get("dataset"), experiment.get("modality")
    if not isinstance(name, str):
        return {"modality": MODALITIES[0], **experiment}  # that dataset is wrong is said by its type
    if name not in modality:
        near = difflib.get_close_matches(name, modality, 1, cutoff=0.5)
        expected = (
            f"did you mean {near[0]!r}?" if near else f"expected a key of {' or '.join(MODALITIES)}"
        )
        there = ", ".join(map(str, modality))
        raise ValueError(f"{where}.dataset: found {name!r}, {expected} (there: {there})")
    if stated is not None and stated != modality[name]:
        raise ValueError(
            f"{where}.modality: found {stated!r}, expected {modality[name]}, the kind of data of "
            f"{name!r}"
        )
    return {**experiment, "modality": modality[name]}


Config = create_model(
    "Config",
    __base__=_Config,
    __doc__=_Config.__doc__,
    **{
        modality: (
            dict[Name, part(modality, "settings").Dataset],
            Field({}, description=f"Data sets of {modality} by name; no two data sets share one."),
        )
        for modality in MODALITIES
    },
    experiments=(
        dict[
            Name,
            Annotated[Union[tuple(map(_experiment, MODALITIES))], Field(discriminator="modality")],  # noqa: UP007
        ],
        Field({}, description="Experiments by name. Without any, every data set is prepared."),
    ),
)


def load_config(path: Path) -> Config:
    """Read and validate a whole config file.

    Raises:
        InputError: one line naming the file and the field.
    """
    return parse(Config, read_yaml(path) or {}, str(path))


def schema() -> dict[str, Any]:
    """JSON Schema of config.yaml."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}
