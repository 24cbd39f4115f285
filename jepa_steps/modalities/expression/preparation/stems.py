"""One target under several labels: names that may mean the same gene or compound, as those of its
guides, doses and spellings do."""

import re
from collections import Counter
from collections.abc import Callable

import numpy as np

from ..dataset import TYPE_OF
from .labels import Cells

_WORD = re.compile(r"[^\W_]+")
_PREFIX = re.compile(r"(sg|sh|si)(?=[A-Z])")  # sgTP53
_AMOUNT = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_DOSE = re.compile(rf"{_AMOUNT}\s?(?:[fpnumµμ]M|(?<=[eE].\d)M|[fpnumµμ]g(?:/m?l)?)(?![A-Za-z0-9])")
# Words beside a name that tell a guide, a replicate, a pool, a dose, a time or a way to perturb.
_BESIDE = re.compile(
    r"\d+([fpnumµμ]?(m|mol|g|l)|h|hr|hrs|d|x)?|[^\W\d]|[acgt]{10,}|[fpnumµμ](m|mol|g|l)|p1p2"
    r"|(sg|g|sgrna|grna|guide|crrna|sh|si|shrna|rep|replicate|p|v|n|construct|oligo|pos|neg|hr|hrs|h)\d*"
    r"|(exon|ex|pool|lib|library)\d+|low|mid|med|medium|high"
)
# A guide's letter behind a gene: TP53a, TP53gB.
_GLUED = re.compile(r"(.+?)(?:[a-h]|g[A-Za-z0-9])")


def stem(name: str) -> str:
    """What is left of a name without case, signs, and words of guides and doses: ``sgTP53.1`` and
    ``tp53_10nM`` are both tp53."""
    kept = [word.casefold() for word in _kept_words(name)]
    return " ".join(kept) or " ".join(_WORD.findall(name.casefold()))


def _kept_words(name: str) -> list[str]:
    words = _WORD.findall(_DOSE.sub(" ", name))
    return [_PREFIX.sub("", word) for word in words if not _is_beside(word.casefold())]


def _is_beside(word: str) -> bool:
    return _BESIDE.fullmatch(word) is not None or word in TYPE_OF


def meanings(names: list[str], measured: set[str]) -> dict[str, frozenset[str]]:
    """What each name may mean; names that share a meaning may be one target.

    A gene of the table means itself. Any other name means its stem, and every word of it that is a gene
    of the table, with a guide's letter or without, or the stem of another name; where all its words look
    like genes and stand in other names, too, any of them.
    """
    genes = {name.casefold() for name in measured}
    stems = {name: name.casefold() if name in measured else stem(name) for name in names}
    known = genes | set(stems.values())
    other = {name: _kept_words(name) for name in names if name not in measured}
    often = {word for word, n in Counter(w for ws in other.values() for w in set(ws)).items() if n > 1}
    found = {}
    for name in names:
        words = other.get(name, [])
        joined = len(words) > 1 and all(word in often and word != word.lower() for word in words)
        inside = {w.casefold() for w in words if joined or w.casefold() in known}
        glued = (match[1].casefold() for w in words if (match := _GLUED.fullmatch(w)))
        found[name] = frozenset({stems[name], *inside, *(gene for gene in glued if gene in genes)})
    return found


def one_target_in_two_parts(
    cells: Cells, condition: np.ndarray, split: np.ndarray
) -> list[tuple[str, str]]:
    """(name in val or test, name in a part before it) of genes, then of combinations, that may be one
    although their names differ.

    Args:
        condition: int (n,), of each row; 0 = control.
        split: int64 (n,), 0 train, 1 val, 2 test.
    """
    names = sorted({part.gene for parts in cells.conditions for part in parts})
    measured = set(cells.genes)
    meaning = meanings(names, measured)
    target = {name: name.casefold() if name in measured else stem(name) for name in names}
    found: list[tuple[str, str]] = []
    for part in (1, 2):
        before, here = (
            {tuple(p.gene for p in cells.conditions[c]) for c in np.unique(condition[of]) if c}
            for of in (split < part, split == part)
        )
        found += _alike(_genes(here), _genes(before), lambda name: meaning[name])
        combined = ({genes for genes in some if len(genes) > 1} for some in (here, before))
        found += [
            ("+".join(a), "+".join(b))
            for a, b in _alike(*combined, lambda genes: [tuple(sorted(target[g] for g in genes))])
        ]
    return found


def one_target_twice(cells: Cells) -> list[tuple[str, str]]:
    """The same, wherever the two stand."""
    names = sorted({part.gene for parts in cells.conditions for part in parts})
    meaning, first, found = meanings(names, set(cells.genes)), {}, []
    for name in names:
        match = next((first[word] for word in sorted(meaning[name]) if word in first), None)
        found += [(name, match)] if match is not None else []
        for word in meaning[name]:
            first.setdefault(word, name)
    return found


def _genes(conditions: set[tuple[str, ...]]) -> set[str]:
    return {gene for genes in conditions for gene in genes}


def _alike(here: set, before: set, keys_of: Callable) -> list[tuple]:
    """Pairs of one that is new and one of before that share a key."""
    known: dict = {}
    for one in sorted(before):
        for key in keys_of(one):
            known.setdefault(key, one)
    pairs = ((one, next((known[k] for k in sorted(keys_of(one)) if k in known), None))
             for one in sorted(here - before))  # fmt: skip
    return [(one, match) for one, match in pairs if match is not None]


_NAME = r"(?P<perturbation>.+?)"
_UNIT = r"(?P<unit>[fpnumµμ]?M|[fpnumµμ]g(?:/ml)?)"
_PATTERNS = (
    rf"{_NAME}[_.|: -]+(?:sgRNA|gRNA|guide|sg|g)?[_.-]?\d+",
    r"sg(?P<perturbation>[A-Z].*?)(?:[_.-]+\d+)?",
    rf"{_NAME}[_ @-]*(?P<dose>{_AMOUNT}) ?{_UNIT}(?:[_ -].*)?",
    rf"{_NAME} \((?P<dose>{_AMOUNT}) ?{_UNIT}\)",
    rf"{_NAME}[_ -]+\d+ ?h(?:rs?)?",
    rf"\[\(.(?P<perturbation>.+)., (?P<dose>{_AMOUNT}), .(?P<unit>.+).\)\]",
)


def remedy(found: list[tuple[str, str]]) -> str:
    """The setting that makes one of such names, as far as they show it, and the one that keeps them."""
    if all(a.lower() == b.lower() for a, b in found):
        wanted = "ignore_case: true"
    else:
        fits = next((p for p in _PATTERNS if all(_makes_one(p, a, b) for a, b in found)), None)
        wanted = f"label_pattern: '{fits}'" if fits else (
            "label_pattern to a regular expression that names the target (docs/perturbseq.md, How a "
            "label reads), or delimiter where a label joins two"
        )  # fmt: skip
    return f"if they are one, set {wanted}; if all differ, label_pattern: '(?P<perturbation>.+)'"


def _makes_one(pattern: str, *names: str) -> bool:
    """Whether a pattern reads the same target out of these names, and nothing beside it."""
    matches = [re.fullmatch(pattern, name) for name in names]
    if None in matches:
        return False
    targets = {match["perturbation"] for match in matches}
    return len(targets) == 1 and all(_kept_words(t) == _WORD.findall(t) for t in targets)
