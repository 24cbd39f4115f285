"""Settings of data sets of embeddings."""

from typing import Literal

from pydantic import model_validator

from ...config.base import Settings, Share, Target, Targets, leaves_training_data


class VectorSplit(Settings):
    """How samples are divided; given parts win over it."""

    val: Share = 0.2
    """Share of the samples, or groups, used to choose settings."""
    test: Share = 0.2
    """Share of the samples, or groups, used once, to report; ignored where a test part is given."""
    seed: int = 0
    """Seed of the shuffle."""

    @model_validator(mode="after")
    def _leaves_training_data(self) -> "VectorSplit":
        leaves_training_data(self.val, self.test)
        return self


class VectorDataset(Settings):
    """Embeddings that were made elsewhere, and a table of what each row is. null = find the column by
    the usual names, and print which; none = do without."""

    embeddings: str
    """.npy, .npz, .parquet or .h5ad with a row per sample. Three axes (samples, tokens, dimensions) are
    tokens, whose mean is the embedding."""
    key: str | None = None
    """Which array: of an .npz, null = embeddings, X or the only one; of an .h5ad the entry of obsm, null
    = the only one; of a .parquet a column of lists, null = the only one, or all columns of numbers."""
    table: str | None = None
    """.csv, .tsv (also .gz) or .parquet with a row per sample. null = obs of an .h5ad, the .parquet of
    the embeddings itself, or none: then there are no labels."""
    raw: str | None = None
    """What the embeddings were made from, as numbers (samples, ...), in the order of the embeddings:
    for the floors raw and pca. Formats as of embeddings."""
    tokens: str | None = None
    """Token embeddings (samples, tokens, dimensions) in the order of the embeddings."""
    ids: str | None = None
    """Column of the table that names samples as the embeddings are named: id, name, index, file,
    barcode, or the first column without a name. none: rows are matched by order."""
    on_unmatched: Literal["fail", "drop"] = "fail"
    """Embeddings that no row of the table names: stop and name the first, or leave them out and count
    them. Rows of the table without an embedding are counted."""
    label: str | None = None
    """Column of the label, a class. null = the first of targets that is one; without targets label,
    class, target, cell_type or y."""
    labels: Target = "auto"
    """classes: labels are names. numbers: they are numbers for a regression probe. auto: numbers where
    all of them are numbers, and some have fractions or more than 20 differ. prepare prints which."""
    targets: Targets = {}
    """Columns that embeddings are asked for, by name with classes, numbers or auto."""
    nuisances: Targets = {}
    """The same of columns that embeddings should not tell, such as batch. What those of classes tell
    about the label alone is a floor. Of several the monitor judges the one that explains most."""
    group: str | None = None
    """Column of the unit that never crosses splits, such as donor."""
    split_column: str | None = None
    """Column of given parts, train, val or test: split, part or fold."""
    split: VectorSplit = VectorSplit()
    """How samples are divided where no parts are given."""

    @model_validator(mode="after")
    def _columns_fit(self) -> "VectorDataset":
        if both := sorted(self.targets.keys() & self.nuisances.keys()):
            raise ValueError(f"targets and nuisances: found {both[0]!r} in both, expected one")
        if self.label in self.nuisances:
            raise ValueError(f"label: found {self.label!r} among nuisances too, expected one of the two")
        return self
