"""The probe step on embeddings made here: what it writes, and that it can be applied again."""

import csv
import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from jepa_steps import probe
from jepa_steps.data.splits import read_splits, write_splits
from jepa_steps.data.targets import kind_of
from jepa_steps.errors import InputError
from jepa_steps.metrics.comparison import read_correct
from jepa_steps.metrics.probes import load_probe

N, DIM, CLASSES, DONORS, TOKENS = 600, 10, 3, 30, 4
SPEC = {"bootstrap": 300, "few_draws": 3, "few_labels": [1, 5, 1000]}


def table(folder, grouped):
    """Splits by donor, 20 samples each; labels 0 to 2."""
    donors = np.arange(N) // 20
    split = np.repeat([0, 1, 2], [16, 5, 9])[np.random.default_rng(1).permutation(DONORS)][donors]
    names = np.array([f"donor{d:02}" for d in donors]) if grouped else None
    labels = np.random.default_rng(2).integers(0, CLASSES, N)
    write_splits(folder / "splits.csv", split, labels, [f"{i}.png" for i in range(N)], names)
    return read_splits(folder / "splits.csv")


def embeddings(labels, noise, donor=0.0, seed=0):
    """Rows that tell the label, the less the noisier, with an effect of the donor."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(CLASSES, DIM))[labels] + noise * rng.normal(size=(N, DIM))
    rows += donor * rng.normal(size=(DONORS, DIM))[np.arange(N) // 20]
    return rows.astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "embed").mkdir()
    return tmp_path


def columns(folder, **roles):
    """A manifest that says what the columns of splits.csv are."""
    (folder / "manifest.json").write_text(json.dumps({"columns": roles}))


def run(step, folder, out="out", spec=SPEC, **options):
    files = {"embeddings": folder / "embed" / "embeddings.npy", "splits": folder / "splits.csv"}
    more = [str(a) for k, v in (files | options).items() for a in (f"--{k}", v)]
    code, _, err = step(probe, "--spec", spec, *more, "--out", folder / out)
    assert code == 0, err
    return json.loads((folder / out / "probe.json").read_text())


def read(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("grouped", [False, True])
def test_files_and_their_fields(step, folder, grouped):
    splits = table(folder, grouped)
    np.save(folder / "embed" / "embeddings.npy", embeddings(splits.labels, 1.5))
    result = run(step, folder)
    m = int((splits.split == 2).sum())
    assert result["n"] == {"train": 320, "val": 100, "test": m} and result["labels"] == CLASSES
    assert result["groups"] == {
        "test": 9 if grouped else m,
        "named": grouped,
        "unit": "group" if grouped else "sample",
    }
    unit = "9 test groups" if grouped else "180 test samples"
    assert result["interval"] == f"95 % bootstrap over {unit}, 300 resamples, expanded percentiles"
    assert result["pooling"]["chosen"] == "mean" and list(result["pooling"]["val_accuracy"]) == ["mean"]
    for name in ("logistic", "ridge", "knn", "majority"):
        entry = result[name]
        low, high = entry["accuracy_interval"]
        assert 0 <= low <= entry["accuracy"] <= high <= 1
        assert {"balanced_accuracy", "macro_f1"} <= set(entry)
    assert {"log_loss", "ece", "c", "val_accuracy"} <= set(result["logistic"])
    assert len(result["logistic"]["val_accuracy"]) == 10
    assert result["logistic"]["accuracy"] > result["majority"]["accuracy"] + 0.2
    assert list(result["few_label"]) == ["1", "5"]  # 1000 a class there are not
    assert set(result["few_label"]["5"]) == {
        "accuracy", "accuracy_interval", "balanced_accuracy", "std_over_draws", "draws"
    }  # fmt: skip
    rows = read(folder / "out" / "predictions.csv")
    columns = ["index", "label", "group", "logistic", "ridge", "knn"]
    assert list(rows[0]) == columns + [f"few{k}_{i}" for k in (1, 5) for i in range(3)]
    test = np.flatnonzero(splits.split == 2)
    assert [int(row["index"]) for row in rows] == test.tolist()
    expected = [f"donor{i // 20:02}" if grouped else str(i) for i in test]
    assert [row["group"] for row in rows] == expected
    correct, groups = read_correct(folder / "out" / "predictions.csv")
    assert len(np.unique(groups)) == result["groups"]["test"]
    for name in ("logistic", "ridge", "knn"):
        assert correct[name].mean() == pytest.approx(result[name]["accuracy"])
    assert correct["few5"].mean() == pytest.approx(result["few_label"]["5"]["accuracy"])
    classes = read(folder / "out" / "classes.csv")
    assert list(classes[0]) == ["class", "n", "precision", "recall", "f1"]
    assert sum(int(row["n"]) for row in classes) == m
    assert np.mean([float(row["recall"]) for row in classes]) == pytest.approx(
        result["logistic"]["balanced_accuracy"]
    )
    figure = (folder / "out" / "components.svg").read_text()
    assert "by class" in figure and ("by group" in figure) is grouped
    assert ("donor0" in figure) is grouped


def test_samples_of_one_donor_widen_the_intervals(step, folder):
    width = {}
    for grouped in (False, True):
        splits = table(folder, grouped)
        np.save(folder / "embed" / "embeddings.npy", embeddings(splits.labels, 0.7, donor=1.0))
        low, high = run(step, folder)["logistic"]["accuracy_interval"]
        width[grouped] = high - low
    assert width[True] > 1.5 * width[False]


def test_a_loaded_probe_predicts_what_was_written(step, folder):
    splits = table(folder, False)
    rows = embeddings(splits.labels, 1.5)
    rows[:, 3] = 7.0  # constant: its scale is infinite
    np.save(folder / "embed" / "embeddings.npy", rows)
    run(step, folder)
    loaded = load_probe(folder / "out")
    written = read(folder / "out" / "predictions.csv")
    index = [int(row["index"]) for row in written]
    assert loaded(rows[index]).tolist() == [int(row["logistic"]) for row in written]
    assert np.allclose(loaded.probabilities(rows).sum(1), 1) and loaded.pooling == "mean"
    (folder / "out" / "probe.safetensors").write_bytes(b"x" * 40)
    with pytest.raises(InputError, match="not a probe"):
        load_probe(folder / "out")


def poolings(folder, **rows):
    save_file(rows, folder / "embed" / "poolings.safetensors")
    return folder / "embed" / "poolings.safetensors"


def test_the_pooling_is_chosen_on_val_and_used_by_every_probe(step, folder):
    splits = table(folder, False)
    good, bad = embeddings(splits.labels, 0.5), embeddings(splits.labels, 8.0)
    np.save(folder / "embed" / "embeddings.npy", bad)
    result = run(step, folder, poolings=poolings(folder, last4=good, max=bad[:, :4].copy()))
    assert result["pooling"]["chosen"] == "last4"
    assert set(result["pooling"]["val_accuracy"]) == {"mean", "last4", "max"}
    assert min(result[name]["accuracy"] for name in ("logistic", "ridge", "knn")) > 0.9
    loaded = load_probe(folder / "out")
    written = read(folder / "out" / "predictions.csv")
    index = [int(row["index"]) for row in written]
    assert loaded.pooling == "last4"
    assert loaded(good[index]).tolist() == [int(row["logistic"]) for row in written]
    np.save(folder / "embed" / "embeddings.npy", good)  # equally good: the first
    assert run(step, folder, poolings=poolings(folder, max=good))["pooling"]["chosen"] == "mean"
    assert run(step, folder, poolings=poolings(folder))["pooling"]["chosen"] == "mean"


def test_bad_poolings_are_named(step, folder):
    splits = table(folder, False)
    np.save(folder / "embed" / "embeddings.npy", embeddings(splits.labels, 1.0))
    broken = np.full((N, 2), np.nan, np.float32)
    for rows, says in ((np.zeros((5, 2), np.float32), "max: found 5 rows"), (broken, "all finite")):
        path = poolings(folder, max=rows)
        more = ("--splits", folder / "splits.csv", "--poolings", path, "--out", folder / "out")
        code, _, err = step(probe, "--embeddings", folder / "embed" / "embeddings.npy", *more)
        assert code == 2 and err.count("\n") == 1 and says in err
    path.write_bytes(b"junk")
    code, _, err = step(probe, "--embeddings", folder / "embed" / "embeddings.npy", *more)
    assert code == 2 and "poolings.safetensors: cannot be read" in err


def tokens(folder, splits, rows):
    """Tokens of ``rows``: one of them, at a marked random place, tells the label."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(len(rows), TOKENS, DIM)).astype(np.float32)
    x[:, :, 0] = 0
    place = rng.integers(0, TOKENS, len(rows))
    x[np.arange(len(rows)), place, 0] = 3
    x[np.arange(len(rows)), place, 1 + splits.labels[rows]] += 3
    np.save(folder / "embed" / "tokens.npy", x)
    description = {"pooling": "max", "token_rows": rows.tolist()}
    (folder / "embed" / "embed.json").write_text(json.dumps(description))
    return folder / "embed" / "tokens.npy"


def test_attentive_probe_of_the_samples_with_tokens(step, folder):
    splits = table(folder, True)
    np.save(folder / "embed" / "embeddings.npy", embeddings(splits.labels, 4.0))
    rows = np.arange(0, N, 2)
    path = tokens(folder, splits, rows)
    spec = {**SPEC, "attentive": True}
    result = run(step, folder, spec=spec, tokens=path)
    entry = result["attentive"]
    n = {name: int((splits.split[rows] == i).sum()) for i, name in enumerate(("train", "val", "test"))}
    assert entry["n"] == n and sum(n.values()) == N // 2
    assert entry["accuracy"] > result["logistic"]["accuracy"] + 0.2
    assert {"accuracy_interval", "log_loss", "ece", "learning_rate", "weight_decay"} <= set(entry)
    written = read(folder / "out" / "predictions.csv")
    assert all((row["attentive"] != "") == (int(row["index"]) % 2 == 0) for row in written)
    correct = read_correct(folder / "out" / "predictions.csv")[0]["attentive"]
    assert np.nanmean(correct) == pytest.approx(entry["accuracy"])
    assert result["pooling"]["chosen"] == "max"  # the name embed.json gives to embeddings.npy
    first = {p.name: p.read_bytes() for p in (folder / "out").iterdir()}
    run(step, folder, spec=spec, tokens=path, out="again")
    assert first == {p.name: p.read_bytes() for p in (folder / "again").iterdir()}


def test_attentive_probe_needs_tokens_of_all_parts(step, folder):
    splits = table(folder, False)
    np.save(folder / "embed" / "embeddings.npy", embeddings(splits.labels, 1.0))
    call = ["--embeddings", folder / "embed" / "embeddings.npy", "--splits", folder / "splits.csv"]
    call += ["--spec", {**SPEC, "attentive": True}, "--out", folder / "out"]
    code, _, err = step(probe, *call)
    assert code == 2 and "probe.attentive: needs --tokens" in err
    path = tokens(folder, splits, np.flatnonzero(splits.split == 0))
    code, _, err = step(probe, *call, "--tokens", path)
    assert code == 2 and err.count("\n") == 1 and "[320, 0, 0] labelled samples" in err
    assert not (folder / "out").exists()


def test_of_one_test_group_the_interval_is_over_its_samples_and_says_so(step, folder):
    labels = np.arange(90) % 3
    split, donors = np.repeat([0, 1, 2], 30), np.repeat(["a", "b", "c"], 30)
    write_splits(folder / "splits.csv", split, labels, ["x"] * 90, donors)
    (folder / "manifest.json").write_text('{"columns": {"unit": "batch"}}')
    rows = np.random.default_rng(0).normal(size=(90, 4)).astype(np.float32)
    np.save(folder / "embed" / "embeddings.npy", rows)
    result = run(step, folder)
    assert result["groups"] == {"test": 1, "named": True, "unit": "batch"}
    assert "30 test samples within 1 test batch, so it holds for this one only" in result["interval"]
    within = result["logistic"]["accuracy_interval"]
    write_splits(folder / "splits.csv", split, labels, ["x"] * 90, None)
    assert run(step, folder, out="alone")["logistic"]["accuracy_interval"] == within
    assert 0 < within[0] < within[1] < 1


def test_what_a_probe_cannot_use_is_said_beside_its_floor(step, folder, capsys):
    labels = np.arange(90) % 3
    labels[:5], labels[-3:] = -1, 7
    write_splits(folder / "splits.csv", np.repeat([0, 1, 2], 30), labels, ["x"] * 90, None)
    np.save(folder / "embed" / "embeddings.npy", np.eye(3, dtype=np.float32)[np.arange(90) % 3])
    code, out, _ = step(probe, "--embeddings", folder / "embed" / "embeddings.npy",
                          "--splits", folder / "splits.csv", "--out", folder / "o")  # fmt: skip
    assert code == 0 and "linear probe 0.9000 [" in out and "majority class 0.3" in out
    assert "30 test samples" in out and "5 samples without a label are left out" in out
    assert "3 of 30 test samples are from classes that train does not have: 7" in out


def test_groups_in_several_parts_are_a_leak_and_no_question_is_not_probed(step, folder):
    labels = np.arange(90) % 3
    np.save(folder / "embed" / "embeddings.npy", np.eye(3, dtype=np.float32)[labels])
    arguments = ("--embeddings", folder / "embed" / "embeddings.npy", "--splits", folder / "splits.csv",
                 "--out", folder / "o")  # fmt: skip
    split = np.repeat([0, 1, 2], 30)
    write_splits(folder / "splits.csv", split, labels, ["x"] * 90, np.arange(90) % 7)
    assert "LEAK: 7 groups are in several parts" in step(probe, *arguments)[1]
    write_splits(folder / "splits.csv", split, labels, ["x"] * 90, split * 10 + np.arange(90) % 10)
    assert "LEAK" not in step(probe, *arguments)[1]
    write_splits(folder / "splits.csv", split, np.where(split == 2, 9, labels), ["x"] * 90, None)
    assert "not probed, no class of test has a training sample" in step(probe, *arguments)[1]
    write_splits(folder / "splits.csv", split, np.where(split == 1, -1, labels), ["x"] * 90, None)
    assert "labelled samples: train 30, val 0, test 30" in step(probe, *arguments)[1]


def test_embeddings_of_no_dimension_are_one_line(step, folder):
    table(folder, False)
    np.save(folder / "none.npy", np.zeros((1797, 0), np.float32))
    code, _, err = step(probe, "--embeddings", folder / "none.npy",
                        "--splits", folder / "splits.csv", "--out", folder / "o")  # fmt: skip
    assert code != 0 and "0 dimensions" in err and err.count("\n") == 1


def test_one_thread_or_two_write_the_same_bytes(step, folder):
    from threadpoolctl import threadpool_limits

    splits = table(folder, False)
    np.save(folder / "embed" / "embeddings.npy", embeddings(splits.labels, 1.5))
    for threads in (1, 2):
        with threadpool_limits(threads):
            run(step, folder, out=f"out{threads}")
    first, second = ({p.name: p.read_bytes() for p in (folder / f"out{t}").iterdir()} for t in (1, 2))
    assert first == second


def test_batch_and_context_alone_are_a_floor_of_cells(step, folder):
    """Labels that follow the batch in 3 of 4 cells: the floor finds that, whatever embeddings say."""
    table(folder, False)
    rng = np.random.default_rng(5)
    batch = rng.integers(0, CLASSES, N)
    labels = np.where(rng.random(N) < 0.75, batch, (batch + 1) % CLASSES)
    split = rng.permutation(np.repeat(["train", "val", "test"], [320, 100, 180]))
    lines = [f"{i},{split[i]},{labels[i]},c{i},K562,b{batch[i]}" for i in range(N)]
    header = "index,split,label,source,context,batch"
    (folder / "splits.csv").write_text("\n".join([header, *lines]) + "\n")
    columns(folder, covariates=["context", "batch"], nuisance="batch")
    np.save(folder / "embed" / "embeddings.npy", rng.normal(size=(N, DIM)).astype(np.float32))
    result = run(step, folder)
    test = split == "test"
    assert result["covariates"]["accuracy"] == pytest.approx((labels == batch)[test].mean())
    assert result["covariates"]["accuracy"] > result["logistic"]["accuracy"] + 0.2
    assert "covariates" in read_correct(folder / "out" / "predictions.csv")[0]
    assert result["covariates"]["names"] == ["batch"]  # all share the context
    assert result["of_covariates"]["batch"]["classes"] == CLASSES
    assert result["of_covariates"]["batch"]["nuisance"] and list(result["of_covariates"]) == ["batch"]


def test_further_columns_are_probed_as_classes_or_numbers(step, folder):
    """A column that embeddings hold is read as the label is; one that they do not hold is not."""
    rng = np.random.default_rng(11)
    label, donor = rng.integers(0, CLASSES, N), rng.integers(0, 3, N)
    age, split = (
        rng.normal(50, 10, N),
        rng.permutation(np.repeat(["train", "val", "test"], [320, 100, 180])),
    )
    # One class of its own in test, unknown values, and a column of one value.
    kind = np.where(
        (split == "test") & (np.arange(N) % 9 == 0), "new", np.char.add("k", label.astype(str))
    )
    kind = np.where(np.arange(N) % 10 == 0, "", kind)
    lines = [
        f"{i},{split[i]},{i % 2},c{i},{kind[i]},{'' if i % 7 == 0 else age[i]},d{donor[i]},one"
        for i in range(N)
    ]
    names = ("kind", "age", "donor", "site")
    header = ",".join(["index,split,label,source", *(f"target:{name}" for name in names)])
    (folder / "splits.csv").write_text("\n".join([header, *lines]) + "\n")
    kinds = {"kind": "classes", "age": "numbers", "donor": "classes", "site": "classes"}
    columns(folder, targets=kinds, nuisance_targets=["donor"])
    rows = embeddings(label, 0.5)
    rows[:, -1] = age
    np.save(folder / "embed" / "embeddings.npy", rows)
    found = run(step, folder)["of_targets"]
    assert list(found) == list(names) and found["donor"]["nuisance"] and not found["kind"]["nuisance"]
    test, known = split == "test", kind != ""
    assert found["kind"]["n"]["test"] == (test & known).sum()
    assert found["kind"]["of_new_classes"] == (test & (kind == "new")).sum() > 5
    assert found["kind"]["logistic"]["accuracy"] > 0.75 > 0.5 > found["donor"]["logistic"]["accuracy"]
    assert found["kind"]["few_label"]["5"]["balanced_accuracy"] > 0.5
    low, high = found["age"]["r2_interval"]
    assert low < found["age"]["r2"] < high and found["age"]["r2"] > 0.95
    assert found["age"]["n"]["test"] == (test & (np.arange(N) % 7 > 0)).sum()
    assert found["site"]["reason"] == "all samples of train are of one class"
    answers = read(folder / "out" / "targets.csv")
    assert [a["target"] for a in answers].count("kind") == found["kind"]["n"]["test"]
    without = [line.split(",") for line in lines]
    for fields in without:
        fields[2] = "-1"  # targets are asked for all the same
    (folder / "splits.csv").write_text("\n".join([header, *map(",".join, without)]) + "\n")
    alone = run(step, folder)
    assert alone["labels"] == 0 and alone["reason"].startswith("train, val and test need labels")
    assert alone["of_targets"] == found and read(folder / "out" / "targets.csv") == answers
    right = np.mean([a["label"] == a["logistic"] for a in answers if a["target"] == "kind"])
    assert right == pytest.approx(found["kind"]["logistic"]["accuracy"])


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["1", "2", "", "3"], "classes"),
        ([str(i) for i in range(30)], "numbers"),
        (["1.5", "2"], "numbers"),
        (["1", "two"], "classes"),
        (["", ""], "classes"),
    ],
)
def test_whole_numbers_of_few_values_are_names_of_classes(texts, kind):
    assert kind_of(texts) == kind


def test_images_have_no_covariates(step, folder):
    splits = table(folder, True)
    np.save(folder / "embed" / "embeddings.npy", embeddings(splits.labels, 1.5))
    assert "covariates" not in run(step, folder)


def test_doses_are_read_by_regression_where_there_are_three(step, folder):
    """R2 of a log dose that embeddings hold with noise of a third of its variance: 3/4."""
    rng = np.random.default_rng(7)
    dose = 10.0 ** rng.integers(-3, 2, N)
    split = rng.permutation(np.repeat(["train", "val", "test"], [320, 100, 180]))
    text = ["" if i % 10 == 0 else "1.0+0.1" if i % 10 == 1 else f"{dose[i]:g}" for i in range(N)]
    lines = [f"{i},{split[i]},{i % 3},c{i},{text[i]}" for i in range(N)]
    (folder / "splits.csv").write_text("\n".join(["index,split,label,source,dose", *lines]) + "\n")
    columns(folder, log_targets=["dose"])
    z = np.log10(dose)
    rows = rng.normal(size=(N, DIM)).astype(np.float32)
    rows[:, 0] = z + z.std() / np.sqrt(3) * rng.normal(size=N)
    np.save(folder / "embed" / "embeddings.npy", rows)
    found = run(step, folder)["of_log_targets"]["dose"]
    known = np.array([t not in ("", "1.0+0.1") for t in text])
    assert found["n"]["test"] == (known & (split == "test")).sum()
    low, high = found["r2_interval"]
    assert low < found["r2"] < high and high - low < 0.3 and abs(found["r2"] - 0.75) < 0.1


def test_a_column_that_the_manifest_names_and_the_table_lacks_is_named(step, folder):
    splits = table(folder, True)
    np.save(folder / "embed" / "embeddings.npy", embeddings(splits.labels, 1.0))
    columns(folder, covariates=["batch"])
    arguments = ("--embeddings", folder / "embed" / "embeddings.npy", "--splits", folder / "splits.csv")
    code, _, err = step(probe, *arguments, "--out", folder / "out")
    assert code == 2 and err.count("\n") == 1 and "splits.csv: found no column 'batch'" in err
