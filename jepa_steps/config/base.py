"""What every block of settings has in common."""

import difflib
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
Range = tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]
NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"


class Settings(BaseModel):
    """Base of every block: unknown keys are errors that name the nearest valid key."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _name_unknown_keys(cls, value: Any) -> Any:
        if isinstance(value, dict):
            for key in value:
                if key not in cls.model_fields:
                    near = difflib.get_close_matches(str(key), cls.model_fields, 1, cutoff=0.5)
                    hint = (
                        f"did you mean {near[0]!r}?"
                        if near
                        else "valid keys: " + ", ".join(cls.model_fields)
                    )
                    raise ValueError(f"unknown key {key!r}; {hint}")
        return value


def ordered(name: str, pair: tuple[float, float], most: float | None = None) -> None:
    if pair[0] > pair[1] or (most is not None and pair[1] > most):
        limit = f" and at most {most:g}" if most is not None else ""
        raise ValueError(f"{name}: found {list(pair)}, expected [low, high] with low <= high{limit}")
