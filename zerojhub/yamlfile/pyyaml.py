"""Scalars as PyYAML has them: Heat and its client, which keep dates as text."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml

TIMESTAMP = "tag:yaml.org,2002:timestamp"


def scalar(text: str, tag: str | None, plain: bool) -> Any:
    """The value of a scalar. ValueError if the text does not fit the tag."""
    import yaml

    loader = _loader()
    tag = tag or str(loader.resolve(yaml.ScalarNode, text, (plain, not plain)))  # type: ignore[no-untyped-call]  # PyYAML
    if tag == TIMESTAMP:
        return text
    try:
        value = loader.yaml_constructors[tag](loader, yaml.ScalarNode(tag, text))
    except (yaml.YAMLError, ValueError, LookupError):
        raise ValueError(f"{text!r} is not of type {tag.rpartition(':')[2]}") from None
    if value is not None and not isinstance(value, str | int | float):
        raise ValueError(f"JSON has no values of type {tag.rpartition(':')[2]}")
    return value


def key(value: Any) -> str:
    """The key as a JSON object has it."""
    return value if isinstance(value, str) else json.dumps(value)


@cache
def _loader() -> yaml.SafeLoader:
    import yaml

    return yaml.SafeLoader("")
