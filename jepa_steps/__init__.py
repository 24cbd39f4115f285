"""jepa-steps: prepare, train, watch and judge JEPA models, step by step."""

from .threads import wait_briefly_beside_others

wait_briefly_beside_others()

__version__ = "0.1.0"
__all__ = ["load_encoder"]


def __getattr__(name: str):
    # Lazy, so that reading a config or planning a workflow does not import torch.
    if name == "load_encoder":
        from .model.export import load_encoder

        return load_encoder
    raise AttributeError(f"module 'jepa_steps' has no attribute {name!r}")
