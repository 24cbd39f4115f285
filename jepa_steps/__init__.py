"""jepa-steps: prepare, train, watch and judge JEPA models, step by step."""

from .threads import wait_briefly_beside_others

wait_briefly_beside_others()

__version__ = "0.2.0"
__all__ = ["load_encoder", "results"]


def __getattr__(name: str):
    # Lazy, so that reading a config or planning a workflow imports neither torch nor pandas.
    if name == "load_encoder":
        from .model.export import load_encoder

        return load_encoder
    if name == "results":
        from .frames import results

        return results
    raise AttributeError(f"module 'jepa_steps' has no attribute {name!r}")
