"""Settings of a table that stands beside the samples, which most kinds of data share."""

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from .base import Settings, Targets


class TableBeside(Settings):
    """A table with a row per sample, beside files that tell little of what they hold."""

    OWN_COLUMNS: ClassVar[tuple[str, ...]] = ()  # sources that targets can be columns or arrays of
    NO_TABLE: ClassVar[tuple[str, ...]] = ()  # sources that take no table

    table: str | None = None
    """.csv, .tsv (also .gz) or .parquet with a row per sample. Rows are matched by name to files and to
    arrays that come with names, to all others by order; prepare prints how."""
    ids: str | None = None
    """Column of the table that names samples: by their path below path, or by the file name alone, both
    with or without the ending. null = find it by the usual names, such as path, file or id.
    none: rows are matched by order."""
    on_unmatched: Literal["fail", "drop"] = "fail"
    """Samples that no row of the table names: stop and name the first, or leave them out and list them.
    Rows of the table without a sample are counted."""
    label: str | None = None
    """Column of the table that is the label, a class. null = what the source brings, such as class
    folders; none = no label."""
    group: str | None = None
    """Column of the table with the unit that never crosses splits, such as donor. null = what the source
    brings."""
    split_column: str | None = None
    """Column of the table with given parts, train, val or test, or nothing where the part is to be
    drawn. null = what the source brings."""
    targets: Targets = {}
    """Columns of the table, or arrays of an .npz, that embeddings are asked for, one value per sample:
    [age], or {age: numbers}, {age: classes} where it is not to be guessed which. Empty = unknown."""
    nuisances: Targets = {}
    """The same, of what embeddings should not tell, such as a scanner."""

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
