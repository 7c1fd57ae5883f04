"""Output: a log in Kubernetes' format, and a status in YAML."""

from __future__ import annotations

import re
import sys
from datetime import datetime


def log(text: str, where: str = "main.go:1", level: str = "I") -> None:
    now = datetime.now().strftime("%m%d %H:%M:%S.%f")
    print(f"{level}{now}       1 {where}] {text}", file=sys.stderr, flush=True)


def yaml(value: dict, indent: str = "") -> str:
    """Format mappings, lists of mappings, numbers and strings as YAML."""
    lines = []
    for key, item in value.items():
        if isinstance(item, dict):
            lines.append(f"{indent}{key}:\n{yaml(item, indent + '  ')}")
        elif isinstance(item, list):
            parts = [f"{indent}- {yaml(each, indent + '  ').lstrip()}" for each in item]
            lines.append(f"{indent}{key}:{'' if parts else ' []'}\n{''.join(parts)}")
        else:
            lines.append(f"{indent}{key}: {_scalar(str(item))}\n")
    return "".join(lines)


def _scalar(text: str) -> str:
    return text if re.fullmatch(r"[\w.-]+", text) else "'" + text.replace("'", "''") + "'"
