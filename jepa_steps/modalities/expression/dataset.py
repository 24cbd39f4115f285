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
    """Names of annotation columns. null = find it by the usual names, and say which; none = do
    without."""

    perturbation: str | None = None
    """What was done to the cell: perturbation, condition, target_gene, gene, guide_identity or
    perturbation_name."""
    dose: str | None = None
    """Dose, 1+1 for a combination, with a unit or without: dose, dose_val or dose_value. Without it
    every dose is 1."""
    unit: str | None = None
    """Unit of the dose: dose_unit or dose_units. Doses in several units of one kind (nM and uM) are
    converted to the one that most cells have."""
    type: str | None = None
    """CRISPRi, CRISPRa, CRISPRko, drug, ...: perturbation_type."""
    context: str | None = None
    """Cell line or type: cell_type, cell_line or celltype. Without it all cells share one."""
    batch: str | None = None
    """What was measured together: batch, gem_group, gemgroup or plate. Without it, all share one."""
    gene: str | None = None
    """Column of the gene table that perturbations are named by; index = the table's index. null = the
    one of index, gene_name, gene_symbol, gene_symbols, feature_name and symbol that knows most of
    them."""


class ExpressionSplit(Settings):
    """What is new in val and test. Controls are divided within each context and batch."""

    kind: Literal["perturbation", "combination", "context", "batch", "cell"] = "perturbation"
    """perturbation: genes never perturbed in training, alone or in a combination. combination: new
    combinations of perturbed genes. context, batch: whole contexts or batches. cell: random cells of
    seen perturbations, which measures recall, not prediction."""
    val: Share = 0.15
    """Share of the units (genes, combinations, contexts, batches, cells) used to choose settings."""
    test: Share = 0.15
    """Share of the units used once, to report."""
    val_units: tuple[str, ...] = ()
    """Units of val by name, instead of a share."""
    test_units: tuple[str, ...] = ()
    """Units of test by name, instead of a share."""
    unseen_genes: Share = 0.0
    """With kind combination: share of the genes kept out of training altogether, half of them for val,
    so that combinations with 0 and 1 genes seen are tested too (the simulation split of GEARS, Roohani
    et al. 2023, takes 0.25)."""
    seed: int = 0
    """Seed of the draw."""
    allow_leaky: bool = False
    """Accept kind cell, whose audit fails: a look-up of the training mean wins it."""

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
    """Leave out cells and perturbations whose target is still expressed; the residual is the target's
    normalised expression over its mean in training controls of the same context. Knock-downs and
    knock-outs only; targets that are not measured cannot be judged and stay. The thresholds are those
    of cell-load."""

    perturbation_residual: Annotated[float, Field(gt=0, le=1)] = 0.3
    """Highest mean residual of a perturbation in a part (train, val or test)."""
    cell_residual: Annotated[float, Field(gt=0)] = 0.5
    """Highest residual of a cell."""
    min_cells: Annotated[int, Field(ge=1)] = 30
    """Fewest cells of a perturbation that may remain in a part."""


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
    """Perturb-seq: read in row blocks, labelled, split, normalised by training cells, stored as CSR."""

    source: Literal["h5ad", "mtx", "npz", "csv", "sachs"]
    """h5ad: AnnData's file. mtx: folder of matrix.mtx, barcodes.tsv and features.tsv (10x), .gz too.
    npz: X, or data, indices, indptr and shape (CSR), beside genes and one array an annotation. csv: one
    row a cell, its name first; columns of annotations by their keys, all others are genes. sachs: 7,466
    T cells, eight perturbations, 11 proteins (Sachs et al. 2005), out of the package cdt."""
    path: str
    """File or folder to read; for sachs, the data card."""
    cells: str | None = None
    """CSV of annotations, cell name first, for mtx, npz and csv. null = cells.csv, obs.csv or
    metadata.csv in a mtx folder."""
    layer: str = "X"
    """Which matrix of an .h5ad: X, raw, or the name of a layer."""
    keys: Keys = Keys()
    """Names of the annotation columns."""
    targets: Targets = {}
    """Further columns that embeddings are asked for beside the perturbation, such as {cell_type: auto,
    age: numbers}, or a list of names. classes: linear, neighbour and few-label probes. numbers: ridge
    regression. auto: numbers where all values are numbers, some of them fractions or more than 20
    different; prepare says which."""
    nuisances: Targets = {}
    """The same, of what embeddings should not tell, such as a donor."""
    control: Texts = ()
    """Labels of unperturbed cells, * for any text. Empty = the usual ones: control, ctrl,
    non-targeting, NT, NegCtrl*, unperturbed, DMSO, vehicle."""
    delimiter: Annotated[str, Field(min_length=1)] = "auto"
    """What joins the names of a combination, any text, or none. auto: + ; , _ | & : / - || __ or the
    word and, where every part is known (a gene of the table, perturbed alone, or a control) or, with
    +, the doses or types are of as many parts."""
    label_pattern: str | None = None
    """How a label reads: a regular expression of the whole label with the named part perturbation, and
    dose, unit or type where the label says them. What stands outside of these parts is left out: with
    (?P<perturbation>.+)_g\\d+ the guides TP53_g1 and TP53_g2 are of one perturbation. With a delimiter
    of yours, each of the joined names is matched by itself. Labels of controls need not match."""
    ignore_case: bool = False
    """Take names that differ in case alone for one."""
    perturbation_type: Annotated[PerturbationType | None, BeforeValidator(type_name)] = None
    """Type of all perturbations where no column tells it; null = unspecified."""
    input: Literal["auto", "counts", "normalised", "log"] = "auto"
    """counts: integers, scaled to target_sum, then log1p. normalised: log1p only. log: kept. auto:
    counts where training cells hold integers only, log where their maximum is below 20."""
    target_sum: Annotated[float, Field(gt=0)] | None = 1e4
    """Total of a cell of counts after scaling; null = the median total of training cells."""
    n_variable_genes: Annotated[int, Field(ge=1)] = 5000
    """Genes kept for their normalised dispersion in training cells (Satija et al. 2015, as in Seurat),
    or all if there are no more; perturbed genes are kept beside them. 5000 is what GEARS and scGPT are
    measured with."""
    variable_gene_bins: Annotated[int, Field(ge=1)] = 20
    """Bins of mean expression within which dispersions are normalised."""
    min_cells: Annotated[int, Field(ge=1)] = 20
    """Fewest cells of a perturbation; the mean of fewer is mostly noise."""
    on_few_cells: Literal["fail", "drop"] = "drop"
    """A perturbation with fewer cells: stop, or leave it out and list it."""
    min_genes: Annotated[int, Field(ge=1)] = 1
    """Cells that express fewer genes are left out and counted; a cell of zeros cannot be scaled."""
    knock_down: KnockDown | None = None
    """Filter by the target's own expression; null = none."""
    duplicate_genes: Literal["fail", "drop"] = "fail"
    """A gene name that stands twice: stop, or keep its first column."""
    on_copies: Literal["fail", "drop"] = "fail"
    """Cells of val and test whose expression equals a training cell's in every value: stop, or leave
    them out. Cells with fewer than 20 expressed genes are not compared."""
    unlabelled: Literal["fail", "drop"] = "fail"
    """Cells without a perturbation label."""
    unknown_type: Literal["fail", "drop", "unk"] = "fail"
    """Cells with a type that has no meaning here: stop, leave them out, or call the type unknown."""
    unknown_dose: Literal["fail", "drop"] = "fail"
    """Cells whose dose is not a positive number, or not one a gene."""
    unknown_gene: Literal["fail", "drop", "unk"] = "unk"
    """Cells of val and test with a gene never perturbed in training: stop, leave them out, or give the
    gene the code unknown, beside its features."""
    gene_features: Literal["none", "pca", "file"] = "pca"
    """What describes a perturbed gene beside its own code, so that one never perturbed in training has a
    meaning: its principal component loadings over training cells, or a table."""
    gene_feature_dim: Annotated[int, Field(ge=1)] = 32
    """Principal components; ignored with a table."""
    gene_features_path: str | None = None
    """CSV of numbers, gene name first; only for gene_features file."""
    dense_limit: Annotated[int, Field(ge=0)] = 256
    """MiB up to which the store holds a dense copy as well, which reads faster."""
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
