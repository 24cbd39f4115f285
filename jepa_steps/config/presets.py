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
    # Specification sections 2 and 3, column of gene expression; for hundreds of perturbations.
    "bio-jepa": {
        "encoder": "bio-jepa",
        "batch_size": 256,
        "model": {"tokenizer": "mlp", "tokens": 64, "dim": 256, "depth": 4, "heads": 8},
        "predictor": {"dim": 128, "depth": 2, "heads": 4},
        "optimizer": {"lr": 0.001, "weight_decay": 0.01},
    },
    # Did best on a screen of 30 perturbations (benchmarks/RESULTS.md): few wide tokens, shifts alone.
    "bio-jepa-small": {
        "encoder": "bio-jepa",
        "steps": 800,
        "batch_size": 256,
        "model": {"tokens": 4, "dim": 128, "depth": 1, "heads": 2},
        "predictor": {"dim": 64, "depth": 0, "heads": 2},
        "optimizer": {"lr": 0.002, "weight_decay": 0.01},
        "validate_every": 200,
    },
    "masked-genes": {
        "encoder": "bio-jepa",
        "task": "masked genes",
        "batch_size": 256,
        "model": {"tokens": 64, "dim": 256, "depth": 4, "heads": 8},
        "predictor": {"dim": 128, "depth": 2, "heads": 4},
        "objective": {"kind": "ema_target"},
        "optimizer": {"lr": 0.001, "weight_decay": 0.01},
    },
}
