import re

import numpy as np
import pytest

from jepa_steps.modalities.expression.preparation.labels import Cells, Part
from jepa_steps.modalities.expression.preparation.stems import (
    meanings,
    one_target_in_two_parts,
    one_target_twice,
    remedy,
    stem,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("TF0_sgRNA1", "TF0_sgRNA2"),
        ("TF0-1", "TF0-2"),
        ("TF0.1", "TF0"),
        ("sgGENE0.1", "sgGENE0.2"),
        ("sgGENE0", "GENE0_g2"),
        ("ENSG00000141510.4", "ENSG00000141510"),
        ("TP53_P1P2", "TP53_P1"),
        ("GENE0", "gene0"),
        ("Drug0_10nM", "Drug0_0.5 uM"),
        ("[('Drug0', 0.5, 'uM')]", "[('Drug0', 5.0, 'uM')]"),
        ("TP53_KO", "TP53 CRISPRi"),
        ("TP53_ACGTACGTACGTACGTACGT", "TP53"),
        ("DrugA10uM", "DrugA1uM"),
        ("DrugA0.5uM", "DrugA"),
        ("JQ1-10uM-24h", "JQ1-1uM-24h"),
        ("Vorinostat@1e-6M", "Vorinostat@1e-5M"),
        ("JAK2_high", "JAK2_low"),
        ("pool1_PTEN", "pool2_PTEN"),
    ],
)
def test_guides_doses_and_spellings_of_one_target_share_a_stem(one, other):
    assert stem(one) == stem(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("TF0_1", "TF1_1"),
        ("TGF-beta", "TGF-alpha"),
        ("JAK inhibitor", "AKT inhibitor"),
        ("Valproic acid", "Retinoic acid"),
        ("SHH", "SHH2"),
        ("SIRT1", "RT1"),
        ("ENSG00000141510", "ENSG00000141511"),
        ("12", "13"),
    ],
)
def test_names_of_different_targets_do_not(one, other):
    assert stem(one) != stem(other)


def test_a_measured_gene_means_itself_and_others_the_names_they_hold():
    measured = {"NKX2-1", "NKX2-5", "A1"}
    meaning = meanings(["NKX2-1", "NKX2-5", "A1", "A1&newB", "newB_g1", "TGF-beta"], measured)
    assert not meaning["NKX2-1"] & meaning["NKX2-5"]
    assert {"a1", "newb"} <= meaning["A1&newB"] and meaning["TGF-beta"] == {"tgf beta"}
    guides = meanings(["TP53a", "TP53gB", "MYCN", "JAK2_high", "CDK4_high"], {"TP53", "MYC"})
    assert "tp53" in guides["TP53a"] & guides["TP53gB"] and "myc" not in guides["MYCN"]
    assert not guides["JAK2_high"] & guides["CDK4_high"]
    pairs = meanings(["X1/Y1", "X1/Z1", "Y1/Z1"], set())
    assert pairs["X1/Y1"] & pairs["X1/Z1"] and pairs["X1/Z1"] & pairs["Y1/Z1"]


def cells_of(*conditions, genes=()):
    conditions = [tuple(Part(g, "unspecified", 1.0) for g in genes) for genes in conditions]
    none = np.zeros(0, np.int32)
    return Cells(none, [(), *conditions], none, ["all"], none, ["all"], "index", list(genes))


def test_names_of_one_target_are_found_where_they_stand_in_two_parts():
    cells = cells_of(("a1_g1",), ("a1_g2",), ("b1_g1",), ("b1_g2",), ("c1",))
    condition = np.array([1, 2, 3, 4, 5, 0])
    assert one_target_in_two_parts(cells, condition, np.array([0, 0, 1, 1, 2, 2])) == []
    found = one_target_in_two_parts(cells, condition, np.array([0, 1, 1, 2, 2, 0]))
    assert found == [("a1_g2", "a1_g1"), ("b1_g2", "b1_g1")]
    assert one_target_twice(cells) == found
    measured = cells_of(("a1_g1",), ("a1_g2",), genes=["a1_g1", "a1_g2"])
    assert one_target_in_two_parts(measured, np.array([1, 2]), np.array([0, 1])) == []


def test_a_combination_of_other_guides_is_found_though_each_guide_is_trained_on():
    names = [("a1_g1", "b1_g1"), ("a1_g1",), ("a1_g2",), ("b1_g1",), ("b1_g2",), ("a1_g2", "b1_g2")]
    found = one_target_in_two_parts(cells_of(*names), np.arange(1, 7), np.array([0, 0, 0, 0, 0, 2]))
    assert found == [("a1_g2+b1_g2", "a1_g1+b1_g1")]


@pytest.mark.parametrize(
    ("pair", "setting"),
    [
        (("gene0", "GENE0"), "ignore_case: true"),
        (("TF0_sgRNA1", "TF0_sgRNA2"), "sgRNA"),
        (("sgTF0", "sgTF0.1"), "label_pattern: 'sg("),
        (("JQ1 10 nM", "JQ1_5uM"), "(?P<dose>"),
        (("TF0 first", "TF0"), "docs/perturbseq.md"),
    ],
)
def test_the_setting_that_makes_one_of_two_names_is_said(pair, setting):
    assert setting in remedy([pair]).split("; if all differ")[0]


@pytest.mark.parametrize(
    ("pair", "target"),
    [
        (("GENE0|guide-1", "GENE0|guide-2"), "GENE0"),
        (("JQ1-10uM-24h", "JQ1-1uM-24h"), "JQ1"),
        (("Vorinostat@1e-6M", "Vorinostat@1e-5M"), "Vorinostat"),
        (("5FU (10 uM)", "5FU (1 uM)"), "5FU"),
        (("Vorinostat_6h", "Vorinostat_24h"), "Vorinostat"),
        (("DrugA10uM", "DrugA1uM"), "DrugA"),
        (("[('Drug0', 0.5, 'uM')]", "[('Drug0', 5.0, 'uM')]"), "Drug0"),
    ],
)
def test_a_proposed_pattern_reads_the_target_and_nothing_beside_it(pair, target):
    proposed = remedy([pair]).split("label_pattern: '")[1].split("'; if all")[0]
    matches = [re.fullmatch(proposed, name) for name in pair]
    assert {match["perturbation"] for match in matches} == {target}
    doses = [match.groupdict().get("dose") for match in matches]
    assert len(set(doses)) == 2 or doses == [None, None]
