"""Settings of data sets of embeddings."""

from typing import Literal

from pydantic import model_validator

from ...config.base import Settings, Share, Target, Targets, leaves_training_data


class VectorSplit(Settings):
    """How samples are divided. Given parts win over it."""

    val: Share = 0.2
    """Share of the samples (or of the groups, if there are any) that val gets, for choosing settings."""
    test: Share = 0.2
    """Share of the samples (or of the groups, if there are any) that test gets. Test is for the report
    only, to be used once. Ignored if a test part is given."""
    seed: int = 0
    """Seed of the random split."""

    @model_validator(mode="after")
    def _leaves_training_data(self) -> "VectorSplit":
        leaves_training_data(self.val, self.test)
        return self


class VectorDataset(Settings):
    """Embeddings that were made elsewhere, and a table that describes each row. For column names: null =
    look for a column with a usual name and print which was found; none = use no column."""

    embeddings: str
    """File with one row per sample: .npy, .npz, .parquet or .h5ad. An array with three axes (samples,
    tokens, dimensions) holds tokens; their mean is the embedding."""
    key: str | None = None
    """Which array of the file to read. In an .npz: null = embeddings, X or the only array. In an .h5ad:
    an entry of obsm; null = the only one. In a .parquet: a column of lists; null = the only one, or all
    columns of numbers."""
    table: str | None = None
    """File that describes the samples, one row each: .csv, .tsv (both also as .gz) or .parquet. null =
    obs of an .h5ad, or the .parquet of the embeddings itself. For other files null means that there is
    no table, and so no labels."""
    raw: str | None = None
    """File with the input from which the embeddings were made, as numbers (samples, ...), in the order
    of the embeddings. The floors raw and pca use it. It has one of the formats of embeddings."""
    tokens: str | None = None
    """File with token embeddings (samples, tokens, dimensions), in the order of the embeddings."""
    ids: str | None = None
    """Column of the table with the names that the samples also have in the file of the embeddings. Usual
    names: id, name, index, file, barcode, or the first column without a name. none: match rows by
    order."""
    on_unmatched: Literal["fail", "drop"] = "fail"
    """What to do with embeddings that no row of the table names. fail: stop and name the first. drop:
    leave them out and list them. Rows of the table that match no embedding are only counted."""
    label: str | None = None
    """Column of the label, a class. null = the first of targets that holds classes. If targets is empty,
    null = the first column with the name label, class, target, cell_type or y."""
    labels: Target = "auto"
    """What the values of the label are. classes: names of classes. numbers: values for a regression
    probe. auto: numbers if all values are numbers and either some are fractions or more than 20 differ.
    prepare prints the choice."""
    targets: Targets = {}
    """Columns that probes predict from embeddings. Write a list of names, or give each name one of
    classes, numbers and auto."""
    nuisances: Targets = {}
    """Columns that embeddings should not encode, such as batch. Written like targets. Nuisances that are
    classes also give a floor: a probe that predicts the label from them alone. If there are several
    nuisances, the monitor judges the one that explains most of the variance."""
    group: str | None = None
    """Column that names the group of each sample, such as donor."""
    split_column: str | None = None
    """Column that holds given parts: train, val or test. Usual names: split, part or fold."""
    split: VectorSplit = VectorSplit()
    """How samples are divided if no parts are given."""

    @model_validator(mode="after")
    def _columns_fit(self) -> "VectorDataset":
        if both := sorted(self.targets.keys() & self.nuisances.keys()):
            raise ValueError(f"targets and nuisances: found {both[0]!r} in both, expected one")
        if self.label in self.nuisances:
            raise ValueError(f"label: found {self.label!r} among nuisances too, expected one of the two")
        return self
