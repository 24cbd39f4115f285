"""What several test files share."""

from pathlib import Path
from typing import Any

from jepa_steps.config import Settings, training

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


def parse_training(value: dict[str, Any], source: str = "test") -> Settings:
    """Settings of a training, on the kind of data that its encoder is for (floors: images)."""
    prefix = str(value.get("encoder")).split("-")[0] if isinstance(value, dict) else ""
    modality = {"bio": "expression", "series": "series", "video": "video"}.get(prefix, "images")
    return training.parse_training(value, source, modality)
