import json
import os
from pathlib import Path

import pytest
from hypothesis import settings
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from support import ROOT

# Tests share the cores by processes; threads of several that wait for each other would take them all.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from jepa_steps import cli
from jepa_steps.config.training import parse_dataset
from jepa_steps.modalities.images.prepare import prepare
from jepa_steps.modalities.images.store import open_store

# The same examples in every run: a change that breaks a property fails at once, not some day.
settings.register_profile("fixed", derandomize=True)
settings.load_profile("fixed")


_LONG = ("tests/workflow/", "tests/faults/", "tests/test_verdicts.py", "tests/test_judge.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take longest come first, so that no process is left alone with one at the end."""

    def place(item: pytest.Item) -> int:
        path = f"{item.path.relative_to(ROOT)}"
        return next((i for i, start in enumerate(_LONG) if path.startswith(start)), len(_LONG))

    items.sort(key=place)


@pytest.fixture(scope="session")
def digits(tmp_path_factory) -> Path:
    """The prepared digits."""
    out = tmp_path_factory.mktemp("data") / "digits"
    card = str(ROOT / "config" / "cards" / "digits.md")
    spec = {"source": "digits", "path": card, "image_size": 8, "channels": 1}
    prepare(parse_dataset(spec, "test", "images"), out, workers=1)
    return out


@pytest.fixture(scope="session")
def store(digits):
    return open_store(digits)


@pytest.fixture
def step(capsys):
    """Run a step's main in this process: (exit code, stdout, stderr)."""

    def run(module, *args) -> tuple[int, str, str]:
        argv = [json.dumps(a) if isinstance(a, dict) else str(a) for a in args]
        code = 0
        try:
            cli.run(lambda: module.main(argv))
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def no_figures(monkeypatch):
    """Figures are made and not drawn, which takes most of a short experiment's time; for tests that look
    at numbers. Other tests of each step draw them."""
    empty = '<svg xmlns="http://www.w3.org/2000/svg"/>'
    monkeypatch.setattr(ConstrainedLayoutEngine, "execute", lambda self, figure: None)
    monkeypatch.setattr(Figure, "savefig", lambda self, path, **how: Path(path).write_text(empty))
