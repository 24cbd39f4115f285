"""The report: complete, self-contained, escaped, small, the same bytes for the same results."""

import csv
import html
import json
import re
import time
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
import report_factory as factory
from report_factory import JEPA, RAW

from jepa_steps import report


def made(step, results, data, names, out):
    code, _, err = step(
        report, "--results", results, "--data", data, "--experiments", *names, "--out", out
    )
    assert code == 0, err
    return (out / "report.html").read_text()


@pytest.fixture
def three(step, tmp_path):
    results, data, names = factory.three_experiments(tmp_path)
    return made(step, results, data, names, tmp_path / "out"), tmp_path / "out"


def test_blocks_stand_in_order(three):
    page, _ = three
    order = [
        page.index(f'<section id="{name}">')
        for name in ("verdicts", "comparison", "experiments", "provenance")
    ]
    assert order == sorted(order)
    first = page[page.index('<details class="experiment"') :]
    blocks = ("Settings that differ", "Data", "Training", "Embeddings", "Ranks", "Probes", "Cost")
    heads = [first.index(f"<h4>{name}") for name in blocks]
    assert heads == sorted(heads)


def test_a_card_says_what_is_wrong_and_how_to_mend_it(three):
    page, _ = three
    cards = re.findall(r'<article class="card (\w+)">(.*?)</article>', page, re.S)
    assert [level for level, _ in cards] == ["good", "bad", "warn"]
    collapsed = html.unescape(cards[1][1])
    assert "Every sample gets nearly the same embedding" in collapsed
    assert "spread 0.0031 of their norm" in collapsed and "covariance: 1.0" in collapsed
    assert "docs/reading-the-report.md#collapse" in collapsed
    assert collapsed.count('class="below"') == 4 and "Also: under-trained" in collapsed


def test_the_page_asks_nobody_for_anything(three):
    page, _ = three
    assert "default-src 'none'" in page
    assert not re.search(r"https?://|<script|@import|srcset", page)
    assert "url(" not in re.sub(r'src="data:[^"]*"', "", page)
    assert set(re.findall(r'(?:src|href)="(data:image/svg|data:,|#)', page)) == {
        "data:image/svg",
        "data:,",
        "#",
    }
    assert not re.findall(r'(?:src|href)="(?!data:image/svg\+xml,|data:,|#)', page)


def test_only_changed_settings_are_shown(three):
    page, _ = three
    shown = re.findall(r"<h4>Settings that differ from the defaults</h4>\s*<pre>(.*?)</pre>", page, re.S)
    assert len(shown) == 5 and "steps: 30" in shown[2]
    assert "weight_decay" not in page and "betas" not in page


def test_tables_and_metrics_hold_the_same_numbers(three):
    _, out = three
    rows = list(csv.DictReader((out / "summary.csv").open()))
    assert [r["verdict"] for r in rows] == ["healthy", "collapse", "under-trained", "floor", "floor"]
    metrics = {p.stem: json.loads(p.read_text()) for p in (out / "metrics").iterdir()}
    assert list(metrics) and set(metrics) == {r["experiment"] for r in rows}
    assert metrics["digits-collapsed"]["linear_probe"] == float(rows[1]["logistic"])
    assert metrics["digits-healthy"]["effective_rank"] == 33.3
    compared = {"linear_probe", "ten_labels", "knn", "majority", "effective_rank"}
    assert all(set(values) <= compared for values in metrics.values())
    text = (out / "summary.md").read_text()
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(line) for line in table}) == 1 and len(table) == 8  # columns are aligned
    assert "majority class" in (out / "few_labels.svg").read_text()
    assert table[-1].startswith("| majority class ") and " 10.0 (" in table[-1]
    assert "**digits-collapsed** below raw input (all labels)" in text
    history = (out / "history.csv").read_text().splitlines()
    assert history[0] == "experiment,step,epoch,loss,gradient_norm,lr" and len(history) == 37


def test_the_same_results_give_the_same_bytes(step, three, tmp_path):
    names = [p.name for p in sorted((tmp_path / "results" / "train").iterdir())]
    first = made(step, tmp_path / "results", tmp_path / "data/digits", names, tmp_path / "a")
    assert made(step, tmp_path / "results", tmp_path / "data/digits", names, tmp_path / "b") == first


def test_seeds_are_one_row_and_one_card(step, tmp_path):
    data = factory.write_data(tmp_path / "data")
    names = [f"run-seed{i}" for i in range(3)]
    for i, name in enumerate(names):
        factory.write_experiment(
            tmp_path, name, {**JEPA, "seed": i}, 0.95, ("collapse",) if i == 2 else ()
        )
    factory.write_experiment(tmp_path, "raw", RAW, 0.9)
    page = made(step, tmp_path, data, [*names, "raw"], tmp_path / "out")
    assert page.count("<article") == 1 and "run ×3 seeds" in page and "Collapse (1 of 3 seeds)" in page
    assert "Student&#39;s t" in page
    rows = list(csv.DictReader((tmp_path / "out" / "summary.csv").open()))
    assert [(r["experiment"], r["seeds"]) for r in rows] == [("run", "3"), ("raw", "1")]
    assert {p.stem for p in (tmp_path / "out" / "metrics").iterdir()} == {*names, "raw"}


HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "a'b\"c&amp;d",
    "$x_{1$",
    "x" * 150,
    "{{ 7 * 7 }}",
    "| a | b\n",
    "данные 数据",
)  # fmt: skip


@pytest.mark.filterwarnings("ignore:Glyph")
def test_every_target_has_a_table_with_its_floor(three):
    page, _ = three
    assert "kind of thing" in page and "3 of them from classes that train does not have" in page
    assert "&lt;b&gt;age" in page and "R² of a ridge regression" in page
    assert "which embeddings should not encode" in page
    assert "Not probed: no class of test has a training sample" in page


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_text(step, tmp_path, name):
    folder = name.replace("/", "∕")  # names are folders
    classes = [name, *map(str, range(1, 10))]
    data = factory.write_data(tmp_path / "data", classes, leaks=2)
    factory.write_experiment(tmp_path, folder, JEPA, 0.9, ("collapse",))
    factory.write_experiment(tmp_path, "raw", RAW, 0.8)
    monitor = tmp_path / "monitor" / folder / "monitor.json"
    result = json.loads(monitor.read_text())
    result["findings"][0] |= {"evidence": name, "advice": name, "name": name, "doc": name}
    monitor.write_text(json.dumps(result))
    page = made(step, tmp_path, data, [folder, "raw"], tmp_path / "out")
    seen = Seen()
    seen.feed(page)
    assert not {"script", "iframe", "object"} & seen.tags and not seen.handlers
    text = " ".join("".join(seen.text).split())
    assert " ".join(name.split()) in text and "alert(1)" not in "".join(seen.attributes)
    for file in ("comparison.svg", "few_labels.svg"):
        ElementTree.fromstring((tmp_path / "out" / file).read_text())
    summary = (tmp_path / "out" / "summary.md").read_text()
    table = [line for line in summary.splitlines() if line.startswith("|")]
    assert len(table) == 5 and len({line.replace("\\|", "").count("|") for line in table}) == 1
    assert not re.search(r"(?<!\\)<", summary)


class Seen(HTMLParser):
    """Tags, attributes' values and text of a page, as a browser takes them."""

    def __init__(self):
        super().__init__()
        self.tags, self.handlers, self.attributes, self.text = set(), [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.handlers += [name for name, _ in attributes if name.startswith("on")]
        self.attributes += [value or "" for name, value in attributes if name not in ("src", "alt")]

    def handle_data(self, data):
        self.text.append(data)


@pytest.mark.filterwarnings("ignore:Glyph")
def test_figures_come_through_unharmed(tmp_path):
    """What a browser decodes is the same drawing: texts, shapes, images."""
    from urllib.parse import unquote

    from jepa_steps.figures.style import new, save
    from jepa_steps.reporting.page import data_uri

    figure, (axes,) = new()
    axes.plot([1, 2], [0.001, 0.002])
    axes.imshow([[0, 1], [1, 0]])
    axes.set(xlabel="\"50 % of 'a' > b & c\" # é 数", ylabel="<!-- x -->")
    save(figure, tmp_path / "a.svg")
    uri = data_uri(tmp_path / "a.svg")
    assert not set('"<>&#') & set(uri) and uri.startswith("data:image/svg+xml,")
    before = ElementTree.parse(tmp_path / "a.svg")
    after = ElementTree.fromstring(unquote(uri.split(",", 1)[1]))
    texts = [e.text for e in before.iter("{http://www.w3.org/2000/svg}text")]
    assert [e.text for e in after.iter("{http://www.w3.org/2000/svg}text")] == texts
    assert "\"50 % of 'a' > b & c\" # é 数" in texts and "<!-- x -->" in texts
    for tag in ("path", "use", "image", "g"):
        name = "{http://www.w3.org/2000/svg}" + tag
        assert len(list(after.iter(name))) == len(list(before.iter(name))) > 0


def test_a_leak_is_told(step, tmp_path):
    data = factory.write_data(tmp_path / "data", leaks=2)
    factory.write_experiment(tmp_path, "raw", RAW)
    page = made(step, tmp_path, data, ["raw"], tmp_path / "out")
    assert "2 groups of equal samples are in more than one part" in " ".join(page.split())
    assert "a/1.png = b/&lt;2&gt;.png" in page and "no trained experiment" in page


def test_a_group_on_both_sides_is_told(step, tmp_path):
    data = factory.write_data(tmp_path / "data")
    manifest = json.loads((data / "manifest.json").read_text())
    manifest["groups"] = {
        "number": 9,
        "per_split": {"train": 7, "val": 1, "test": 2},
        "across_splits": 1,
    }
    (data / "manifest.json").write_text(json.dumps(manifest))
    factory.write_experiment(tmp_path, "raw", RAW)
    page = made(step, tmp_path, data, ["raw"], tmp_path / "out")
    assert "1 of the groups is in" in page and "No leak found" not in page
    assert "9 (7 train, 1 val, 2 test)" in page


def test_data_without_a_manifest_or_labels_are_reported_without(step, tmp_path):
    factory.write_experiment(tmp_path, "a", JEPA)
    probe = tmp_path / "probe" / "a"
    (probe / "probe.json").write_text('{"labels": 0, "reason": "no labels"}')
    (probe / "predictions.csv").write_text("index,label,group\n")
    (probe / "classes.csv").write_text("class,n,precision,recall\n")
    code, _, err = step(report, "--results", tmp_path, "--experiments", "a", "--out", tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text()
    assert code == 0, err
    assert "Not probed: no labels" in page and "its data have no floor with labels" in page


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("train/a/summary.json", None, "summary.json: no such file"),
        ("monitor/a/monitor.json", "{", "monitor.json: not valid JSON"),
        ("probe/a/predictions.csv", "index,label,knn\n0,1,x\n", "predictions.csv"),
        ("probe/a/predictions.csv", None, "predictions.csv: no such file"),
        ("train/a/encoder.json", '{"train": {"encoder": "new"}, "data_sha256": {"splits.csv": "0"}}', "encoder.json"),
    ],
)  # fmt: skip
def test_missing_and_damaged_results_are_named(step, tmp_path, file, text, says):
    factory.write_experiment(tmp_path, "a", JEPA)
    (tmp_path / file).write_text(text) if text else (tmp_path / file).unlink()
    code, _, err = step(report, "--results", tmp_path, "--experiments", "a", "--out", tmp_path / "out")
    assert code == 2 and err.startswith("error: ") and err.count("\n") == 1 and says in err, err
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_ten_experiments_fit_into_5_mb_and_thirty_into_20_seconds(step, tmp_path):
    data = factory.write_data(tmp_path / "data")
    names = [f"e{i}-x" for i in range(26)]
    for i, name in enumerate(names):
        factory.write_experiment(tmp_path, name, {**JEPA, "steps": 100 + i}, 0.9)
    for floor in (
        {"encoder": "pca", "dim": 8},
        RAW,
        factory.UNTRAINED,
        {**factory.UNTRAINED, "seed": 1},
    ):
        names.append(f"floor-{len(names)}")
        factory.write_experiment(tmp_path, names[-1], floor, 0.85)
    page = made(step, tmp_path, data, [*names[:6], *names[26:]], tmp_path / "ten")
    assert page.count('<details class="experiment"') == 10 and len(page.encode()) < 5_000_000
    start = time.process_time()
    made(step, tmp_path, data, names, tmp_path / "thirty")
    assert time.process_time() - start < 20
