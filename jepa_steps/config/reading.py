"""Files and plain data to validated settings; every fault is one line that names the field."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from ..errors import InputError

S = TypeVar("S", bound=BaseModel)
# Both build plain data only; the one in C is ten times as fast, which planning a sweep feels.
_SAFE = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _line(error: ValidationError, value: Any, source: str) -> str:
    """One line: of the first problem file, field, found, expected; of others the fields."""
    first, *others = error.errors()
    message = first["msg"].removeprefix("Value error, ")
    found, path = first["input"], _field(first, value)
    if first["type"] == "union_tag_invalid":
        tag = first["ctx"]["discriminator"].strip("'")
        path = f"{path}.{tag}" if path else tag
        message = f"found {first['ctx']['tag']!r}, expected one of {first['ctx']['expected_tags']}"
    elif not isinstance(found, dict) and first["type"] != "value_error":
        message += f", found {found!r}"
        if isinstance(found, str) and is_number(found):
            message += " (YAML reads 1e-3 as text: write 0.001 or 1.0e-3)"
    also = list(dict.fromkeys(_field(other, value) for other in others))
    more = f" (and {len(others)} more: {', '.join(also[:5])}{', …' * (len(also) > 5)})" if others else ""
    return f"{source}: {path + ': ' if path else ''}{message}{more}"


def _field(error: Any, value: Any) -> str:
    """Where a problem is, as the file has it: without the names of what a block was taken for."""
    path, inside = [], value
    for step in error["loc"]:
        if isinstance(inside, dict) and step not in inside:
            if error["type"] == "missing" and step == error["loc"][-1]:
                path.append(step)
            continue
        path.append(step)
        known = isinstance(inside, dict) or (isinstance(inside, tuple) and step in range(len(inside)))
        inside = inside[step] if known else None
    return ".".join(str(step) for step in path if step != "[key]")


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
    plain = _frozen(value)
    try:
        return model.model_validate(plain, strict=True)
    except ValidationError as error:
        raise InputError(_line(error, plain, source)) from None


def _frozen(value: Any) -> Any:
    """Lists become tuples, which is what strict validation of fixed-length settings takes."""
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def read_yaml(path: Path) -> Any:
    """Plain data of a YAML or JSON file.

    Raises:
        InputError: missing or malformed file, or a key that stands twice in a block, with the lines.
    """
    try:
        text = path.read_text(encoding="utf-8")
        _refuse_repeated_keys(path, text)
        return _SAFE(text).get_single_data()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (yaml.YAMLError, UnicodeDecodeError, IsADirectoryError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError(f"{path}: {where}not valid YAML: {problem}") from None


def refuse_repeated_keys(path: Path) -> None:
    """For a file that another reader has read: a key that stands twice in a block is an InputError."""
    _refuse_repeated_keys(path, path.read_text(encoding="utf-8"))


def _refuse_repeated_keys(path: Path, text: str) -> None:
    """YAML's readers keep the last of them, without a word.

    Goes through the parser's events: building the nodes takes six times as long, which planning a
    sweep feels.
    """
    blocks: list[_Block] = []
    for event in yaml.parse(text, Loader=_SAFE):
        if isinstance(event, yaml.CollectionEndEvent):
            blocks.pop()
        elif isinstance(event, yaml.NodeEvent):
            if blocks:
                _take(path, blocks[-1], event)
            if isinstance(event, yaml.CollectionStartEvent):
                blocks.append(_Block(isinstance(event, yaml.MappingStartEvent)))


@dataclass
class _Block:
    """A mapping or list that is open; of a mapping the lines of its keys."""

    mapping: bool
    lines: dict[str, int] = field(default_factory=dict)
    nodes: int = 0


def _take(path: Path, block: _Block, event: yaml.NodeEvent) -> None:
    """Count a node of a block; every second one of a mapping is a key."""
    block.nodes += 1
    if block.mapping and block.nodes % 2 and isinstance(event, yaml.ScalarEvent):
        line = event.start_mark.line + 1
        if event.value in block.lines:
            raise InputError(
                f"{path}: lines {block.lines[event.value]} and {line}: found the key {event.value!r} "
                "twice, expected once; put what stands under the second under the first"
            )
        block.lines[event.value] = line


def resolved(settings: BaseModel) -> dict[str, Any]:
    """Every setting with defaults filled in, as plain data."""
    return settings.model_dump(mode="json")
