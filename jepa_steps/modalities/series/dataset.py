"""Settings of data sets of time series."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from ...config.base import Settings, Share, Target, Texts, leaves_training_data
from ...config.beside import TableBeside


class SeriesKeys(Settings):
    """Names of the columns of a table. null = look for a column with a usual name and print which was
    found. none = use no column."""

    series: str | None = None
    """Which series a row belongs to. Usual names: series, series_id, id, unit, recording or case. none:
    all rows are one series."""
    time: str | None = None
    """When a row was measured, as a date or a number. Usual names: time, timestamp, date, datetime, ds
    or t. none: rows are in order and evenly spaced."""
    label: str | None = None
    """Label of a series, one value per series. Usual names: label, class, target or y."""
    group: str | None = None
    """The unit that never crosses parts. Usual names: group, subject, patient, participant, machine,
    device or site."""
    split: str | None = None
    """Given part of a series: train, val or test. Usual names: split, part or fold."""
    channels: Texts = ()
    """Columns that hold the values; with layout wide, the columns of the time steps. Empty = all columns
    of numbers that have no other use here; prepare prints them."""


class SeriesSplit(Settings):
    """How recordings are divided. Given parts win over it."""

    kind: Literal["series", "time"] = "series"
    """series: whole series, or whole groups, go into one part. time: each series is cut in time; val and
    test are its last shares. A purge gap is left out on both sides of each cut."""
    val: Share = 0.15
    """Share of the series, groups or time steps that val gets, for choosing settings."""
    test: Share = 0.15
    """Share of the series, groups or time steps that test gets, to be used once, for the report. Ignored
    where the source brings a test part."""
    purge: Annotated[int, Field(ge=0)] | None = None
    """With kind time: steps to leave out at each cut, at least context_length + target_length - 1. null
    = exactly that."""
    seed: int = 0
    """Seed of the shuffle of series."""

    @model_validator(mode="after")
    def _leaves_training_data(self) -> "SeriesSplit":
        leaves_training_data(self.val, self.test)
        if self.purge is not None and self.kind != "time":
            raise ValueError(f"purge: found {self.purge} with kind {self.kind}, expected null")
        return self


class SeriesDataset(TableBeside):
    """Time series: read once and stored as float32, with missing values as NaN. A sample is a whole
    series, or a window of one if context_length is set. A table beside the series has one row per
    series, in their order; for a folder, first the series of NAME_TRAIN, then those of NAME_TEST."""

    OWN_COLUMNS: ClassVar[tuple[str, ...]] = ("table", "arrays")
    NO_TABLE: ClassVar[tuple[str, ...]] = ("table", "arrays")

    source: Literal["ts", "ucr", "table", "arrays", "sktime"]
    """ts: one .ts file (aeon, sktime), or a folder with NAME_TRAIN.ts and NAME_TEST.ts. ucr: the same
    with .tsv or .csv files, label first, one series per row. table: .csv, .tsv or .parquet with named
    columns. arrays: .npz or .npy of shape (N, T) or (N, T, C). sktime: a data set packaged with sktime,
    which is installed without its dependencies."""
    path: str
    """File or folder to read; for sktime, the data card."""
    name: str | None = None
    """Name of the packaged data set, such as BasicMotions; only for source sktime."""
    layout: Literal["long", "wide"] = "long"
    """Layout of a table. long: one row per time step. wide: one row per series; its columns of numbers
    are the time steps of one channel."""
    keys: SeriesKeys = SeriesKeys()
    """Names of the columns of a table."""
    step: str | None = None
    """Time between two rows of a long table, such as 1h, 15min or 0.01. null = the commonest difference,
    which prepare prints."""
    on_gaps: Literal["fail", "missing"] = "fail"
    """What to do with time steps that are missing in a long table. fail: stop and name the first.
    missing: put missing values there."""
    on_duplicates: Literal["fail", "first"] = "fail"
    """What to do with two rows of one series that have the same time. fail: stop. first: keep the
    first."""
    labels: Target = "auto"
    """classes: labels are names. numbers: labels are numbers, for a regression probe. auto: numbers if
    all labels are numbers and some are fractions; for sources table and arrays also if more than 20
    different whole numbers occur. prepare prints the choice."""
    context_length: Annotated[int, Field(ge=2)] | None = None
    """Time steps of a sample: the past that an encoder sees. null = a sample is a whole series."""
    target_length: Annotated[int, Field(ge=0)] = 0
    """Time steps after a window that belong to it as the future to forecast. Needs context_length."""
    stride: Annotated[int, Field(ge=1)] | None = None
    """Time steps from one window to the next. null = context_length, so that windows do not overlap."""
    normalise: Literal["train", "sample"] = "train"
    """Statistics that normalise each channel: its mean is subtracted, and it is divided by its standard
    deviation. train: those of the training part. sample: those of each sample itself (series or window);
    the encoder then cannot see offset and scale. The report shows how well probes predict both from
    embeddings."""
    max_missing: Share = 0.5
    """Share of a series' values that may be missing. A series with more missing values is unusable."""
    on_error: Literal["fail", "skip"] = "fail"
    """What to do with an unusable series: all or too many values are missing, or it is shorter than a
    window. fail: stop and name it. skip: leave it out and list it in the manifest."""
    max_skipped: Share = 0.01
    """With on_error skip: share of the series above which prepare stops anyway."""
    on_shared: Literal["fail", "drop", "keep"] = "fail"
    """What to do with a series of val or test that shares time steps with a series of an earlier part,
    as copies do, and windows cut from one recording. fail: stop. drop: leave it out. keep: keep it, and
    say so with every result."""
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
