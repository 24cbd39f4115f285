"""Settings of Perturb-seq data sets: cells x genes of expression, with a perturbation for each cell."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from ...config.base import Settings, Share, Targets, Texts, leaves_training_data

PerturbationType = Literal["knockdown", "knockout", "overexpression", "compound"]
# Words for them, as columns and settings have them.
TYPES = {
    "knockdown": ("knockdown", "knock-down", "kd", "crispri", "crispr-interference", "sirna", "shrna"),
    "knockout": ("knockout", "knock-out", "ko", "crispr", "crisprko", "crispr-ko", "crispr-cas9"),
    "overexpression": ("overexpression", "oe", "activation", "crispra", "crispr-activation", "orf"),
    "compound": ("compound", "drug", "chemical", "small molecule"),
}
TYPE_OF = {text: name for name, texts in TYPES.items() for text in texts}


def type_name(value: Any) -> Any:
    """The type that a word stands for; any other value as it is."""
    return TYPE_OF.get(value.casefold(), value) if isinstance(value, str) else value


class Keys(Settings):
    """Names of annotation columns. null = look for a column with a usual name and print which was found.
    none = use no column."""

    perturbation: str | None = None
    """Column that says what was done to the cell. Usual names: perturbation, condition, target_gene,
    gene, guide_identity or perturbation_name."""
    dose: str | None = None
    """Column of doses, with or without a unit; 1+1 for a combination. Usual names: dose, dose_val or
    dose_value. Without this column every dose is 1."""
    unit: str | None = None
    """Column of units of doses. Usual names: dose_unit or dose_units. Doses in several units of one kind
    (nM and uM) are converted to the unit that most cells have."""
    type: str | None = None
    """Column of perturbation types: CRISPRi, CRISPRa, CRISPRko, drug, ... Usual name:
    perturbation_type."""
    context: str | None = None
    """Column of the cell line or cell type. Usual names: cell_type, cell_line or celltype. Without this
    column all cells share one context."""
    batch: str | None = None
    """Column that says which cells were measured together. Usual names: batch, gem_group, gemgroup or
    plate. Without this column all cells share one batch."""
    gene: str | None = None
    """Column of the gene table whose names the perturbations use; index = the table's index. null = the
    one of index, gene_name, gene_symbol, gene_symbols, feature_name and symbol that contains most of the
    perturbed genes."""


class ExpressionSplit(Settings):
    """What is new in val and test. Control cells are divided within each context and batch."""

    kind: Literal["perturbation", "combination", "context", "batch", "cell"] = "perturbation"
    """What val and test hold that training does not. perturbation: genes that training never perturbs,
    alone or in a combination. combination: new combinations of perturbed genes. context, batch: whole
    contexts or batches. cell: random cells of perturbations that training has seen; scores then measure
    recall, not prediction."""
    val: Share = 0.15
    """Share of the units (genes, combinations, contexts, batches, cells) that val gets, for choosing
    settings."""
    test: Share = 0.15
    """Share of the units that test gets. Test is for the report only, to be used once."""
    val_units: tuple[str, ...] = ()
    """Units of val by name, instead of a share."""
    test_units: tuple[str, ...] = ()
    """Units of test by name, instead of a share."""
    unseen_genes: Share = 0.0
    """With kind combination: share of the genes that training never perturbs. Half of them go to val,
    half to test. Combinations with 0 and 1 seen genes are then tested as well. The simulation split of
    GEARS (Roohani et al. 2023) uses 0.25."""
    seed: int = 0
    """Seed of the random split."""
    allow_leaky: bool = False
    """true: allow kind cell. Such a split fails the leak audit: a look-up table of training means wins
    on it."""

    @model_validator(mode="after")
    def _is_honest_and_leaves_training_data(self) -> "ExpressionSplit":
        if self.kind == "cell" and not self.allow_leaky:
            raise ValueError(
                "kind cell puts every test perturbation into training; expected perturbation, "
                "combination, context or batch, or allow_leaky: true to see what the leak is worth"
            )
        leaves_training_data(self.val, self.test)
        if shared := sorted(set(self.val_units) & set(self.test_units)):
            raise ValueError(f"val_units and test_units: found {shared[0]!r} in both, expected one")
        if self.kind == "cell" and (self.val_units or self.test_units):
            raise ValueError("val_units and test_units: found names, expected none with kind cell")
        if self.unseen_genes and self.kind != "combination":
            raise ValueError(
                f"unseen_genes: found {self.unseen_genes:g}, expected 0 with kind {self.kind}"
            )
        return self


class KnockDown(Settings):
    """Leave out cells and perturbations whose target is still expressed. The residual is the target's
    normalised expression divided by its mean in training controls of the same context. This applies to
    knock-downs and knock-outs only. Targets that are not measured cannot be judged; they stay. The
    default thresholds are those of cell-load."""

    perturbation_residual: Annotated[float, Field(gt=0, le=1)] = 0.3
    """Highest mean residual that a perturbation may have in a part (train, val or test). The residual of
    a cell is the expression of the perturbed gene, divided by its mean in training controls of the same
    context."""
    cell_residual: Annotated[float, Field(gt=0)] = 0.5
    """Highest residual that a single cell may have."""
    min_cells: Annotated[int, Field(ge=1)] = 30
    """Fewest cells of a perturbation that must remain in a part. If fewer remain, all of them are left
    out there."""


LOG_MOST = 20.0  # no logarithm of expression is above it: log1p of the largest 10x count is under 16


def _check_pattern(text: str) -> None:
    try:
        named = set(re.compile(text).groupindex)
    except re.error as error:
        raise ValueError(f"label_pattern: found {text!r}, no regular expression: {error}") from None
    parts = {"perturbation", "dose", "unit", "type"}
    if "perturbation" not in named or named - parts or ("unit" in named and "dose" not in named):
        raise ValueError(
            f"label_pattern: found {text!r} with the named parts {sorted(named)}, expected "
            "(?P<perturbation>...) and, where labels say them, dose, unit beside dose, and type"
        )


class ExpressionDataset(Settings):
    """Perturb-seq. Data are read in blocks of rows, labelled, split, normalised with statistics of the
    training cells, and stored as CSR."""

    source: Literal["h5ad", "mtx", "npz", "csv", "sachs"]
    """h5ad: a file of AnnData. mtx: a folder with matrix.mtx, barcodes.tsv and features.tsv (10x), also
    as .gz. npz: the array X (or data, indices, indptr and shape of a CSR matrix), the array genes, and
    one array per annotation. csv: one row per cell, its name first. Columns that keys, targets or
    nuisances name, or that have one of the usual names of keys, are annotations; all others are genes.
    sachs: 7,466 T cells, eight perturbations, 11 proteins (Sachs et al. 2005), from the package cdt."""
    path: str
    """File or folder to read. For sachs: the data card, a text file about the data."""
    cells: str | None = None
    """CSV of annotations with the cell name first, for sources mtx, npz and csv. null = in a mtx folder,
    the file cells.csv, obs.csv or metadata.csv."""
    layer: str = "X"
    """Matrix of an .h5ad to read: X, raw, or the name of a layer."""
    keys: Keys = Keys()
    """Names of the annotation columns."""
    targets: Targets = {}
    """Columns besides the perturbation that probes predict from embeddings. Write {cell_type: auto, age:
    numbers}, or a list of names. classes: linear, neighbour and few-label probes. numbers: ridge
    regression. auto: numbers if all values are numbers and either some are fractions or more than 20
    differ; prepare prints the choice."""
    nuisances: Targets = {}
    """Columns that embeddings should not encode, such as a donor. Written like targets."""
    control: Texts = ()
    """Labels of unperturbed cells, in any case; * stands for any text. Empty = the usual ones: control,
    ctrl, non-targeting* (also without the hyphen or with _), NT, NegCtrl*, unperturbed, DMSO,
    vehicle."""
    delimiter: Annotated[str, Field(min_length=1)] = "auto"
    """Text that joins the names of a combination. none: labels are never split. auto: any of + ; , _ | &
    : / - || __ and the word and. With auto, a label is split only if every name is known: a gene of the
    table, a gene perturbed alone, or a control. At a +, a label is also split if its doses or types have
    as many parts."""
    label_pattern: str | None = None
    """How labels are written: a regular expression that matches the whole label. Its named group
    perturbation finds the perturbation. It may also have the named groups dose, unit and type, if labels
    state them. Text outside these groups is ignored: with (?P<perturbation>.+)_g\\d+ the guides TP53_g1
    and TP53_g2 are of one perturbation. If you also set delimiter, each of the joined names is matched
    alone. Labels of controls need not match."""
    ignore_case: bool = False
    """true: treat names that differ only in case as one name."""
    perturbation_type: Annotated[PerturbationType | None, BeforeValidator(type_name)] = None
    """Type of all perturbations if no column states it: knockdown, knockout, overexpression or compound.
    null = unspecified."""
    input: Literal["auto", "counts", "normalised", "log"] = "auto"
    """What the values are. counts: integers; they are scaled to target_sum, then log1p is taken.
    normalised: only log1p is taken. log: values are kept as they are. auto: counts if training cells
    hold only integers, log if their maximum is at most 20; else prepare stops."""
    target_sum: Annotated[float, Field(gt=0)] | None = 1e4
    """Total to which the counts of each cell are scaled; null = the median total of training cells."""
    n_variable_genes: Annotated[int, Field(ge=1)] = 5000
    """Number of genes to keep: those with the highest normalised dispersion in training cells (Satija et
    al. 2015, as in Seurat), or all genes if there are no more. Perturbed genes are kept as well. GEARS
    and scGPT are evaluated with 5000."""
    variable_gene_bins: Annotated[int, Field(ge=1)] = 20
    """Number of bins of mean expression. Dispersions are normalised within each bin."""
    min_cells: Annotated[int, Field(ge=1)] = 20
    """Fewest cells per perturbation. The mean of fewer cells is mostly noise."""
    on_few_cells: Literal["fail", "drop"] = "drop"
    """What to do with a perturbation that has fewer cells than min_cells. fail: stop. drop: leave it out
    and list it."""
    min_genes: Annotated[int, Field(ge=1)] = 1
    """Fewest genes that a cell must express. Cells with fewer are left out and counted; a cell that
    expresses none cannot be scaled."""
    knock_down: KnockDown | None = None
    """Filter by how much of the perturbed gene is still expressed; null = no filter."""
    duplicate_genes: Literal["fail", "drop"] = "fail"
    """What to do if a gene name occurs twice. fail: stop. drop: keep only its first column."""
    on_copies: Literal["fail", "drop"] = "fail"
    """What to do with cells of val and test whose expression equals that of a training cell in every
    value. fail: stop. drop: leave them out. Cells that express fewer than 20 genes are not compared."""
    unlabelled: Literal["fail", "drop"] = "fail"
    """What to do with cells that have no perturbation label. fail: stop. drop: leave them out."""
    unknown_type: Literal["fail", "drop", "unk"] = "fail"
    """What to do with cells whose perturbation type is not a known one. fail: stop. drop: leave them
    out. unk: call the type unknown."""
    unknown_dose: Literal["fail", "drop"] = "fail"
    """What to do with cells whose dose is not a positive number, or that have neither one dose nor one
    per gene. fail: stop. drop: leave them out."""
    unknown_gene: Literal["fail", "drop", "unk"] = "unk"
    """What to do with cells of val and test whose gene is never perturbed in training. fail: stop. drop:
    leave them out. unk: give the gene the code that all unknown genes share, and its own features."""
    gene_features: Literal["none", "pca", "file"] = "pca"
    """Features of a perturbed gene. The model gets them together with the gene's own code; they describe
    genes that training never perturbs. pca: the gene's principal component loadings over training cells.
    file: a table. none: no features."""
    gene_feature_dim: Annotated[int, Field(ge=1)] = 32
    """Number of principal components per gene; ignored with gene_features file."""
    gene_features_path: str | None = None
    """CSV of numbers with the gene name first; only for gene_features file."""
    dense_limit: Annotated[int, Field(ge=0)] = 256
    """The store also holds a dense copy of the cells, which is faster to read, if that takes at most
    this many MiB."""
    split: ExpressionSplit = ExpressionSplit()
    """How cells are divided into train, val and test."""

    @model_validator(mode="after")
    def _fields_fit_the_source(self) -> "ExpressionDataset":
        if (self.gene_features == "file") != (self.gene_features_path is not None):
            raise ValueError("gene_features_path belongs to gene_features file, and only to it")
        if self.layer != "X" and self.source != "h5ad":
            raise ValueError(f"layer: found {self.layer!r}, expected X with source {self.source}")
        if both := sorted(self.targets.keys() & self.nuisances.keys()):
            raise ValueError(f"targets and nuisances: found {both[0]!r} in both, expected one")
        if self.label_pattern is not None:
            _check_pattern(self.label_pattern)
        if self.cells is not None and self.source in ("h5ad", "sachs"):
            raise ValueError(
                f"cells: found a path, expected null with source {self.source}, which has its own"
            )
        return self
