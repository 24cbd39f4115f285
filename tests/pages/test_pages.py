"""Pages keep their word: links lead somewhere, configs are valid, commands and files exist."""

import argparse
import importlib
import re
from pathlib import Path
from unittest.mock import patch

import pytest
import yaml
from pages.reading import DOCS, PAGES, RUN, anchors, blocks, commands, links, name
from support import ROOT

from jepa_steps.__main__ import _MODULES, _OF_THE_CONFIG
from jepa_steps.config.experiments import PRESETS, load_config
from jepa_steps.modalities import MODALITIES


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_and_anchors_resolve(page):
    for link in links(page):
        if re.match(r"https?:|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(ROOT) and target.exists(), f"{link}: no such file"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


def test_every_page_is_in_the_menu():
    text = (ROOT / "mkdocs.yml").read_text()
    for page in DOCS.rglob("*.md"):
        assert page.relative_to(DOCS).as_posix() in text


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_yaml_is_a_config(page, tmp_path):
    for block in blocks(page, "yaml"):
        plain = yaml.safe_load(block.text)
        kinds = set(plain) & set(MODALITIES)
        sets = [dataset for kind in kinds for dataset in plain[kind].values()]
        whole = kinds and all({"path", "embeddings"} & set(dataset) for dataset in sets)
        assert whole or not block.title, "a file that is a piece of a config"
        if whole:
            (tmp_path / "config.yaml").write_text(block.text)
            load_config(tmp_path / "config.yaml")


def test_pages_that_are_run_say_in_which_language():
    for page in RUN:
        for block in blocks(page):
            assert block.language in ("bash", "python", "yaml", "text", "console"), name(page)
            assert block.language != "yaml" or block.title, f"{name(page)}: which file is this?"
            assert block.language != "console" or re.search(r"^(git clone|make )", block.text, re.M)


class _Made(Exception):
    """The parser of a command, before it parses."""


@pytest.fixture(scope="module")
def parsers() -> dict[str, argparse.ArgumentParser]:
    def stop(self, *args, **kwargs):
        raise _Made(self)

    found = {}
    for module in (*_MODULES, "config", "launch"):
        first = [MODALITIES[0]] if module == "prepare" else []
        with patch.object(argparse.ArgumentParser, "parse_args", stop), pytest.raises(_Made) as made:
            importlib.import_module(
                f"jepa_steps.{module}.__main__" if module == "config" else f"jepa_steps.{module}"
            ).main(first)
        found[module] = made.value.args[0]
    return found


def options(parser: argparse.ArgumentParser) -> set[str]:
    return set(parser._option_string_actions)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_and_their_options_exist(page, parsers):
    for command, *words in commands(page):
        line = f"{command} {' '.join(words)}"
        if command in _OF_THE_CONFIG:
            command, words = "config", [command, *words]
        assert command in parsers, line
        given = {word.partition("=")[0] for word in words if re.match(r"--[a-z]", word)}
        assert given <= options(parsers[command]) | {"--help"}, line
        if command == "config" and words:
            assert words[0] in _OF_THE_CONFIG, line
            known = words[0] != "preset" or words[1:2] == ["--help"] or words[1] in (*PRESETS, "NAME")
            assert known, line
        if command == "prepare" and words and not words[0].startswith("-"):
            assert words[0] in MODALITIES, line


def test_targets_of_make_exist():
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for page in PAGES:
        code = [b.text for b in blocks(page)] + re.findall(r"`(make [a-z-]+)`", page.read_text())
        for target in re.findall(r"^make ([a-z-]+)", "\n".join(code), re.M):
            assert target in known, f"{name(page)}: make {target}"


def written() -> dict[str, set[str]]:
    """Files that the stages write, by step; test_graph.py keeps stages and rules in step."""
    found: dict[str, set[str]] = {}
    for stage, block in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].items():
        block = block.get("do", block)
        outs = [out for key in ("outs", "metrics", "plots") for out in block.get(key, [])]
        paths = [next(iter(out)) if isinstance(out, dict) else out for out in outs]
        found.setdefault(stage.partition("_")[0], set()).update(Path(path).name for path in paths)
    return found


def test_the_page_of_files_lists_what_is_written():
    text = (DOCS / "reference" / "files.md").read_text()
    listed = {}
    for section in re.split(r"^## ", text, flags=re.M)[1:]:
        cells = re.findall(r"^\| (`.*?) \|", section, re.M)
        listed[section.split()[0]] = {file for cell in cells for file in re.findall(r"`([^`]+)`", cell)}
    assert listed == written()
