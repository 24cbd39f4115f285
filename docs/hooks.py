"""Hooks of mkdocs: the site has the files of the repository that its pages link to.

A page of docs/ links to ``../config/x.yaml``, as it does on a forge. On the site that file stands beside
the pages, so that the link needs no address of a repository.
"""

import ast
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
CARDS = tuple(path.relative_to(ROOT).as_posix() for path in (ROOT / "config" / "cards").glob("*.md"))
PAGES = ("benchmarks/RESULTS.md", "CONTRIBUTING.md", "CHANGELOG.md", *CARDS)
_LINK = re.compile(r"(\]\()([^)#:\s]+)")
_DOCSTRING = re.compile(r"^<!-- docstring of (\S+) -->$", re.M)


def on_files(files: Files, config: Any) -> Files:
    """Add the files outside docs/."""
    beside = [path.relative_to(ROOT).as_posix() for path in (ROOT / "config").glob("*.yaml")]
    for name in (*PAGES, *beside):
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Any, files: Files, **_: Any) -> str:
    """Links that lead out of docs/, and docstrings that are text."""
    source = page.file.src_uri
    base = "" if source in PAGES else "docs"
    found = _LINK.sub(lambda m: m[1] + _moved(m[2], posixpath.join(base, source)), markdown)
    return _DOCSTRING.sub(lambda m: _docstring(ROOT / m[1]), found)


def _moved(link: str, source: str) -> str:
    """A link between two files of the repository, as one between two files of the site."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    at, to = (path.removeprefix("docs/") for path in (source, target))
    return posixpath.relpath(to, posixpath.dirname(at) or ".")


def _docstring(path: Path) -> str:
    return f"```text\n{ast.get_docstring(ast.parse(path.read_text()))}\n```"
