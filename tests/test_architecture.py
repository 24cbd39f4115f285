"""The house: which part may import which, and that the core names no kind of data."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import ROOT

from jepa_steps.config import JepaRun
from jepa_steps.errors import InputError
from jepa_steps.modalities import MODALITIES, has_part, optional_part, part

PACKAGE = ROOT / "jepa_steps"
STEPS = (
    "prepare",
    "train",
    "embed",
    "evaluate",
    "monitor",
    "rank",
    "probe",
    "report",
    "adopt",
    "init",
    "launch",
    "judge",
    "export",
)
# A part may import those on lower floors; parts that share a floor do not import each other.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("judge", "frames"),  # which run the steps, and read what they wrote
    STEPS,
    ("reporting", "engine"),
    ("model", "figures"),
    ("metrics",),
    ("provenance", "cli"),
    ("data",),
    ("config",),
    ("modalities",),  # the list and the contract; the folders of the kinds are above all but the steps
    ("arrays", "files", "draws", "device"),
    ("errors", "cards"),
)
# Names that only a kind of data knows: its classes, and those of its encoders.
NAMES = r"""Image(Dataset|Jepa|Store|Task|Inputs)|UntrainedImageEncoder|
    Expression(Dataset|Jepa|Store|Model|Split)|UntrainedCells|Cell(Task|Inputs|Predictor)|bio-|isinstance\([^)]*Store"""


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def part_of(module: str) -> str:
    """Of jepa_steps.model.export: model; of a module of a kind: modalities.images."""
    names = module.split(".")[1:]
    if names[:1] == ["modalities"] and len(names) > 1 and names[1] in MODALITIES:
        return ".".join(names[:2])
    return names[0] if names else "__init__"


def module_of(file: Path) -> str:
    names = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


def imports(file: Path, run_only: bool = False) -> Iterator[str]:
    """Modules of the package that a file imports, without those that only types need; with ``run_only``
    without those inside functions."""
    package = module_of(file) if file.name == "__init__.py" else module_of(file).rpartition(".")[0]
    tree = ast.parse(file.read_text())
    tree.body = [
        n for n in tree.body if not (isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n.test))
    ]
    for node in tree.body if run_only else ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            target = ".".join([*base, *([node.module] if node.module else [])])
            if target.startswith("jepa_steps"):
                for alias in node.names:
                    inner = PACKAGE.parent / Path(*target.split("."), alias.name)
                    known = inner.with_suffix(".py").exists() or (inner / "__init__.py").exists()
                    yield f"{target}.{alias.name}" if known else target


def floor(part: str) -> int:
    return next(i for i, parts in enumerate(FLOORS) if part.split(".")[0] in parts)


def test_the_core_imports_no_kind_of_data_and_no_kind_another():
    for file in sources():
        mine = part_of(module_of(file))
        for module in imports(file):
            target = part_of(module)
            if target.startswith("modalities."):
                assert target == mine, f"{file}: {module}"


def test_dependencies_point_downwards():
    """A kind of data may import the core but no step, and nothing that reads finished results."""
    for file in sources():
        mine = part_of(module_of(file))
        if mine == "__init__" or file.name == "__main__.py":  # a command line of its own
            continue
        for module in imports(file):
            target = part_of(module)
            if target == mine or target == "__init__" or target.startswith("modalities."):
                continue
            if mine.startswith("modalities."):
                assert target not in STEPS, f"{file}: {module}"
            else:
                assert floor(mine) < floor(target), f"{file}: {module}"


def test_metrics_know_neither_models_nor_settings_and_no_library_the_command_line():
    for file in sources():
        mine, targets = part_of(module_of(file)), {part_of(module) for module in imports(file)}
        if mine == "metrics":
            assert not targets & {"model", "config", "modalities", "engine"}, file
        if mine not in STEPS and file.name != "__main__.py":
            assert "cli" not in targets, file


def test_no_import_circle():
    graph = {module_of(file): set(imports(file, run_only=True)) for file in sources()}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path, module])
        if module in done:
            return
        for target in graph.get(module, ()):
            visit(target, (*path, module))
        done.add(module)

    for module in graph:
        visit(module, ())


def test_only_its_folder_names_a_kind_of_data():
    """Classes and encoders of a kind, and the kinds by name; in the rules, too."""
    kinds = "|".join(MODALITIES)
    forbidden = re.compile(rf"{NAMES}|modalities\.({kinds})|[\"']({kinds})[\"']", re.X)
    files = [file for file in sources() if not part_of(module_of(file)).startswith("modalities.")]
    files += [ROOT / "Snakefile", *(ROOT / "workflow" / "rules").glob("*.smk")]
    files += (PACKAGE / "templates").iterdir()
    for file in files:
        for number, line in enumerate(file.read_text().splitlines(), 1):
            listed = file == PACKAGE / "modalities" / "__init__.py" and line.startswith("MODALITIES")
            assert listed or not forbidden.search(line), f"{file}:{number}: {line}"


GIVES = {
    "settings": (
        "Dataset",
        "ENCODERS",
        "Evaluate",
        "FILES",
        "PREPARE",
        "BLOCKS",
        "PRESETS",
        "sources",
        "check",
    ),
    "prepare": ("prepare", "summary"),
    "store": ("open_store",),
    "encoder": ("describe", "inputs", "encoder"),
    "task": ("task",),
    "report": ("describe", "PICTURES"),
    "views": ("WHAT", "views"),
    "samples": ("read",),
    "figures": ("pictures",),
    "remedies": ("REMEDIES",),
    "evaluation": ("predicts", "evaluate"),
    "judging": ("add_options", "dataset", "experiments"),
}
REQUIRED = ("settings", "prepare", "store", "encoder", "report")


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_kind_gives_what_the_contract_asks_for(modality):
    contract = (PACKAGE / "modalities" / "contract.py").read_text()
    for module, names in GIVES.items():
        assert f"{module}.py" in contract and all(name in contract for name in names)
        if module in REQUIRED or has_part(modality, module):
            given = part(modality, module)
            assert [name for name in names if not hasattr(given, name)] == [], module
    trained = [e for e in part(modality, "settings").ENCODERS if issubclass(e, JepaRun)]
    assert has_part(modality, "task") == bool(trained)
    if has_part(modality, "evaluation"):
        assert hasattr(part(modality, "report"), "evaluation")


@pytest.mark.parametrize("ask", [part, has_part, optional_part])
def test_an_unknown_kind_is_one_line(ask):
    known = ", ".join(MODALITIES)
    with pytest.raises(InputError, match=rf"^modality: found 'sounds', expected one of {known}$"):
        ask("sounds", "store")
