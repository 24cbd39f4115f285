"""Which column holds what: the names a user gives, or the usual ones."""

import difflib

from ....errors import InputError
from ..dataset import ExpressionDataset
from .source import ExpressionSource

NONE = "none"  # a key that says: do without

USUAL = {
    "perturbation": ("perturbation", "condition", "target_gene", "gene", "guide_identity",
                     "perturbation_name"),
    "dose": ("dose", "dose_val", "dose_value"),
    "unit": ("dose_unit", "dose_units"),
    "type": ("perturbation_type",),
    "context": ("cell_type", "cell_line", "celltype"),
    "batch": ("batch", "gem_group", "gemgroup", "plate"),
}  # fmt: skip
_GENE = ("gene_name", "gene_symbol", "gene_symbols", "feature_name", "symbol")


def annotation_keys(dataset: ExpressionDataset) -> set[str]:
    """Names of columns that are annotations, where nothing else tells them from genes."""
    given = {v for k, v in dataset.keys.model_dump().items() if v not in (None, NONE) and k != "gene"}
    given |= dataset.targets.keys() | dataset.nuisances.keys()
    return given | {name for usual in USUAL.values() for name in usual}


def gene_keys(dataset: ExpressionDataset) -> list[str]:
    """Columns of the gene table worth reading beside its index."""
    return list(_GENE) if dataset.keys.gene is None else [dataset.keys.gene]


def find_keys(source: ExpressionSource, dataset: ExpressionDataset) -> dict[str, str | None]:
    """Column of each annotation, None where there is none.

    Raises:
        InputError: a given name that is no column, or no column of perturbations.
    """
    found = {
        what: _find(source, what, getattr(dataset.keys, what), names) for what, names in USUAL.items()
    }
    if found["perturbation"] is None:
        raise InputError(
            f"{source.path}: keys.perturbation: found none of {', '.join(USUAL['perturbation'])}; "
            f"expected one of the columns {_listed(source.columns)}"
        )
    return found


def _find(source: ExpressionSource, what: str, given: str | None, usual: tuple[str, ...]) -> str | None:
    if given == NONE:
        return None
    if given is not None:
        if given not in source.columns:
            raise InputError(f"{source.path}: keys.{what}: found no column {given!r}; "
                             f"{nearest(given, source.columns)}")  # fmt: skip
        return given
    by_lower = {name.casefold(): name for name in reversed(source.columns)}
    return next((by_lower[name] for name in usual if name in by_lower), None)


def find_gene_names(
    source: ExpressionSource, dataset: ExpressionDataset, texts: set[str]
) -> tuple[str, list[str]]:
    """(column, gene names) that know most of ``texts``, the labels and their pieces.

    Raises:
        InputError: a given name that is no column of the gene table, or names missing or twice there.
    """
    given = dataset.keys.gene
    if given is not None and given not in source.genes:
        raise InputError(f"{source.path}: keys.gene: found no column {given!r} of the gene table, "
                         "expected one, or index")  # fmt: skip
    choices = list(source.genes) if given is None else [given]
    column = max(choices, key=lambda name: len(texts & set(source.genes[name])))
    names = source.genes[column]
    empty = sum(not name for name in names)
    if empty:
        raise InputError(f"{source.path}: keys.gene: {empty} of {len(names)} genes have no name in "
                         f"{column!r}; choose another column")  # fmt: skip
    twice = len(names) - len(set(names))
    if twice and dataset.duplicate_genes == "fail":
        example = next(name for i, name in enumerate(names) if name in names[:i])
        raise InputError(
            f"{source.path}: {twice} of {len(names)} gene names in {column!r} stand there again, e.g. "
            f"{example!r}; set duplicate_genes: drop to keep the first of each"
        )
    return column, names


def other_labels(source: ExpressionSource, dataset: ExpressionDataset, key: str) -> list[str]:
    """Columns that may hold perturbations as well as the one that was found; none where it was given."""
    if dataset.keys.perturbation is not None:
        return []
    return [name for name in source.columns if name != key and name.casefold() in USUAL["perturbation"]]


def nearest(name: str, names: list[str]) -> str:
    """What to say about a name that is not among ``names``."""
    near = difflib.get_close_matches(name, names, 1)
    return f"did you mean {near[0]!r}?" if near else f"expected one of {_listed(names)}"


def _listed(names: list[str], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(map(repr, names[:most])) or "(there are none)") + more
