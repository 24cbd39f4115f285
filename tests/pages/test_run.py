"""Tutorials run as they stand: every command works, and prints what the page shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pages.reading import RUN, Block, blocks, name
from support import ROOT

CHECKOUT = ("Snakefile", "workflow", "jepa_steps", "config", "profiles")
BIN = Path(sys.executable).parent
ENV = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
# What another machine may round to another side.
_VARIES = ((r"[-+]?\d[\d,.]*", "0"), (r"beats|ties|below|undecided", "says"), (r"-{2,}|\s+", " "))


FETCHED = r"<(?:script|link|img|iframe)[^>]*?(?:src|href)=[\"']?(https?://[^\s\"'>]+)"


def same(line: str) -> str:
    """A line without its numbers and widths."""
    for pattern, by in _VARIES:
        line = re.sub(pattern, by, line)
    return line.strip()


def run(block: Block, folder: Path) -> str:
    """What a block prints."""
    shell = ["bash", "-euo", "pipefail", "-c", block.text]
    command = shell if block.language == "bash" else [sys.executable, "-c", block.text]
    both = subprocess.STDOUT
    done = subprocess.run(command, cwd=folder, env=ENV, stdout=subprocess.PIPE, stderr=both, text=True)
    assert done.returncode == 0, f"{block.text}\n{done.stdout}"
    return done.stdout


def shown(line: str, said: list[str]) -> bool:
    """Whether a line of the page was printed; … stands for anything."""
    pattern = ".*".join(re.escape(same(piece)) for piece in line.split("…"))
    return any(re.search(pattern, other) for other in said)


def marked(page: Path) -> "pytest.param":
    """The shortest tutorial in every slow run; the others, minutes each, on demand: make pages."""
    return pytest.param(page, marks=pytest.mark.slow if page.stem == "embeddings" else pytest.mark.pages)


@pytest.mark.parametrize("page", [*map(marked, RUN)], ids=[*map(name, RUN)])
def test_a_page_runs_and_prints_what_it_shows(page, tmp_path):
    for part in CHECKOUT:
        (tmp_path / part).symlink_to(ROOT / part)
    said: list[str] = []
    for block in blocks(page):
        if block.language == "yaml":
            (tmp_path / block.title).write_text(block.text)
        elif block.language in ("bash", "python"):
            said = [same(line) for line in run(block, tmp_path).splitlines()]
        elif block.language == "text":
            for line in block.text.splitlines():
                assert shown(line, said), f"{name(page)}: not printed: {line}\n" + "\n".join(said)


@pytest.mark.slow
def test_the_site_is_built_strictly_and_asks_nothing_of_other_servers(tmp_path):
    if not (BIN / "mkdocs").exists():
        pytest.skip("no mkdocs: pip install '.[docs]'")
    # Not --quiet, which drops the warnings that strict counts.
    build = [str(BIN / "mkdocs"), "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(build, cwd=ROOT, env=ENV, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 25
    for page in pages:
        assert re.findall(FETCHED, page.read_text()) == [], page
