"""Pages as tests read them: blocks of code, links, anchors, commands."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support import ROOT

DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *(ROOT / name for name in ("README.md", "CONTRIBUTING.md"))])
RUN = [DOCS / "index.md", DOCS / "start.md", *sorted((DOCS / "tutorials").glob("*.md"))]
_BLOCK = re.compile(r"^( *)```(\S*)(?: title=\"(.*)\")?\n(.*?)^\1```$", re.M | re.S)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_COMMAND = re.compile(r"(?<![/\w])(?:-m jepa_steps|jepa-steps)[. ]")


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file that it is saved as, its text."""

    language: str
    title: str
    text: str


def blocks(page: Path, *languages: str) -> list[Block]:
    """Fenced blocks in the order of the page, of some languages or of all."""
    found = []
    for indent, language, title, text in _BLOCK.findall(page.read_text()):
        lines = (line.removeprefix(indent) for line in text.splitlines(keepends=True))
        found.append(Block(language, title, "".join(lines)))
    return [block for block in found if not languages or block.language in languages]


def links(page: Path) -> list[str]:
    """Targets of links and pictures, outside code."""
    text = _BLOCK.sub("", page.read_text())
    return _LINK.findall(re.sub(r"`[^`\n]*`", "", text))


def anchors(page: Path) -> set[str]:
    """What headings are called, as forges and mkdocs call them."""
    text = _BLOCK.sub("", page.read_text())
    heads = re.findall(r"^#+ (.+)$", text, re.M)
    plain = (re.sub(r"[^\w\s-]", "", head).strip().lower() for head in heads)
    return {re.sub(r"\s", "-", head) for head in plain}


def commands(page: Path) -> Iterator[list[str]]:
    """Words of each command of the package, the command's name first."""
    text = page.read_text().replace("\\\n", " ")
    code = [block.text.replace("\\\n", " ") for block in blocks(page)]
    code += [found.replace("\n", " ") for found in re.findall(r"`([^`]+)`", _BLOCK.sub("", text))]
    for line in "\n".join(code).splitlines():
        for piece in _COMMAND.split(line.partition(" #")[0])[1:]:
            end = re.search(r"\s(&&|\||2?>|;)|[\"`]", piece)
            # JSON in quotes is no option; what follows it may be one.
            words = shlex.split(piece[: end.start()] if end and "'" not in piece else piece)
            if words and words[0] not in ("", "…", "COMMAND") and re.fullmatch(r"[a-z_]+", words[0]):
                yield words
