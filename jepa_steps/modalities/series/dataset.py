"""Settings of data sets of time series."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from ...config.base import Settings, Share, Target, Texts, leaves_training_data
from ...config.beside import TableBeside


class SeriesKeys(Settings):
    """Names of the columns of a table. null = find the column by the usual names, and print which; none
    = do without."""

    series: str | None = None
    """Which series a row belongs to: series, series_id, id, unit, recording or case. none: all rows are
    one series."""
    time: str | None = None
    """When a row was measured, as a date or a number: time, timestamp, date, datetime, ds or t. none:
    rows are in order, and evenly spaced."""
    label: str | None = None
    """What a series is: label, class, target or y. One value per series."""
    group: str | None = None
    """The unit that never crosses splits: group, subject, patient, participant, machine, device or
    site."""
    split: str | None = None
    """Given part of a series, train, val or test: split, part or fold."""
    channels: Texts = ()
    """Columns that hold the values; with layout wide, the time steps. Empty = all columns of numbers
    that have no other use here; prepare prints them."""


class SeriesSplit(Settings):
    """How recordings are divided; given parts win over it."""

    kind: Literal["series", "time"] = "series"
    """series: whole series, or whole groups, go into one part. time: each series is cut in time, val and
    test being its last shares, with a purge gap on both sides of each cut."""
    val: Share = 0.15
    """Share of the series, groups or time steps used to choose settings."""
    test: Share = 0.15
    """Share of the series, groups or time steps used once, to report; ignored where the source brings a
    test part."""
    purge: Annotated[int, Field(ge=0)] | None = None
    """With kind time: steps left out at each cut, which must be at least context_length + target_length
    - 1. null = exactly that."""
    seed: int = 0
    """Seed of the shuffle of series."""

    @model_validator(mode="after")
    def _leaves_training_data(self) -> "SeriesSplit":
        leaves_training_data(self.val, self.test)
        if self.purge is not None and self.kind != "time":
            raise ValueError(f"purge: found {self.purge} with kind {self.kind}, expected null")
        return self


class SeriesDataset(TableBeside):
    """Time series: read once, stored as float32 with missing values as NaN. A sample is a whole series,
    or a window of one where context_length is given. A table beside them has a row per series, in their
    order: of a folder those of NAME_TRAIN, then those of NAME_TEST."""

    OWN_COLUMNS: ClassVar[tuple[str, ...]] = ("table", "arrays")
    NO_TABLE: ClassVar[tuple[str, ...]] = ("table", "arrays")

    source: Literal["ts", "ucr", "table", "arrays", "sktime"]
    """ts: one .ts file (aeon, sktime), or a folder with NAME_TRAIN.ts and NAME_TEST.ts. ucr: the same of
    .tsv or .csv files with the label first, one series per row. table: .csv, .tsv or .parquet with named
    columns. arrays: .npz or .npy of shape (N, T) or (N, T, C). sktime: a set packaged with sktime, which
    is installed without its dependencies."""
    path: str
    """File or folder to read; for sktime, the data card."""
    name: str | None = None
    """Name of the packaged set, such as BasicMotions; only for source sktime."""
    layout: Literal["long", "wide"] = "long"
    """How a table is laid out. long: a row per time step. wide: a row per series, whose columns of
    numbers are the time steps of one channel."""
    keys: SeriesKeys = SeriesKeys()
    """Names of the columns of a table."""
    step: str | None = None
    """Time between two rows of a long table, such as 1h, 15min or 0.01; null = the commonest
    difference, which prepare prints."""
    on_gaps: Literal["fail", "missing"] = "fail"
    """Time steps that a long table lacks: stop and name the first, or put missing values there."""
    on_duplicates: Literal["fail", "first"] = "fail"
    """Two rows of one series with the same time: stop, or keep the first."""
    labels: Target = "auto"
    """classes: labels are names. numbers: they are numbers for a regression probe. auto: numbers where
    all of them are numbers and some are fractions; of tables and arrays also where more than 20 whole
    numbers differ. prepare prints which."""
    context_length: Annotated[int, Field(ge=2)] | None = None
    """Time steps of a sample, the past that an encoder sees. null = a sample is a whole series."""
    target_length: Annotated[int, Field(ge=0)] = 0
    """Time steps after a window that belong to it as the future to forecast; takes context_length."""
    stride: Annotated[int, Field(ge=1)] | None = None
    """Steps from one window to the next; null = context_length, so that windows do not overlap."""
    normalise: Literal["train", "sample"] = "train"
    """Whose mean and standard deviation are taken out of each channel: those of the training part, or
    those of each sample (series or window) itself, which leaves an encoder blind to offset and scale.
    How much embeddings tell of both stands in the report."""
    max_missing: Share = 0.5
    """Share of a series' values that may be missing; a series with more is unusable."""
    on_error: Literal["fail", "skip"] = "fail"
    """An unusable series (all or too many values missing, shorter than a window): stop and name it, or
    leave it out and list it in the manifest."""
    max_skipped: Share = 0.01
    """With on_error skip: the share of series that may be left out before prepare stops anyway."""
    on_shared: Literal["fail", "drop", "keep"] = "fail"
    """A series of val or test that shares time steps with one of an earlier part, as copies and windows
    cut from one recording do: stop, leave it out, or keep it and say so with every result."""
    split: SeriesSplit = SeriesSplit()
    """How series are divided into train, val and test."""

    @model_validator(mode="after")
    def _fields_fit(self) -> "SeriesDataset":
        if (self.source == "sktime") != (self.name is not None):
            raise ValueError("name belongs to source sktime, and only to it")
        if self.target_length and self.context_length is None:
            raise ValueError(
                f"target_length: found {self.target_length} without context_length, expected both"
            )
        if self.stride is not None and self.context_length is None:
            raise ValueError(f"stride: found {self.stride} without context_length, expected both")
        self._belongs_to_the_source()
        if self.split.kind == "time":
            self._cut_in_time_fits()
        return self

    def _belongs_to_the_source(self) -> None:
        own = ("keys", "layout", "step", "on_gaps", "on_duplicates")
        fields = type(self).model_fields
        for name in own if self.source != "table" else ():
            if getattr(self, name) != fields[name].default:
                raise ValueError(f"{name}: belongs to source table, found with source {self.source}")

    def _cut_in_time_fits(self) -> None:
        if self.context_length is None:
            raise ValueError("split.kind: found time without context_length, expected both")
        if self.split.purge is not None and self.split.purge < self.span - 1:
            raise ValueError(
                f"split.purge: found {self.split.purge}, expected at least context_length + "
                f"target_length - 1 = {self.span - 1}: windows next to a cut would share time steps"
            )

    @property
    def span(self) -> int:
        """Time steps of a window with its future; 0 where samples are whole series."""
        return 0 if self.context_length is None else self.context_length + self.target_length
