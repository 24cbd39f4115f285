"""What every block of settings has in common."""

import difflib
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

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


def both(side: int | Sequence[int]) -> tuple[int, int]:
    """(H, W) of a setting that gives both, or one number for both."""
    return (side, side) if isinstance(side, int) else tuple(side)


def _named(value: Any) -> Any:
    """A name, or a list of names, for names of kind auto."""
    value = [value] if isinstance(value, str) else value
    return dict.fromkeys(value or (), "auto") if isinstance(value, list | tuple | None) else value


def _one_or_several(value: Any) -> Any:
    """A single text for a list of one."""
    return (value,) if isinstance(value, str) else value


Target = Literal["auto", "classes", "numbers"]
Targets = Annotated[dict[str, Target], BeforeValidator(_named)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_one_or_several)]


class AttentionSettings(Settings):
    """Base of the blocks with a width ``dim`` that attention ``heads`` divide, where both are given."""

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.dim and self.heads and self.dim % self.heads:
            raise ValueError(f"dim {self.dim} is not a multiple of heads {self.heads}")
        return self


def ordered(name: str, pair: tuple[float, float], most: float | None = None) -> None:
    """Raise ValueError where a range is not [low, high] with low <= high (<= most)."""
    if pair[0] > pair[1] or (most is not None and pair[1] > most):
        limit = f" and at most {most:g}" if most is not None else ""
        raise ValueError(f"{name}: found {list(pair)}, expected [low, high] with low <= high{limit}")


def leaves_training_data(val: float, test: float) -> None:
    """Raise ValueError where the shares of val and test leave too little to train on, or are 0."""
    if val <= 0 or test <= 0 or val + test >= 0.9:
        raise ValueError(f"val {val:g} and test {test:g}: expected both above 0 and a sum below 0.9")


def captures_once(name: str, pattern: str) -> None:
    """Raise ValueError where a text is no regular expression with one capture group."""
    try:
        captures = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"{name}: found {pattern!r}, not a regular expression: {error}") from None
    if captures != 1:
        raise ValueError(f"{name}: found {captures} capture groups in {pattern!r}, expected one")
