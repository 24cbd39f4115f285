"""What a kind of data gives: one folder under ``modalities``, with these modules.

settings.py (imports no torch; planning reads it)
    Dataset: settings of a data set, ``config.Settings`` with a docstring per field.
    ENCODERS: blocks of trained and untrained encoders, subclasses of ``config.JepaRun`` and
        ``config.UntrainedEncoder`` with an ``encoder`` name of their own. Their ``kind`` tells whether
        they get a verdict (``config.JUDGED``) or are floors.
    Evaluate: settings of the step evaluate, ``config.Evaluate`` or a subclass.
    FILES: names of the files that prepare writes; splits.csv and manifest.json among them.
    PREPARE: what prepare asks of a machine: threads, at most, and mem_mb.
    BLOCKS: {place in a config: settings}, the kind's own blocks for docs/settings.md, e.g.
        {"sounds.NAME": Dataset}. PRESETS: {name: training block}, for ``config preset NAME``.
    sources(dataset) -> {setting: path} of what prepare reads.
    check(dataset, train): ValueError where they do not fit; its text begins with the setting.
    check_evaluate(dataset, train, evaluate): InputError where settings of the block evaluate do not fit
        the others; may be missing.
prepare.py
    prepare(dataset, out, workers) -> the manifest (``Store``); InputError, and nothing left behind, on
        bad input: write within ``files.staged``, and splits.csv with ``data.splits.write_splits``.
    summary(manifest, folder) -> lines for the terminal.
store.py
    open_store(folder) -> ``Store``.
encoder.py
    describe(train, store) -> what encoder.json says of inputs, plain data.
    inputs(description, device) -> ``Inputs``.
    encoder(train, description) -> ``model.encoder.TokenEncoder`` with initial weights by ``train.seed``.
        Its tokenizer gives ``dim`` and ``grid``, hides what ``keep`` leaves out, and with
        ``scale_input()`` fits its first layer to the scale of inputs. Missing values are NaN; where
        tokens may lack values, ``present(x, keep)`` tells which hold any.
report.py
    describe(manifest, folder) -> ``Described``, the block "Data" of the report.
    PICTURES: {name: (title, caption)} of the pictures that figures.py draws.

Left out where a kind has no use for them:

task.py
    task(train, store, world) -> ``Task``; its module comes from ``model.jepa.build_jepa``, which leaves
        the predictor out at objective.level pooled.
views.py
    WHAT: what is seen several times, in the plural: "context masks".
    views(encoders, store, settings) -> (float32 (stages, n, q, D), their rows int64 (n,)), for LiDAR and
        alignment; (stages, 0, 0, D) and no rows where an encoder has no grid (``encoder.grid`` is None).
samples.py
    read(path, description) -> (names, function from a range of them to what ``Inputs`` takes).
figures.py
    pictures(train, description, data, embeddings) -> {name: Figure}; names of ``monitor.PICTURES``.
remedies.py
    REMEDIES: ``metrics.remedies.Remedies``, where the general ones do not fit. These change the blocks
        ``model`` and ``predictor`` of a kind that has them, with ``dim``, ``heads`` and ``depth``.
evaluation.py
    predicts(train) -> whether such an experiment predicts anything.
    evaluate(train, description, folder, data, settings) -> ``Evaluation``, or why there is none.
    With it, report.py gives evaluation(found) -> ``Evaluated``.
exchange.py, of kinds whose encoders other libraries have
    FORMATS: {name: function (``model.export.Encoder``, folder)} that writes what such a library loads.
judging.py, of the one kind that ``python -m jepa_steps judge`` takes
    add_options(parser): the arguments of that command.
    dataset(arguments) -> plain settings of a data set.
    experiments(manifest) -> ({name: training block}, the one that is judged first; notes).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, Protocol, TypedDict

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from ..model.jepa import Jepa


class Store(Protocol):
    """A prepared data set.

    split: int64 (n,), 0 train, 1 val, 2 test. labels: int64 (n,), -1 = no label.
    manifest: ``modality``, ``settings``, ``sha256`` by file, and what the kind adds. Of this the core
    reads ``columns``: what the columns of splits.csv are (``data.splits.Columns``).
    """

    split: np.ndarray
    manifest: dict[str, Any]

    @property
    def labels(self) -> np.ndarray: ...

    def __len__(self) -> int: ...

    def rows(self, name: str) -> np.ndarray:
        """Sample numbers int64 of the part ``name``, ascending."""
        ...

    def samples(self, rows: np.ndarray) -> np.ndarray:
        """Plain samples (B, ...) of rows int64 (B,), as a user has them."""
        ...


class Inputs(Protocol):
    """From plain samples to what the tokenizer takes: the preprocessing of training.

    values: numbers per sample.
    """

    values: int

    def __call__(self, samples: "np.ndarray | Tensor") -> "Tensor":
        """Raises InputError on samples of another shape or type."""
        ...


class Task(Protocol):
    """A module and its batches, pure functions of (seed, epoch, sample).

    jepa: the module. rows: sample numbers of an epoch. labels: int64 (n,) of all samples, -1 for none.
    """

    jepa: "Jepa"
    rows: np.ndarray
    labels: np.ndarray

    def samples(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """(epoch, sample number), int64 (B,) each, of the global batch ``number``."""
        ...

    def batch(self, number: int, step: int) -> "tuple[Tensor, ...]":
        """This rank's share of batch ``number``, as ``Jepa.forward`` takes it at optimizer step
        ``step``."""
        ...

    def scheduled(self, step: int) -> dict[str, float]:
        """What of the task changes over training, by its columns in metrics.csv."""
        ...

    def validated(self, part: str) -> np.ndarray:
        """Sample numbers behind the loss of a part."""
        ...

    def fixed(self, number: int, rows: np.ndarray) -> "tuple[Tensor, ...]":
        """What ``Jepa.forward`` takes of given samples, the same at every validation."""
        ...

    def inputs(self, rows: np.ndarray) -> "Tensor":
        """What an encoder takes of samples."""
        ...


class Described(TypedDict):
    """What the report says of a data set.

    facts: (name, value), "data" first. leaks: a sentence for each leak, red on the card; notes: what was
    guessed or left out. audited: what the audit found to be so, where there is no leak. examples: lists
    of the names of equal samples. classes: (name, [samples in train, val, test]).
    """

    facts: list[tuple[str, str]]
    leaks: list[str]
    notes: list[str]
    audited: str
    examples: list[list[str]]
    classes: list[tuple[str, list[int]]]


@dataclass(frozen=True)
class Evaluation:
    """What the step evaluate writes.

    result: evaluation.json. ``task`` names what is predicted, ``held_out`` counts it, ``leaky`` tells
    whether a look-up could win, ``verdicts`` stand beside the best baseline of each metric,
    ``conditions`` are what the condition explains (``metrics.nuisance.condition_statistics``), where
    there is one; ``persistence`` tells whether the predicted future is nearer than the present,
    ``motion`` how far a probe of whole clips is above one of single frames (``metrics.evidence``).
    header, rows: scores.csv. predictions: predictions.npy. figure: evaluation.svg. export: writes
    predictions to a folder as other tools read them.
    """

    result: dict[str, Any]
    header: list[str]
    rows: Iterable[Iterable[object]]
    predictions: np.ndarray
    figure: "Figure"
    export: Callable[[Path], None] | None = None


class Table(TypedDict):
    """A table of the report: rows of (name, cells (value, interval)) by column, the model first.

    heading: of the names; "method" where there is none.
    """

    heading: NotRequired[str]
    caption: str
    columns: list[str]
    rows: list[tuple[str, list[tuple[str, str]]]]


class Evaluated(TypedDict):
    """An evaluation ready to be laid out on the page and on the verdict card.

    title, units: headline, and what is held out. leaky: whether a look-up could win; leak: why.
    verdicts: per metric against its best baseline: metric, says, why ("", or what too little it stands
    on), model, baseline, difference, interval, closed (share of the gap to the ceiling), n. tables:
    every method by metric, with a note; interval: how it was obtained.
    facts: (name, value). figure: (title, caption) of evaluation.svg.
    """

    title: str
    units: str
    leaky: bool
    leak: str
    verdicts: list[dict[str, Any]]
    tables: list[Table]
    note: str
    interval: str
    facts: list[tuple[str, str]]
    figure: tuple[str, str]
