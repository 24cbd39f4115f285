"""jepa-steps: prepare, train, watch and judge JEPA models, step by step."""

import os

# OpenMP's threads spin while they wait for each other, by default long enough to keep a core from the
# thread they wait for, where another process is busy. A short spin is nearly twice as fast there, and
# loses less alone than sleeping at once (benchmarks/busy_neighbour.py). libgomp reads this when torch
# loads it; what a user says of it stays.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__version__ = "0.1.0"
__all__ = ["load_encoder"]


def __getattr__(name: str):
    # Lazy, so that reading a config or planning a workflow does not import torch.
    if name == "load_encoder":
        from .model.export import load_encoder

        return load_encoder
    raise AttributeError(f"module 'jepa_steps' has no attribute {name!r}")
