"""Settings of data sets of time series."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from ...config.base import Settings, Share, Target, Texts, leaves_training_data
from ...config.beside import TableBeside


class SeriesKeys(Settings):
    """Names of the columns of a table. null = look for a column with a usual name and print which was
    found. none = use no column."""

    series: str | None = None
    """Column that says which series a row belongs to. Usual names: series, series_id, id, unit,
    recording or case. none: all rows are one series."""
    time: str | None = None
    """Column that says when a row was measured, as a date or a number. Usual names: time, timestamp,
    date, datetime, ds or t. none: rows are in order and evenly spaced."""
    label: str | None = None
    """Column of the label, with one value per series. Usual names: label, class, target or y."""
    group: str | None = None
    """Column with the group of a series. Usual names: group, subject, patient, participant, machine,
    device or site."""
    split: str | None = None
    """Column with the given part of a series: train, val or test. Usual names: split, part or fold."""
    channels: Texts = ()
    """Columns that hold the values; with layout wide, the columns of the time steps. Empty = all columns
    of numbers that no other setting uses; prepare prints them."""


class SeriesSplit(Settings):
    """How recordings are divided. Given parts win over it."""

    kind: Literal["series", "time"] = "series"
    """What is divided. series: whole series, or whole groups, go into one part. time: each series is cut
    in time, first train, then val, then test. A purge gap is left out on both sides of each cut."""
    val: Share = 0.15
    """Share of the series, groups or time steps that val gets, for choosing settings. Ignored if the
    source brings a val part."""
    test: Share = 0.15
    """Share of the series, groups or time steps that test gets. Test is for the report only, to be used
    once. Ignored if the source brings a test part."""
    purge: Annotated[int, Field(ge=0)] | None = None
    """With kind time: time steps to leave out on each side of each cut, at least context_length +
    target_length - 1. null = exactly that many."""
    seed: int = 0
    """Seed of the random split of series."""

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
    with .tsv or .csv files; each row is one series, with the label first. table: .csv, .tsv or .parquet
    with named columns. arrays: .npz or .npy of shape (N, T) or (N, T, C). sktime: a data set that comes
    with the package sktime; install the package without its dependencies."""
    path: str
    """File or folder to read. For sktime: the data card, a text file about the data."""
    name: str | None = None
    """Name of the data set that comes with sktime, such as BasicMotions; only for source sktime."""
    layout: Literal["long", "wide"] = "long"
    """Layout of a table. long: one row per time step. wide: one row per series, whose columns of numbers
    are the time steps of one channel."""
    keys: SeriesKeys = SeriesKeys()
    """Names of the columns of a table."""
    step: str | None = None
    """Time between two rows of a long table, such as 1h, 15min or 0.01. null = the most common
    difference, which prepare prints."""
    on_gaps: Literal["fail", "missing"] = "fail"
    """What to do if time steps are missing in a long table. fail: stop and name the first. missing: fill
    them with missing values."""
    on_duplicates: Literal["fail", "first"] = "fail"
    """What to do with two rows of one series at the same time. fail: stop. first: keep the first."""
    labels: Target = "auto"
    """What the labels are. classes: names of classes. numbers: values for a regression probe. auto:
    numbers if all labels are numbers and some are fractions; for sources table and arrays also if more
    than 20 different whole numbers occur. prepare prints the choice."""
    context_length: Annotated[int, Field(ge=2)] | None = None
    """Time steps of a window, the past that an encoder sees. Each window is a sample. null = each whole
    series is a sample."""
    target_length: Annotated[int, Field(ge=0)] = 0
    """Time steps after each window that are kept as the future to forecast. Needs context_length."""
    stride: Annotated[int, Field(ge=1)] | None = None
    """Time steps from one window to the next. null = context_length, so that windows do not overlap."""
    normalise: Literal["train", "sample"] = "train"
    """Which statistics normalise each channel: its mean is subtracted, and it is divided by its standard
    deviation. train: the statistics of the training part. sample: those of each sample itself (series or
    window); the encoder then cannot see offset and scale. The report shows how well probes predict both
    from embeddings."""
    max_missing: Share = 0.5
    """Largest share of a series' values that may be missing. A series with more is unusable (see
    on_error)."""
    on_error: Literal["fail", "skip"] = "fail"
    """What to do with an unusable series: too many of its values are missing, or it is shorter than a
    window. fail: stop and name it. skip: leave it out and list it in the manifest."""
    max_skipped: Share = 0.01
    """With on_error skip: largest share of the series that may be left out. Above it, prepare stops."""
    on_shared: Literal["fail", "drop", "keep"] = "fail"
    """What to do with a series of val or test that shares time steps with a series of an earlier part.
    Copies do, and so do windows that were cut from one recording. fail: stop. drop: leave it out. keep:
    keep it, and say so with every result."""
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
