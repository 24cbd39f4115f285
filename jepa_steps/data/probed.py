"""Which samples a probe is fitted and tested on."""

from dataclasses import dataclass, replace

import numpy as np

from ..config import Probe
from ..draws import sample
from .splits import Splits, assign

AS_PREPARED = "as prepared"
REDRAWN = "the samples of the test part, divided anew: 60 % train, 20 % val, 20 % test"


@dataclass(frozen=True)
class Probed:
    """Which samples are probed, and by what they are resampled.

    parts: sample numbers of train, val and test, labelled. how: where these parts are from.
    groups: int64 (m,) of the test samples; named: whether the data set names them.
    """

    splits: Splits
    parts: list[np.ndarray]
    how: str
    groups: np.ndarray
    named: bool

    @property
    def labels(self) -> list[np.ndarray]:
        """int64, of each part."""
        return [self.splits.labels[part] for part in self.parts]


def resampled_by(table: Splits, fewest: int) -> Splits:
    """The table with recordings in place of groups, where test has fewer than ``fewest`` named groups:
    samples that were cut from one recording rise and fall together, and are not to be resampled one by
    one."""
    groups = len(np.unique(table.groups[table.split == 2]))
    if table.recordings is None or not table.named_groups or groups >= fewest:
        return table
    unit = f"{table.recording_unit} of {groups} {table.unit}" + "s" * (groups != 1)
    return replace(table, groups=table.recordings, group_names=table.recording_names, unit=unit)


def probed_samples(table: Splits, settings: Probe) -> Probed:
    """Labelled samples of each part, of training at most ``settings.max_train``."""
    split, how = _probed_split(table)
    labelled = [np.flatnonzero((split == code) & (table.labels >= 0)) for code in range(3)]
    parts = [bounded(labelled[0], settings), *labelled[1:]]
    named = table.named_groups and how == AS_PREPARED
    return Probed(table, parts, how, table.groups[parts[2]] if named else parts[2], named)


def _probed_split(table: Splits) -> tuple[np.ndarray, str]:
    """(split code int64 (n,) of each sample, -1 = left out; where it comes from).

    Where whole labels are held out, none of test can be learned from training samples: then the samples
    of the test part, which the encoder has never seen, are divided anew.
    """
    test = table.split == 2
    known = np.isin(table.labels[test], table.labels[table.split == 0]).all()
    if known or not table.labels_held_out:
        return table.split, AS_PREPARED
    split, rows = np.full(len(table.split), -1), np.flatnonzero(test)
    undecided = np.full(len(rows), -1)
    split[rows] = assign(undecided, table.labels[rows], np.arange(len(rows)), 0.2, 0.2, 0)
    return split, REDRAWN


def bounded(rows: np.ndarray, settings: Probe) -> np.ndarray:
    """Of training samples at most as many as the settings say."""
    return sample(rows, settings.max_train, settings.seed, "probe sample")


def new_classes(of: Probed) -> dict[str, int]:
    """Test samples of each class that no training sample has."""
    train, _, test = of.labels
    classes, counts = np.unique(test[~np.isin(test, train)], return_counts=True)
    return {str(c): n for c, n in zip(classes, counts.tolist(), strict=True)}
