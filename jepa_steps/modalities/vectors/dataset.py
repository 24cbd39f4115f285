"""Settings of data sets of embeddings."""

from typing import Literal

from pydantic import model_validator

from ...config.base import Settings, Share, Target, Targets, leaves_training_data


class VectorSplit(Settings):
    """How samples are divided. Given parts win over it."""

    val: Share = 0.2
    """Share of the samples, or groups, that val gets, for choosing settings."""
    test: Share = 0.2
    """Share of the samples, or groups, that test gets, to be used once, for the report. Ignored where a
    test part is given."""
    seed: int = 0
    """Seed of the shuffle."""

    @model_validator(mode="after")
    def _leaves_training_data(self) -> "VectorSplit":
        leaves_training_data(self.val, self.test)
        return self


class VectorDataset(Settings):
    """Embeddings that were made elsewhere, and a table that describes each row. For column names: null =
    look for a column with a usual name and print which was found; none = use no column."""

    embeddings: str
    """.npy, .npz, .parquet or .h5ad with one row per sample. An array with three axes (samples, tokens,
    dimensions) holds tokens; their mean is the embedding."""
    key: str | None = None
    """Which array of the file to read. For an .npz: null = embeddings, X or the only array. For an
    .h5ad: the entry of obsm; null = the only one. For a .parquet: a column of lists; null = the only
    one, or all columns of numbers."""
    table: str | None = None
    """.csv, .tsv (also .gz) or .parquet with one row per sample. null = obs of an .h5ad, or the .parquet
    of the embeddings itself. For other files null means no table, and then there are no labels."""
    raw: str | None = None
    """The input from which the embeddings were made, as numbers (samples, ...), in the order of the
    embeddings. The floors raw and pca use it. Same file formats as embeddings."""
    tokens: str | None = None
    """Token embeddings (samples, tokens, dimensions), in the order of the embeddings."""
    ids: str | None = None
    """Column of the table that names the samples as the embeddings do. Usual names: id, name, index,
    file, barcode, or the first column without a name. none: match rows by order."""
    on_unmatched: Literal["fail", "drop"] = "fail"
    """What to do with embeddings that no row of the table names. fail: stop and name the first. drop:
    leave them out and count them. Rows of the table without an embedding are counted."""
    label: str | None = None
    """Column of the label, a class. null = the first of targets that holds classes. Without targets:
    label, class, target, cell_type or y."""
    labels: Target = "auto"
    """classes: labels are names. numbers: labels are numbers, for a regression probe. auto: numbers if
    all labels are numbers and either some are fractions or more than 20 differ. prepare prints the
    choice."""
    targets: Targets = {}
    """Columns that probes predict from embeddings. Write names with classes, numbers or auto, or a list
    of names."""
    nuisances: Targets = {}
    """Written like targets: columns that embeddings should not encode, such as batch. Nuisances that are
    classes also give a floor: a probe that predicts the label from them alone. If there are several
    nuisances, the monitor judges the one that explains most variance."""
    group: str | None = None
    """Column of the unit that never crosses parts, such as donor."""
    split_column: str | None = None
    """Column of given parts: train, val or test. Usual names: split, part or fold."""
    split: VectorSplit = VectorSplit()
    """How samples are divided where no parts are given."""

    @model_validator(mode="after")
    def _columns_fit(self) -> "VectorDataset":
        if both := sorted(self.targets.keys() & self.nuisances.keys()):
            raise ValueError(f"targets and nuisances: found {both[0]!r} in both, expected one")
        if self.label in self.nuisances:
            raise ValueError(f"label: found {self.label!r} among nuisances too, expected one of the two")
        return self
