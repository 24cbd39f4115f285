import csv
import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from modalities.expression.screens import prepared, screen

from jepa_steps.errors import InputError
from jepa_steps.modalities.expression import prepare as preparing
from jepa_steps.modalities.expression.dataset import ExpressionSplit
from jepa_steps.modalities.expression.preparation import audit as auditing
from jepa_steps.modalities.expression.preparation.labels import Cells, Part
from jepa_steps.modalities.expression.preparation.splits import assign
from jepa_steps.modalities.expression.store import open_store

KINDS = {
    "perturbation": {},
    "combination": {"val": 0.3, "test": 0.3},
    "context": {},
    "batch": {},
}


def spread():
    """Four batches, so that a batch may be held out."""
    s = screen()
    s["batch"] = [b if i % 2 else b + "x" for i, b in enumerate(s["batch"])]
    return s


def table(out):
    with (out / "splits.csv").open() as file:
        return list(csv.DictReader(file))


def parts(rows, key, controls=False):
    """Values of a column in train, val and test, of perturbed cells or of controls."""
    return [
        {r[key] for r in rows if r["split"] == s and (r["perturbation"] == "control") == controls}
        for s in ("train", "val", "test")
    ]


def apart(train, val, test):
    return not (train & val or train & test or val & test)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_what_the_split_holds_apart(kind, seed, tmp_path):
    out = prepared(
        tmp_path,
        spread() if kind == "batch" else None,
        split={"kind": kind, "seed": seed, **KINDS[kind]},
    )
    rows = table(out)
    assert [int(r["index"]) for r in rows] == list(range(len(rows)))
    order = [("train", "val", "test").index(r["split"]) for r in rows]
    assert order == sorted(order)
    key = {"context": "context", "batch": "batch"}.get(kind, "perturbation")
    assert apart(*parts(rows, key)) and all(parts(rows, key))
    assert apart(*parts(rows, "source", controls=True)) and all(parts(rows, "source", controls=True))
    assert apart(*({r["group"] for r in rows if r["split"] == s} for s in ("train", "val", "test")))
    if kind == "perturbation":
        train, val = ({g for p in part for g in p.split("+")} for part in parts(rows, key)[:2])
        assert all(set(p.split("+")) - train for p in parts(rows, key)[1])
        assert all(set(p.split("+")) - train - val for p in parts(rows, key)[2])
    if kind == "combination":
        assert all("+" in p for part in parts(rows, key)[1:] for p in part)
    if kind in ("perturbation", "combination"):  # controls of each context and batch in each part
        for s in ("train", "val", "test"):
            strata = {(r["context"], r["batch"]) for r in rows if r["split"] == s
                      and r["perturbation"] == "control"}  # fmt: skip
            assert len(strata) == 6
    audit = json.loads((out / "audit.json").read_text())
    assert audit["passed"] and len(audit["checks"]) >= 10
    assert all(check["passed"] for check in audit["checks"])
    manifest = json.loads((out / "manifest.json").read_text())
    assert not manifest["leaky"]
    for name, digest in manifest["sha256"].items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest
    assert set(manifest["sha256"]) == {p.name for p in out.iterdir()} - {"manifest.json"}


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True), min_size=5, max_size=25),
    st.integers(0, 4),
    st.sampled_from([("perturbation", 0.0), ("combination", 0.0), ("combination", 0.4)]),
)
def test_no_training_cell_hits_a_gene_that_is_held_out(perturbations, seed, kind):
    conditions = [(), *sorted({tuple(Part(f"g{g}", "knockout", 1.0) for g in sorted(p))
                               for p in perturbations})]  # fmt: skip
    condition = np.repeat(np.arange(len(conditions)), 4).astype(np.int32)
    n = len(condition)
    cells = Cells(condition, conditions, np.zeros(n, np.int32), ["all"], np.zeros(n, np.int32), ["all"],
                  "index", [])  # fmt: skip
    try:
        split = assign(cells, ExpressionSplit(kind=kind[0], unseen_genes=kind[1], seed=seed))
    except InputError as error:
        assert "expected at least" in str(error)
        return
    parts_of = [set(condition[(split == s) & (condition > 0)].tolist()) for s in range(3)]
    assert apart(*parts_of) and set(split[condition == 0]) == {0, 1, 2}
    genes = [{p.gene for c in part for p in conditions[c]} for part in parts_of]
    if kind[0] == "perturbation":
        assert all({p.gene for p in conditions[c]} - genes[0] for c in parts_of[1])
        assert all({p.gene for p in conditions[c]} - genes[0] - genes[1] for c in parts_of[2])
    else:
        assert all(len(conditions[c]) > 1 or conditions[c][0].gene not in genes[0]
                   for c in parts_of[1] | parts_of[2])  # fmt: skip


def test_random_cells_pass_only_as_a_leak_that_says_so(tmp_path):
    out = prepared(tmp_path, split={"kind": "cell", "allow_leaky": True})
    audit = json.loads((out / "audit.json").read_text())
    assert not audit["passed"]
    (failed,) = [c for c in audit["checks"] if not c["passed"]]
    assert failed == {"name": "perturbations in two parts", "passed": False, "found": 11, "expected": 0}
    assert json.loads((out / "manifest.json").read_text())["leaky"]


def test_combinations_say_how_many_of_their_genes_were_seen(tmp_path):
    split = {"kind": "combination", "val_units": ["g2+g3"], "test_units": ["g0+g1"]}
    p = json.loads((prepared(tmp_path / "a", split=split) / "perturbations.json").read_text())
    test = p["perturbations"]["g0+g1"]
    assert (test["subgroup"], test["singles_seen"]) == ("seen2", 2)
    assert p["perturbations"]["g0"]["subgroup"] == "seen"
    found = set()
    for seed in range(6):
        split = {"kind": "combination", "unseen_genes": 0.4, "seed": seed, "val": 0.3, "test": 0.3}
        out = prepared(tmp_path / str(seed), split=split)
        p = json.loads((out / "perturbations.json").read_text())
        rows = table(out)
        train = {g for name in parts(rows, "perturbation")[0] for g in name.split("+")}
        for name, entry in p["perturbations"].items():
            if not entry["cells"]["train"]:
                seen = len(train & set(name.split("+")))
                found.add(entry["subgroup"])
                assert entry["genes_seen"] == seen
                assert entry["subgroup"] == (f"seen{seen}" if "+" in name else "unseen single")
    assert {"seen0", "seen1", "seen2", "unseen single"} == found


def test_listed_units_are_taken_and_seeds_draw_others(tmp_path):
    split = {"kind": "context", "val_units": ["RPE1"], "test_units": ["HepG2"]}
    assert parts(table(prepared(tmp_path / "a", split=split)), "context") == [
        {"K562"},
        {"RPE1"},
        {"HepG2"},
    ]
    drawn = set()
    for seed in range(6):
        out = prepared(tmp_path / str(seed), split={"seed": seed})
        drawn.add(tuple(sorted(parts(table(out), "perturbation")[2])))
    assert len(drawn) > 2


def train_bytes(out):
    """Everything that training reads: its rows, the genes, the vocabulary, the statistics."""
    store = open_store(out)
    n = len(store.rows("train"))
    end = int(store.csr.indptr[n])
    p = store.perturbations
    lines = (out / "splits.csv").read_text().splitlines()[: n + 1]
    trained = {k: v for k, v in p["perturbations"].items() if v["cells"]["train"]}
    manifest = store.manifest
    return (
        store.csr.data[:end].tobytes(), store.csr.indices[:end].tobytes(),
        store.csr.indptr[: n + 1].tobytes(), (out / "genes.csv").read_bytes(), "\n".join(lines),
        json.dumps([p["genes"], p["types"], p["columns"], trained]), manifest["input"],
        manifest["statistics"], manifest["genes"], (out / "gene_features.npy").read_bytes(),
    )  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"split": {"kind": "context"}, "target_sum": None},
                                     {"knock_down": {"min_cells": 1, "perturbation_residual": 1.0}},
                                     {"split": {"kind": "combination", **KINDS["combination"]}},
                                     {"split": {"kind": "batch", **KINDS["batch"]}}],
                         ids=["counts", "context", "knock-down", "combination", "batch"])  # fmt: skip
def test_no_value_of_a_val_or_test_cell_moves_a_train_byte(options, tmp_path):
    s = spread() if options.get("split", {}).get("kind") == "batch" else screen(3)
    options = {"n_variable_genes": 15, "on_copies": "drop", **options}
    before = train_bytes(prepared(tmp_path / "before", s, **options))
    held = [int(r["source"].removeprefix("cell")) for r in table(tmp_path / "before" / "out")
            if r["split"] != "train"]  # fmt: skip

    @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        st.lists(
            st.tuples(st.sampled_from(held), st.integers(0, 39), st.integers(0, 10**6)), min_size=1
        ),
        st.booleans(),
    )
    def check(changes, all_of_them):
        x = s["X"].copy()
        for cell, gene, value in changes:
            x[cell, gene] = value
        if all_of_them:
            x[held] = x[held][::-1]
            x[held[: len(held) // 3]] += 7
        try:
            after = prepared(tmp_path / "after", {**s, "X": x}, **options)
        except InputError as error:  # the filters left nothing to test on
            assert "in each part" in str(error)
            return
        assert train_bytes(after) == before

    check()
    whole = (tmp_path / "before" / "out" / "data.npy").read_bytes()
    x = s["X"].copy()
    x[held, 30] += 5  # no perturbation's target: no filter can refuse this change
    after = prepared(tmp_path / "after", {**s, "X": x}, **options)
    assert train_bytes(after) == before and (after / "data.npy").read_bytes() != whole


def test_a_train_cell_does_move_the_statistics(tmp_path):
    s = screen(3)
    before = train_bytes(prepared(tmp_path / "before", s))
    row = int(table(tmp_path / "before" / "out")[0]["source"].removeprefix("cell"))
    s["X"][row, 5] += 1
    assert train_bytes(prepared(tmp_path / "after", s)) != before


@pytest.mark.parametrize(
    ("leak", "caught"),
    [
        (lambda a: replace(a, rows=np.append(a.rows[:-1], a.rows[0])), "cells in two parts"),
        (lambda a: replace(a, fitted=np.append(a.fitted, a.rows[-1])), "val and test cells in the statistics"),
        (lambda a: replace(a, copies=2), "val and test cells equal to a training cell"),
        (lambda a: replace(a, group=np.zeros_like(a.group)), "units in two parts"),
        (lambda a: replace(a, split=np.roll(a.split, 30)), "perturbations in two parts"),
        (lambda a: replace(a, vocabulary=replace(a.vocabulary, genes=("x", *a.vocabulary.genes))),
         "vocabulary genes not perturbed in training"),
        (lambda a: replace(a, pools=replace(a.pools, members=a.pools.members[::-1])),
         "pairs with a control of another part"),
        (lambda a: replace(a, split=np.where(a.split == 1, 0, a.split)), "controls in each part"),
    ],
)  # fmt: skip
def test_each_planted_leak_fails_its_check_and_the_step(leak, caught, tmp_path, monkeypatch):
    seen = {}

    def planted(a):
        checks = auditing.audit(leak(a))
        seen.update({check["name"]: check for check in checks})
        return checks

    monkeypatch.setattr(preparing, "audit", planted)
    with pytest.raises(InputError, match="leak audit"):
        prepared(tmp_path)
    assert not seen[caught]["passed"] and seen[caught]["found"] != seen[caught]["expected"]
    assert not (tmp_path / "out").exists()


def test_shares_that_leave_nothing_to_train_on_are_one_line(tmp_path):
    s = screen()
    s["batch"] = [f"b{i % 3}" for i in range(len(s["batch"]))]
    split = {"kind": "batch", "val": 0.5, "test": 0.15}
    with pytest.raises(
        InputError, match=r"val and test take 2 and 1 of 3 batches and leave none to train"
    ):
        prepared(tmp_path, s, split=split)
