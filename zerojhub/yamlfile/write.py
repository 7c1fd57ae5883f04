"""YAML text that every reader takes for the same."""

from __future__ import annotations

import re
from typing import Any

import yaml

from zerojhub.yamlfile import go

BREAKS = re.compile(r"[\r\x85\u2028\u2029]")
"""Line breaks of YAML 1.1 that become others unless they are escaped."""


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """In quotes what a reader would not take for text: PyYAML knows what it would not, but not what Go would not."""
    style = '"' if BREAKS.search(text) else "|" if "\n" in text else None if _is_text(text) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _is_text(text: str) -> bool:
    try:
        return isinstance(go.scalar(text, None, plain=True), str)
    except ValueError:
        return False


_Dumper.add_representer(str, _text)


def write(document: Any) -> str:
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
