import numpy as np
import pytest
from modalities.expression.screens import LABELS, screen, settings, write_npz

from jepa_steps.config.reading import parse
from jepa_steps.errors import InputError
from jepa_steps.modalities.expression.dataset import ExpressionDataset
from jepa_steps.modalities.expression.preparation.combinations import known_names
from jepa_steps.modalities.expression.preparation.label_text import (
    alone,
    entries,
    is_control,
    split_label,
)
from jepa_steps.modalities.expression.preparation.labels import Part, label_cells
from jepa_steps.modalities.expression.sources.read import open_source

KNOWN = {"A", "B", "HLA-A", "HLA_A", "ctrl"}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("A+B", ("A", "B")),
        (" A + B ", ("A", "B")),
        ("A+new", ("A+new",)),
        ("(+)-JQ1", ("(+)-JQ1",)),  # but a compound may be
        ("A_B", ("A", "B")),
        ("A;B", ("A", "B")),
        ("A,B", ("A", "B")),
        ("A|B", ("A", "B")),
        ("A_new", ("A_new",)),
        ("HLA_A", ("HLA_A",)),
        ("HLA-A_B", ("HLA-A", "B")),
        ("A+ctrl", ("A", "ctrl")),
        ("A_ctrl", ("A", "ctrl")),
        ("A+B+HLA-A", ("A", "B", "HLA-A")),
        ("A+", ("A+",)),
        ("AB", ("AB",)),
        ("A&B", ("A", "B")),
        ("A:B", ("A", "B")),
        ("A/B", ("A", "B")),
        ("A-B", ("A", "B")),
        ("A__B", ("A", "B")),
        ("A || B", ("A", "B")),
        ("A and B", ("A", "B")),
        ("AandB", ("AandB",)),
        ("A-new", ("A-new",)),
    ],
)
def test_labels_are_split_where_the_parts_are_known(text, parts):
    assert split_label(text, "auto", KNOWN) == parts


@pytest.mark.parametrize(
    ("text", "stated", "parts"),
    [
        ("A+new", {2}, ("A", "new")),
        ("x+y", {3}, ("x+y",)),
        ("x;y", {2}, ("x;y",)),
        ("x+y+z", {2, 3}, ("x", "y", "z")),
        ("(+)-JQ1", {2}, ("(+)-JQ1",)),
        ("HLA_A", {2}, ("HLA_A",)),
    ],
)
def test_labels_are_split_where_doses_or_types_are_of_as_many_parts(text, stated, parts):
    assert split_label(text, "auto", KNOWN, stated) == parts


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1", 1),
        ("1+1", 2),
        ("1e+1+2", 2),
        ("0.5+1+2", 3),
        ("2,5", 0),
        ("CRISPRa+KO", 2),
        ("10_uM", 0),
        ("", 0),
    ],
)
def test_types_and_doses_are_counted(text, count):
    assert entries(text) == count


def test_a_given_delimiter_is_believed_and_none_splits_nothing():
    assert split_label("x_y", "_", set()) == ("x", "y")
    assert split_label("x <> y", "<>", set()) == ("x", "y")
    assert split_label("x||y", "||", set()) == ("x", "y")
    assert split_label("HLA-A", "-", KNOWN) == ("HLA-A",)
    assert split_label("HLA-A-B", "-", KNOWN) == split_label("HLA-A-B", "auto", KNOWN) == ("HLA-A", "B")
    assert split_label("HLA-A-new", "-", KNOWN) == ("HLA", "A", "new")
    assert split_label("A+B", "_", KNOWN) == ("A+B",)
    assert split_label("A+B", "none", KNOWN) == ("A+B",)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("A", "A"),
        ("A_ctrl", "A"),
        ("ctrl + HLA_A", "HLA_A"),
        ("A_B", None),
        ("A_B_ctrl", None),
        ("ctrl", "ctrl"),
        ("non-targeting_1", "non-targeting_1"),
        ("ctrl_1", None),  # the number of a guide
    ],
)
def test_what_is_perturbed_alone_is_known(text, name):
    assert alone(text, ("ctrl", "non-targeting*")) == name


def test_controls_are_named_by_their_text_and_a_star():
    assert is_control("[('DMSO_TF', 0.0, 'uM')]", ("[('dmso*",))
    assert not is_control("D", ("[D]",)) and not is_control("NTs", ("nt?",))
    assert is_control("non-targeting_1", ("non-targeting*",)) and not is_control("NT5E", ("nt",))


@pytest.mark.parametrize("sign", ["&", "-", ":", "/", " and ", "||", "__"])
def test_pairs_of_names_that_no_column_measures_are_known_where_each_is_perturbed_alone(sign):
    texts = ["ctrl", "x1", "x2", "HLA-A", f"x1{sign}x2", f"x1{sign}new"]
    known = known_names(texts, ["g0"], ("ctrl",))
    assert split_label(f"x1{sign}x2", "auto", known) == ("x1", "x2")
    assert split_label(f"x1{sign}new", "auto", known) == (f"x1{sign}new",)
    assert split_label("HLA-A", "auto", known) == ("HLA-A",)


def labelled(tmp_path, s, **changes):
    write_npz(tmp_path / "s.npz", s)
    dataset = settings(tmp_path / "s.npz", **changes)
    return label_cells(open_source(dataset, tmp_path), dataset)


def meant(cells):
    return [cells.conditions[c] if c >= 0 else None for c in cells.condition]


@pytest.mark.parametrize(
    "spell",
    [
        lambda label: label,
        lambda label: f"  {label} ",
        lambda label: "+".join(reversed(label.split("+"))),
        lambda label: label.replace("+", "_"),
        lambda label: label.replace("+", ";"),
        lambda label: label.replace("+", ", "),
        lambda label: label if label == "ctrl" or "+" in label else f"{label}+ctrl",
        lambda label: label if label == "ctrl" or "+" in label else f"ctrl+{label}",
        lambda label: "Non-Targeting" if label == "ctrl" else label,
        lambda label: "NegCtrl7" if label == "ctrl" else label,
        lambda label: "CONTROL" if label == "ctrl" else label,
    ],
)
def test_spellings_of_one_screen_mean_the_same(spell, tmp_path):
    s = screen()
    expected = meant(labelled(tmp_path, s))
    dose = ["+".join("1" for _ in spell(p).split("+")) for p in s["perturbation"]]
    plain = [d if "+" in spell(p) else "1" for d, p in zip(dose, s["perturbation"], strict=True)]
    changed = {**s, "perturbation": [spell(p) for p in s["perturbation"]], "dose": plain}
    assert meant(labelled(tmp_path, changed)) == expected
    assert expected.count(()) == 24 and len(set(expected)) == len(LABELS)


@pytest.mark.parametrize("sign", "+_;")
def test_genes_that_no_column_measures_are_known_where_perturbed_beside_a_control(sign, tmp_path):
    s = screen()
    names = [p.replace("g", "x") for p in s["perturbation"]]
    names = [p.replace("+", sign) if "+" in p or p == "ctrl" else f"{p}{sign}ctrl" for p in names]
    cells = labelled(tmp_path, {**s, "perturbation": names}, keys={"dose": "none"})
    pairs = {f"x{a}{sign}x{b}": (f"x{a}", f"x{b}") for a, b in ((0, 1), (2, 3), (4, 5), (1, 6))}
    assert cells.log["combinations"] == pairs


@pytest.mark.parametrize("column", ["dose", "perturbation_type"])
def test_a_part_of_which_nothing_is_known_needs_its_own_dose_or_type(column, tmp_path):
    s = screen(labels=[*LABELS, "new+g1"])
    s = {**s, "dose": ["1"] * len(s["dose"])}
    with pytest.raises(
        InputError, match=r"perturbation: 1 labels join names, e.g. 'new\+g1', but 'new'"
    ):
        labelled(tmp_path, s)
    assert labelled(tmp_path, s, delimiter="+").log["combinations"]["new+g1"] == ("new", "g1")
    assert "new+g1" not in labelled(tmp_path, s, delimiter="none").log["combinations"]
    two = {"dose": "1+1", "perturbation_type": "CRISPRa+CRISPRa"}[column]
    s[column] = [
        two if p == "new+g1" else "1" if column == "dose" else "CRISPRa" for p in s["perturbation"]
    ]
    assert labelled(tmp_path, s).log["combinations"]["new+g1"] == ("new", "g1")


def test_a_label_joined_by_two_signs_is_asked_about(tmp_path):
    s = screen(labels=[*LABELS, "g1_g2+g3"])
    s = {**s, "dose": ["1"] * len(s["dose"])}
    with pytest.raises(InputError, match="'g1_g2' is neither a gene of the table nor perturbed alone"):
        labelled(tmp_path, s)


GUIDES = r"(?P<perturbation>.+?)_g\d+"


def respelled(s, spell):
    """The screen with other labels; controls and combinations aside."""
    label = [p if p == "ctrl" or "+" in p else spell(i, p) for i, p in enumerate(s["perturbation"])]
    return {**s, "perturbation": label}


def test_a_pattern_says_how_labels_read(tmp_path):
    s = screen(labels=[label for label in LABELS if "+" not in label])
    expected = meant(labelled(tmp_path, s))
    guides = respelled(s, lambda i, p: f"{p}_g{i % 2}")
    assert meant(labelled(tmp_path, guides, label_pattern=GUIDES)) == expected
    assert meant(labelled(tmp_path, guides)) != expected
    plain = {k: v for k, v in s.items() if k not in ("dose", "perturbation_type")}
    told = labelled(
        tmp_path,
        respelled(
            plain, lambda i, p: f"[('{p}', {(i % 2 + 1) / 2}, '{'uM' if i % 3 else 'nM'}', 'drug')]"
        ),
        label_pattern=r"\[\('(?P<perturbation>.+)', (?P<dose>.+), '(?P<unit>.+)', '(?P<type>.+)'\)\]",
    )
    parts = {part for parts in told.conditions for part in parts}
    assert {part.type for part in parts} == {"compound"}
    assert {part.dose for part in parts} == {0.5, 1.0, 0.0005, 0.001}
    assert told.log["keys"]["dose"] == "label_pattern" and "in uM" in told.log["doses"]


def test_a_pattern_matches_each_name_that_a_given_delimiter_joins(tmp_path):
    s = screen()
    expected = meant(labelled(tmp_path, s))
    spelled = [
        "|".join(f"{g}_g1" for g in p.split("+")) if p != "ctrl" else p for p in s["perturbation"]
    ]
    cells = labelled(tmp_path, {**s, "perturbation": spelled}, label_pattern=GUIDES, delimiter="|")
    assert meant(cells) == expected


def test_labels_that_a_pattern_does_not_match_are_one_line(tmp_path):
    with pytest.raises(
        InputError, match=r"label_pattern: 11 of 12 labels of 'perturbation' do not match"
    ):
        labelled(tmp_path, screen(), label_pattern=GUIDES)


@pytest.mark.parametrize("pattern", ["(", "(?P<gene>.+)", ".+", "(?P<perturbation>.+) (?P<unit>.+)"])
def test_a_pattern_names_its_parts(tmp_path, pattern):
    with pytest.raises(InputError, match="label_pattern: found"):
        parse(ExpressionDataset, {"source": "csv", "path": "x", "label_pattern": pattern}, "s.yaml")


def test_case_is_ignored_where_the_settings_say_so(tmp_path):
    s = screen()
    expected = meant(labelled(tmp_path, s))
    mixed = {**s, "perturbation": [p.upper() if i % 2 else p for i, p in enumerate(s["perturbation"])]}
    assert meant(labelled(tmp_path, mixed, ignore_case=True)) == expected
    assert meant(labelled(tmp_path, mixed)) != expected


def test_a_control_may_be_called_none(tmp_path):
    s = screen()
    named = {**s, "perturbation": ["None" if p == "ctrl" else p for p in s["perturbation"]]}
    with pytest.raises(
        InputError,
        match=r'24 of 288 cells have no label; if "None" is the control, set control: \["None"\]',
    ):
        labelled(tmp_path, named)
    assert meant(labelled(tmp_path, named, control=["None"])) == meant(labelled(tmp_path, s))


def test_words_for_a_type_stand_in_settings_as_in_columns():
    dataset = {"source": "csv", "path": "x", "perturbation_type": "CRISPRko"}
    assert parse(ExpressionDataset, dataset, "s").perturbation_type == "knockout"
    with pytest.raises(InputError, match="perturbation_type"):
        parse(ExpressionDataset, {**dataset, "perturbation_type": "laser"}, "s")


def test_doses_and_types_belong_to_their_genes_whatever_the_order(tmp_path):
    s = screen(labels=["control", "g0", "g1", "b", "a"])
    change = {"g0": ("g3+g2", "0.5+2", "CRISPRa+KO"), "g1": ("g2+g3", "2+.5", "knockout+OE"),
              "a": ("a", "1e+1", "drug"), "b": ("b+ctrl", "3+1", "siRNA")}  # fmt: skip
    for i, label in enumerate(s["perturbation"]):
        if label in change:
            s["perturbation"][i], s["dose"][i], s["perturbation_type"][i] = change[label]
    cells = labelled(tmp_path, s)
    assert cells.conditions == [
        (),
        (Part("a", "compound", 10.0),),
        (Part("b", "knockdown", 3.0),),
        (Part("g2", "knockout", 2.0), Part("g3", "overexpression", 0.5)),
    ]
    assert cells.log["control_labels"] == {"control": 24}


def test_one_label_with_two_types_is_one_perturbation_and_two_conditions(tmp_path):
    s = screen()
    s["perturbation_type"] = ["CRISPRa" if c == "K562" else "CRISPRi" for c in s["cell_type"]]
    cells = labelled(tmp_path, s)
    assert len(cells.conditions) == 2 * (len(LABELS) - 1) + 1
    assert len(set(cells.names())) == len(LABELS)


def test_keys_are_found_by_their_usual_names_or_given(tmp_path):
    s = screen()
    keys = labelled(tmp_path, s).log["keys"]
    assert keys == {"perturbation": "perturbation", "dose": "dose", "unit": None,
                    "type": "perturbation_type", "context": "cell_type", "batch": "batch", "gene": "index"}  # fmt: skip
    renamed = {"Condition" if k == "perturbation" else "lane" if k == "batch" else k: v
               for k, v in s.items()}  # fmt: skip
    cells = labelled(tmp_path, renamed, keys={"batch": "lane", "dose": "none", "context": "none"})
    assert cells.log["keys"]["perturbation"] == "Condition"
    assert cells.log["keys"]["dose"] is None and cells.contexts == ["all"]
    assert len(cells.batches) == 2


def test_the_gene_column_that_knows_the_labels_is_taken(tmp_path):
    anndata = pytest.importorskip("anndata")
    from modalities.expression.screens import adata

    a = adata(screen())
    assert isinstance(a, anndata.AnnData)
    a.var["gene_name"] = a.var_names
    a.var_names = [f"ENSG{i:05}" for i in range(a.n_vars)]
    a.write_h5ad(tmp_path / "a.h5ad")
    dataset = settings(tmp_path / "a.h5ad", "h5ad")
    cells = label_cells(open_source(dataset, tmp_path), dataset)
    assert cells.gene_column == "gene_name" and cells.genes[3] == "g3"


def test_what_is_left_out_is_counted(tmp_path):
    s = screen()
    s["perturbation"][:7] = [""] * 7
    s["dose"][7:14] = ["much"] * 3 + ["1"] * 4
    s["perturbation_type"][10:14] = ["laser"] * 4
    for i in range(7, 14):
        s["perturbation"][i] = "g0"
    rare = [i for i in range(14, 288) if s["perturbation"][i] == "g5"]
    for i in rare[4:]:
        s["perturbation"][i] = "g6"
    cells = labelled(tmp_path, s, unlabelled="drop", unknown_dose="drop", unknown_type="drop")
    dropped = cells.log["dropped_cells"]
    assert dropped == {"unlabelled": 7, "unknown_dose": 3, "unknown_type": 4, "few_cells": 4}
    assert cells.log["dropped_perturbations"] == {"g5": 4}
    assert (cells.condition == -1).sum() == 18
    unk = labelled(tmp_path, s, unlabelled="drop", unknown_dose="drop", unknown_type="unk")
    assert (Part("g0", "unknown", 1.0),) in unk.conditions
    assert np.isin(unk.condition[10:14], [unk.conditions.index((Part("g0", "unknown", 1.0),))]).all()
