import json
from pathlib import Path

import pytest

from jepa_steps import cli, config
from jepa_steps.data.store import open_store
from jepa_steps.prepare import prepare

ROOT = Path(__file__).parents[1]

TINY = {
    "encoder": "jepa",
    "steps": 40,
    "batch_size": 32,
    "model": {"patch_size": 2, "dim": 32, "depth": 2, "heads": 1},
    "predictor": {"dim": 16, "depth": 1, "heads": 1},
    "masks": {"blocks": 2},
    "optimizer": {"lr": 0.001},
    "threads": 1,
    "log_every": 10,
    "checkpoint_every": 15,
}


@pytest.fixture(scope="session")
def digits(tmp_path_factory) -> Path:
    """The prepared digits."""
    out = tmp_path_factory.mktemp("data") / "digits"
    card = str(ROOT / "config" / "cards" / "digits.md")
    spec = {"source": "digits", "path": card, "image_size": 8, "channels": 1}
    prepare(config.parse(config.ImageDataset, spec, "test"), out, workers=1)
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
