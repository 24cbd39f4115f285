"""Every fault the monitor can name has a sentence and a section that its card points to."""

import re

from support import ROOT

from jepa_steps.reporting.words import PLAIN


def names() -> set[str]:
    rules = (ROOT / "jepa_steps" / "metrics").glob("*_rules.py")
    return {name for file in rules for name in re.findall(r'Finding\(\s*"([^"]+)"', file.read_text())}


def test_every_fault_has_a_sentence():
    assert len(names()) > 10 and names() == set(PLAIN)


def test_every_fault_has_a_section():
    page = (ROOT / "docs" / "reading-the-report.md").read_text()
    anchors = {head.lower().replace(" ", "-") for head in re.findall(r"^#+ (.+)$", page, re.M)}
    assert {name.lower().replace(" ", "-") for name in names()} <= anchors
