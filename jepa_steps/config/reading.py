"""Files and plain data to validated settings; every fault is one line that names the field."""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from ..errors import InputError
from .experiments import Config
from .training import Training

S = TypeVar("S", bound=BaseModel)


def _line(error: ValidationError, source: str) -> str:
    """One line: of the first problem file, field, found, expected; of others the fields."""
    first, *others = error.errors()
    message = first["msg"].removeprefix("Value error, ")
    found = first["input"]
    if not isinstance(found, dict) and first["type"] != "value_error":
        message += f", found {found!r}"
        if isinstance(found, str) and is_number(found):
            message += " (YAML reads 1e-3 as text: write 0.001 or 1.0e-3)"
    path, also = _field(first), list(dict.fromkeys(map(_field, others)))
    more = f" (and {len(others)} more: {', '.join(also[:5])}{', …' * (len(also) > 5)})" if others else ""
    return f"{source}: {path + ': ' if path else ''}{message}{more}"


def _field(error: Any) -> str:
    """Where a problem is, as the file has it."""
    tags = {"jepa", "bio-jepa", "untrained", "bio-untrained", "pca", "raw"}
    return ".".join(str(p) for p in error["loc"] if p not in tags and p != "[key]")


def is_number(text: str) -> bool:
    """Whether ``float`` takes it."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def parse(model: type[S], value: Any, source: str) -> S:
    """Validate plain data strictly (no text for numbers) as ``model``.

    Raises:
        InputError: one line naming ``source``, the field, what was found and what was expected.
    """
    try:
        return model.model_validate(_frozen(value), strict=True)
    except ValidationError as error:
        raise InputError(_line(error, source)) from None


def _frozen(value: Any) -> Any:
    """Lists become tuples, which is what strict validation of fixed-length settings takes."""
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def read_yaml(path: Path) -> Any:
    """Plain data of a YAML or JSON file.

    Raises:
        InputError: missing or malformed file, with the line of the fault.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (yaml.YAMLError, UnicodeDecodeError, IsADirectoryError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError(f"{path}: {where}not valid YAML: {problem}") from None


def load_config(path: Path) -> Config:
    """Read and validate a whole config file.

    Raises:
        InputError: one line naming the file and the field.
    """
    return parse(Config, read_yaml(path) or {}, str(path))


class _Training(BaseModel):
    train: Training


def parse_training(value: Any, source: str) -> Training:
    """Validate one ``train`` block (any encoder kind)."""
    return parse(_Training, {"train": value}, source).train


def schema() -> dict[str, Any]:
    """JSON Schema of config.yaml."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}


def resolved(settings: BaseModel) -> dict[str, Any]:
    """Every setting with defaults filled in, as plain data."""
    return settings.model_dump(mode="json")
