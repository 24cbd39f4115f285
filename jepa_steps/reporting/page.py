"""The page: everything in one file, nothing fetched, no script, every name escaped."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from .. import __version__
from ..config import JUDGED
from ..modalities import part
from . import blocks, marks, numbers, ranks, summary, targets, words
from .contents import FIGURES
from .grouping import Row, dig, listed
from .standing import GUESSES

_QUOTES = str.maketrans("\"'", "'\"")


@dataclass(frozen=True)
class Page:
    """What is shown: experiments as read, rows of the comparison, floors, and who beats whom."""

    experiments: list[dict[str, Any]]
    rows: list[Row]
    floors: list[Row]
    standings: list[dict[str, Any]]


def render(page: Page, results: Path, folder: Path) -> str:
    """HTML of the report; figures of experiments lie below ``results``, of the comparison in
    ``folder``."""
    environment = Environment(
        loader=PackageLoader("jepa_steps"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = ("between", "number", "percent", "scaled", "size", "duration", "hours", "date")
    environment.filters |= {name: getattr(numbers, name) for name in names}
    modules = {"blocks": blocks, "marks": marks, "ranks": ranks}
    environment.globals |= {"dig": dig, **modules}
    origins = [blocks.provenance(e) for e in page.experiments]
    return environment.get_template("report.html").render(
        version=__version__,
        cards=[words.card(row, page.standings) for row in page.rows if row.trained],
        datasets=_by_data(page),
        how=summary.intervals(page.rows),
        between=[s for s in page.standings if s["kind"] in JUDGED],
        experiments=[
            {
                **e,
                "judged": e["kind"] in JUDGED,
                "notes": _notes(e, page.floors),
                "figures": _figures(e, results),
                "level": words.level(e["monitor"]["findings"]),
            }
            for e in page.experiments
        ],
        origins=origins,
        versions=_by_versions(origins),
        comparison=data_uri(folder / "comparison.svg"),
        few_labels=data_uri(folder / "few_labels.svg"),
    )


def _notes(e: dict[str, Any], floors: list[Row]) -> list[str]:
    """What training said of weights that were there before it."""
    notes, init = list(e["training"].get("notes") or []), e["train"].get("init")
    started = {floor.members[0]["train"].get("init") for floor in floors if floor.kind == "start"}
    if init and e["kind"] in JUDGED and init not in started:
        notes.append(
            "the report lacks the floor that says what training added: an untrained encoder with the "
            "same init"
        )
    return notes


def _by_data(page: Page) -> list[dict[str, Any]]:
    """Rows and guesses of each data set, in order of appearance."""
    found = []
    for data in dict.fromkeys(row.data for row in page.rows):
        rows = [row for row in page.rows if row.data == data]
        guesses = [(f, GUESSES[f.kind]) for f in page.floors if f.data == data and f.kind in GUESSES]
        folders = dict.fromkeys(row.members[0]["data_folder"] for row in rows)
        name = listed([folder for folder in folders if folder]) or data[:12]
        table = [{"row": row, **summary.summary_row(row)} for row in rows]
        start = marks.start([r["logistic_low"] for r in table if r["logistic_low"] is not None])
        found.append(
            {
                "name": name,
                "rows": table,
                "start": start,
                "guesses": guesses,
                "targets": targets.tables(rows),
            }
        )
    return found


def _by_versions(origins: list[dict[str, Any]]) -> list[tuple[tuple, list[str]]]:
    """Sets of package versions with the experiments trained under them."""
    found: dict[tuple, list[str]] = {}
    for origin in origins:
        found.setdefault(tuple(origin["versions"].items()), []).append(origin["name"])
    return [(versions, names) for versions, names in found.items() if versions]


def _figures(e: dict[str, Any], results: Path) -> dict[str, list[dict[str, str]]]:
    """The experiment's figures by block; left out are those that no step made, and those that its kind
    of data has no words for."""
    of_kind = dict(part(e["modality"], "report").PICTURES)
    if evaluation := blocks.evaluation(e):
        of_kind["evaluation"] = evaluation["figure"]
    found: dict[str, list[dict[str, str]]] = {}
    for block, drawings in FIGURES.items():
        found[block] = []
        for drawing in drawings:
            path = results / drawing.path.format(e["name"])
            text = (drawing.title, drawing.caption) if drawing.title else of_kind.get(path.stem)
            if text and path.is_file():
                found[block].append({"uri": data_uri(path), "title": text[0], "caption": text[1]})
    return found


def data_uri(path: Path) -> Markup:
    """An SVG file as a data URI: as an image it cannot run scripts or clash with another's ids.

    Made small: no comments, metadata or names of groups, coordinates to a hundredth of a point, and
    quotes that need no encoding. What HTML could take for its own is percent-encoded.
    """
    text = path.read_text(encoding="utf-8")
    text = re.sub(
        r"<metadata>.*?</metadata>|<!--.*?-->|<!DOCTYPE.*?>|<\?xml.*?\?>", "", text, flags=re.S
    )
    text = re.sub(r'(<g) id="[^"]*"', r"\1", text)
    text = re.sub(r' (?:d|x|y)="[^"]*"', lambda m: re.sub(r"(\.\d\d)\d+", r"\1", m[0]), text)
    text = re.sub(r"<[^>]*>", lambda m: m[0].translate(_QUOTES), re.sub(r"\s+", " ", text))
    # Names of namespaces are no requests; spelt like this, a search for addresses finds none.
    text = quote(text.replace("> <", "><"), safe=" !'()*+,-./:;=@_").replace("http://", "http:%2F/")
    return Markup("data:image/svg+xml," + text)  # noqa: S704, no character of HTML is left
