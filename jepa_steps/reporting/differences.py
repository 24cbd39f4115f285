"""What a block of settings changes, as YAML that can be pasted."""

from typing import Any

import yaml
from pydantic import BaseModel

from ..config import resolved


def changes(settings: BaseModel) -> dict[str, Any]:
    """The settings that differ from their defaults, and those that have none, as plain data."""
    found: dict[str, Any] = {}
    plain = resolved(settings)
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if not field.is_required() and value == field.get_default(call_default_factory=True):
            continue
        inside = changes(value) if isinstance(value, BaseModel) else plain[name]
        if inside != {}:
            found[name] = inside
    return found


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(
    list,
    lambda dumper, value: dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=True),
)


def as_yaml(value: Any, compact: bool = False) -> str:
    """A setting a line and lists in brackets; compact: innermost blocks on one line, too."""
    style = {"sort_keys": False, "allow_unicode": True, "width": 100}
    flow = None if compact else False
    return yaml.dump(value, Dumper=_Dumper, default_flow_style=flow, **style).strip()
