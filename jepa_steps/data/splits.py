"""Train, val and test: how samples are divided, and ``splits.csv``, which says what each of them is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import model_validator

from .. import draws
from ..config import parse
from ..config.base import Settings
from ..errors import InputError
from ..files import read_json, read_table, write_csv
from .targets import PREFIX, Kind, Target, read_target

# With fewer test groups no pattern of signs is rarer than p = 2 / 2^5 = .06: nothing can be decided.
FEWEST_GROUPS = 6
SPLITS = ("train", "val", "test")


def assign(
    given: np.ndarray,
    labels: np.ndarray,
    parts: np.ndarray,
    val: float,
    test: float,
    seed: int,
) -> np.ndarray:
    """Split codes for all samples: 0 train, 1 val, 2 test.

    Given codes stay. Of the rest, whole parts are divided within each label; parts of several
    labels, and those of labels with fewer than three parts, form one stratum of their own.

    Args:
        given: int64 (n,) codes, -1 = decide. If any sample is given as test, no further test is
            taken, and likewise for val; ``val`` and ``test`` are shares of the undecided parts,
            or of the given train parts where no sample is undecided.
        labels: int64 (n,), strata; -1 is a stratum of its own.
        parts: int64 (n,), equal for samples that stay together, as ``groups.together`` tells.
        val, test: shares of the number of parts.

    Returns:
        int64 (n,).
    """
    split = given.copy()
    pool = np.flatnonzero(given == -1) if (given == -1).any() else np.flatnonzero(given == 0)
    shares = {
        1: 0.0 if (given == 1).any() else val,
        2: 0.0 if (given == 2).any() else test,
    }
    part = np.unique(parts[pool], return_inverse=True)[1]
    strata = _strata(labels[pool], part)
    code = np.zeros(len(strata), dtype=np.int64)
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        members = draws.generator(seed, "split", int(stratum) + 1).permutation(members)
        n_val = _at_least_one(shares[1], len(members), keep=2)
        n_test = _at_least_one(shares[2], len(members), keep=n_val + 1)
        code[members[:n_val]] = 1
        code[members[n_val : n_val + n_test]] = 2
    split[pool] = code[part]
    return split


def _strata(labels: np.ndarray, part: np.ndarray) -> np.ndarray:
    """The label of each part; one number above all labels where it has several or is too rare."""
    low, high = np.full(part.max() + 1, labels.max()), np.full(part.max() + 1, -1)
    np.minimum.at(low, part, labels)
    np.maximum.at(high, part, labels)
    mixed = labels.max() + 1
    strata = np.where(low == high, low, mixed)
    values, counts = np.unique(strata, return_counts=True)
    return np.where(np.isin(strata, values[counts < 3]), mixed, strata)


def _at_least_one(share: float, n: int, keep: int) -> int:
    """A share of n parts, at least one and at most all but ``keep``; none of fewer than three."""
    return 0 if share == 0 or n < 3 else min(max(1, round(share * n)), n - keep)


def across_splits(groups: np.ndarray, split: np.ndarray) -> list[list[int]]:
    """Groups that stand in more than one split, as lists of sample numbers."""
    order = np.argsort(groups, kind="stable")
    runs = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    return [run.tolist() for run in runs if len(np.unique(split[run])) > 1]


FIELDS = ("index", "split", "label", "source")
RECORDING = "recording"


class Columns(Settings):
    """``columns`` of the manifest: what the columns of ``splits.csv`` are that only some kinds of data
    have. ``Splits`` says what each does."""

    covariates: tuple[str, ...] = ()
    nuisance: str | None = None
    log_targets: tuple[str, ...] = ()
    names: str | None = None
    labels_held_out: bool = False
    unit: str = "group"
    stretches: bool = False
    recordings: str | None = None
    targets: dict[str, Kind] = {}
    nuisance_targets: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _nuisance_is_known(self) -> Self:
        if self.nuisance not in (None, *self.covariates):
            raise ValueError(
                f"nuisance: found {self.nuisance!r}, expected one of covariates {list(self.covariates)}"
            )
        return self

    @property
    def named(self) -> tuple[str, ...]:
        """Every column that is named."""
        targets = [PREFIX + name for name in self.targets]
        cut = [RECORDING] * (self.recordings is not None)
        return (*self.covariates, *self.log_targets, *filter(None, [self.names]), *cut, *targets)


@dataclass(frozen=True)
class Splits:
    """What ``splits.csv`` and ``Columns`` say of every sample.

    labels: int64 (n,), -1 = no label.
    split: int64 (n,), 0 train, 1 val, 2 test.
    groups: int64 (n,), numbers of the units that never cross splits; 0 to n - 1 without groups.
    group_names: of these numbers, in order; empty where every sample is its own group.
    covariates: int64 (n,) by column: what is known of a sample beside its values, such as its batch.
    nuisance_column: the covariate that embeddings should not tell.
    log_targets: float64 (n,) by column: decadic logarithms of positive numbers that a regression
        predicts; NaN where there is none.
    names: str (n,), the labels as text; None where they are told by their numbers.
    labels_held_out: whether whole labels may be kept out of training, so that test has its own.
    unit: what a group is: batch, context, ...
    recordings: int64 (n,), what each sample was cut from, within its group: the video of a clip, the
        series of a window; None where samples were cut from nothing. recording_names: of these numbers;
        recording_unit: video, series.
    targets: what else is asked of embeddings, by name.
    stretches: whether groups are stretches of one recording, which only time sets apart.
    """

    labels: np.ndarray
    split: np.ndarray
    groups: np.ndarray
    group_names: tuple[str, ...] = ()
    covariates: dict[str, np.ndarray] = field(default_factory=dict)
    nuisance_column: str | None = None
    log_targets: dict[str, np.ndarray] = field(default_factory=dict)
    names: np.ndarray | None = None
    labels_held_out: bool = False
    unit: str = "group"
    targets: dict[str, Target] = field(default_factory=dict)
    recordings: np.ndarray | None = None
    recording_names: tuple[str, ...] = ()
    recording_unit: str = ""
    stretches: bool = False

    @property
    def named_groups(self) -> bool:
        """Whether the data set has groups of its own."""
        return bool(self.group_names)

    @property
    def nuisance(self) -> np.ndarray | None:
        """int64 (n,), what embeddings should not tell: the nuisance column, or else the named groups;
        None where all samples share one, or groups are stretches of a recording, which nothing but time
        sets apart."""
        if self.nuisance_column is not None:
            codes = self.covariates[self.nuisance_column]
            return codes if len(np.unique(codes)) > 1 else None
        return self.groups if self.named_groups and not self.stretches else None


def read_splits(path: Path) -> Splits:
    """What a ``splits.csv`` says; without a group column every sample is its own group.

    Raises:
        InputError: missing file, a malformed row, named by number, ``columns`` that are none, one that
            the manifest names and the table lacks, or an ``index`` that is no order of the samples.
    """
    manifest = path.with_name("manifest.json")
    stated = read_json(manifest).get("columns", {}) if manifest.is_file() else {}
    columns = parse(Columns, stated, f"{manifest}: columns")
    table = _in_order(read_table(path, "split", "label"), path)
    for number, (label, part) in enumerate(zip(table["label"], table["split"], strict=True), 2):
        if not label.removeprefix("-").isdigit() or part not in SPLITS:
            raise InputError(
                f"{path}: line {number}: found label {label!r} and split {part!r}, expected the columns "
                f"{', '.join(FIELDS)}, an integer label and a split of {', '.join(SPLITS)}"
            )
    if lacking := [name for name in columns.named if name not in table]:
        raise InputError(
            f"{path}: found no column {lacking[0]!r}, which {manifest} names; prepare it again"
        )
    group_names, groups = _groups(table.get("group"), len(table["label"]))
    cut_from, recordings = (), None
    if columns.recordings is not None:
        cut_from, recordings = np.unique(table[RECORDING], return_inverse=True)
    return Splits(
        np.array(table["label"], dtype=np.int64),
        np.array([SPLITS.index(part) for part in table["split"]], dtype=np.int64),
        groups,
        group_names,
        {name: np.unique(table[name], return_inverse=True)[1] for name in columns.covariates},
        columns.nuisance,
        {name: _logarithms(table[name]) for name in columns.log_targets},
        np.array(table[columns.names]) if columns.names else None,
        columns.labels_held_out,
        columns.unit,
        {name: _target(table, name, columns, path) for name in columns.targets},
        recordings,
        tuple(map(str, cut_from)),
        columns.recordings or "",
        columns.stretches,
    )


def _target(table: dict[str, list[str]], name: str, columns: Columns, path: Path) -> Target:
    texts, kind = table[PREFIX + name], columns.targets[name]
    try:
        return read_target(texts, kind, name in columns.nuisance_targets)
    except ValueError as error:
        raise InputError(f"{path}: column {PREFIX + name!r}: {error}, expected numbers") from None


def _in_order(table: dict[str, list[str]], path: Path) -> dict[str, list[str]]:
    """The rows by their ``index``, where there is one: samples are known by it, not by the line."""
    if "index" not in table:
        return table
    order = sorted(
        range(len(table["index"])), key=lambda row: (len(table["index"][row]), table["index"][row])
    )
    if [table["index"][row] for row in order] != [str(i) for i in range(len(order))]:
        raise InputError(
            f"{path}: column 'index': expected each number from 0 to {len(order) - 1} once, the row of "
            "a sample in the embeddings; correct it, or leave it out where rows are in that order"
        )
    return {name: [column[row] for row in order] for name, column in table.items()}


def _groups(column: list[str] | None, n: int) -> tuple[tuple[str, ...], np.ndarray]:
    """(names, int64 (n,) their numbers); no names where every sample is its own group."""
    names, codes = ((), np.arange(n)) if column is None else np.unique(column, return_inverse=True)
    if len(names) == n:
        return (), np.arange(n)
    return tuple(str(name) for name in names), codes.astype(np.int64)


def _logarithms(texts: list[str]) -> np.ndarray:
    """Decadic logarithms float64 (n,) of positive numbers, NaN of all other texts."""
    values = np.array([_number(text) for text in texts])
    return np.log10(values, out=np.full(len(values), np.nan), where=values > 0)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def write_splits(
    path: Path,
    split: np.ndarray,
    labels: np.ndarray,
    names: list[str],
    groups: np.ndarray | None,
    targets: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Write ``splits.csv``, one row per sample in the order of the store; groups if there are any, and
    targets by name, "" = unknown."""
    columns = [range(len(split)), (SPLITS[code] for code in split), labels, names]
    further = {} if groups is None else {"group": groups}
    further |= {PREFIX + name: texts for name, texts in (targets or {}).items()}
    write_csv(path, (*FIELDS, *further), zip(*columns, *further.values(), strict=True))
