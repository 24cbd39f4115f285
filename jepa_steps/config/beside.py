"""Settings of a table that stands beside the samples, which most kinds of data share."""

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from .base import Settings, Targets


class TableBeside(Settings):
    """A table with one row per sample, beside files that hold few labels or none."""

    OWN_COLUMNS: ClassVar[tuple[str, ...]] = ()  # sources that targets can be columns or arrays of
    NO_TABLE: ClassVar[tuple[str, ...]] = ()  # sources that take no table

    table: str | None = None
    """File with one row per sample: .csv, .tsv (both also as .gz) or .parquet. Rows are matched by name
    to files, and to arrays that come with names. Rows are matched by order to all other samples. prepare
    prints which way it used."""
    ids: str | None = None
    """Column of the table that names the samples. A name is the file's path relative to path, or its
    file name alone, with or without the ending. null = look for a column with a usual name, such as
    path, file or id. none = match rows by order."""
    on_unmatched: Literal["fail", "drop"] = "fail"
    """What to do with samples that no row of the table names. fail: stop and name the first. drop: leave
    them out and list them. Rows of the table that match no sample are only counted."""
    label: str | None = None
    """Column of the table that holds the label (a class). null = the label that the source brings, such
    as class folders. none = no label."""
    group: str | None = None
    """Column of the table that names the group of each sample, such as donor. null = the groups that the
    source brings."""
    split_column: str | None = None
    """Column of the table that holds given parts: train, val or test. Samples with an empty value are
    divided at random. null = the parts that the source brings."""
    targets: Targets = {}
    """What probes predict from embeddings beside the label: columns of the table (or of source table),
    or arrays of an .npz, with one value per sample. Write a list, [age], or state the type as well:
    {age: numbers} or {age: classes}. Without a type, prepare infers it. Empty = none."""
    nuisances: Targets = {}
    """Columns that embeddings should not encode, such as a scanner. Written like targets."""

    @model_validator(mode="after")
    def _columns_have_a_table(self) -> Self:
        if both := sorted(self.targets.keys() & self.nuisances.keys()):
            raise ValueError(f"targets and nuisances: found {both[0]!r} in both, expected one")
        if self.label in self.nuisances:
            raise ValueError(f"label: found {self.label!r} among nuisances too, expected one of the two")
        source = getattr(self, "source", None)
        if self.table is not None:
            if source in self.NO_TABLE:
                raise ValueError(
                    f"table: found {self.table!r} with source {source}, which brings its own columns; "
                    "expected null"
                )
            return self
        for name in ("ids", "label", "group", "split_column"):
            if (column := getattr(self, name)) is not None:
                raise ValueError(f"{name}: found {column!r} without a table, expected both or neither")
        if self.on_unmatched != "fail":
            raise ValueError("on_unmatched: found drop without a table, expected both or neither")
        if (named := [*self.targets, *self.nuisances]) and source not in self.OWN_COLUMNS:
            own = "".join(f", or source {name}" for name in self.OWN_COLUMNS)
            raise ValueError(
                f"targets and nuisances: found {named[0]!r} with source {source} and no table; set "
                f"table to the file that has this column{own}"
            )
        return self
