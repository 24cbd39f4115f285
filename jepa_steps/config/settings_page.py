"""Every setting as Markdown tables: docs/settings.md."""

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from ..modalities import MODALITIES, part
from .embed import Embed
from .evaluate import Evaluate
from .experiments import Experiment
from .floors import PcaEncoder, RawEncoder
from .given import ModuleEncoder, PixelModule, PretrainedEncoder, UntrainedPretrained
from .monitor import Monitor
from .objective import Objective, Optimizer
from .probe import Probe
from .rank import Rank
from .resources import Resources
from .run import JepaRun

BLOCKS: dict[str, type[BaseModel]] = {
    "experiments.NAME": Experiment,
    **{name: block for m in MODALITIES for name, block in part(m, "settings").BLOCKS.items()},
    "train, of any kind of data": JepaRun,
    "train.objective": Objective,
    "train.optimizer": Optimizer,
    "train: published weights of images or clips": PretrainedEncoder,
    "train: a module of one's own": ModuleEncoder,
    "train: a module of one's own, of images or clips": PixelModule,
    "train, floor: published weights untrained": UntrainedPretrained,
    "train, floor: principal components": PcaEncoder,
    "train, floor: the input itself": RawEncoder,
    "embed": Embed,
    "evaluate, of any kind of data": Evaluate,
    "monitor": Monitor,
    "rank": Rank,
    "probe": Probe,
    "resources": Resources,
}
HEAD = """# Every setting

This page lists every block of a config, with one table per block. First come the data sets and the
training of each kind of data, then the blocks that all kinds share. The blocks `train` to `resources`
belong below `experiments.NAME`. `python -m jepa_steps.config settings` makes this page.

How to read a table:

- "fail: stop" says what the value `fail` does. "null = ..." says what the value `null` stands for.
- If a setting names a column and has "usual names", `null` lets `prepare` look for a column with one of
  these names; `prepare` prints which it found. The value `none` uses no column.

Words that recur:

- *Parts* are train, val and test; *given parts* are those that the source brings. An *earlier part* is
  train for val, and train or val for test.
- A *group* is a set of samples that must stay in one part, such as all images of one donor.
- *Units* are what is divided or resampled as a whole: groups, or single samples if there are no groups.
  To judge predictions for expression, units are perturbations.
- A *share* is a number from 0 to 1.
- *Labels* and *targets* are what probes predict from embeddings. *Nuisances* are what embeddings should
  not encode.
- The *store* is the folder of prepared data. The *manifest* is the file in it in which `prepare` lists
  what it found and what it left out.
- *Snapshots* are the encoders that training saves at fractions of its steps.
- A *floor* is something simple to compare a trained encoder with, such as an untrained encoder.
- *Sound* runs are runs without a fault, on which the thresholds of `monitor` were tried.
"""


def settings_page() -> str:
    """docs/settings.md: a heading and a table of name, default, meaning for every block."""
    return "\n".join([HEAD, *(f"## {name}\n\n{_table(block)}" for name, block in BLOCKS.items())])


def _table(block: type[BaseModel]) -> str:
    lines = ["| setting | default | what and why |", "|---|---|---|"]
    own = block.__annotations__  # before what a block shares with others
    for name, field in sorted(block.model_fields.items(), key=lambda item: item[0] not in own):
        if not field.description or _stands_with_any_run(block, name):
            continue
        meaning = " ".join(field.description.split()).replace("|", "\\|")
        lines.append(f"| `{name}` | {_default(field.default)} | {meaning} |")
    return "\n".join(lines) + "\n"


def _stands_with_any_run(block: type[BaseModel], name: str) -> bool:
    """Whether a kind's training has a setting as every training has it, which has a table of its own."""
    if not issubclass(block, JepaRun) or block is JepaRun or name not in JepaRun.model_fields:
        return False
    mine, common = (of.model_fields[name] for of in (block, JepaRun))
    return (mine.default, mine.description) == (common.default, common.description)


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
    if isinstance(value, bool):
        return str(value).lower()
    return str(list(value) if isinstance(value, tuple) else value)
