"""Training blocks to start from."""

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    # Specification sections 2 and 3, image column.
    "ijepa-vitb": {
        "encoder": "jepa",
        "batch_size": 1024,
        "model": {"patch_size": 16, "dim": 768, "depth": 12, "heads": 12},
        "predictor": {"dim": 384, "depth": 6, "heads": 12},
        "augment": {"crop_scale": [0.3, 1.0], "crop_aspect": [0.75, 1.3333], "flip": 0.5},
    },
    "vicreg-vitb": {
        "encoder": "jepa",
        "batch_size": 1024,
        "model": {"patch_size": 16, "dim": 768, "depth": 12, "heads": 12},
        "predictor": {"dim": 384, "depth": 6, "heads": 12},
        "objective": {"kind": "vicreg"},
    },
    # A first try on one workstation GPU with images of 64 to 128 pixels.
    "ijepa-vits": {
        "encoder": "jepa",
        "model": {"patch_size": 8, "dim": 384, "depth": 12, "heads": 6},
        "predictor": {"dim": 192, "depth": 6, "heads": 6},
        "augment": {"crop_scale": [0.3, 1.0], "crop_aspect": [0.75, 1.3333], "flip": 0.5},
        "optimizer": {"lr": 0.0005},
    },
}
