"""jepa-steps: prepare, train, watch and judge JEPA models, step by step."""

import os

# OpenMP's threads spin while they wait for each other. Beside one busy neighbour two threads then do
# less than half of what they do when they sleep (benchmarks/busy_neighbour.py). The library reads this
# once, when torch loads it; a user's own setting stays.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
__all__ = ["load_encoder"]


def __getattr__(name: str):
    # Lazy, so that reading a config or planning a workflow does not import torch.
    if name == "load_encoder":
        from .model.export import load_encoder

        return load_encoder
    raise AttributeError(f"module 'jepa_steps' has no attribute {name!r}")
