"""A kubeconfig for people: written so that only they can read it, and merged into one they have when they ask for it."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from zerojhub.errors import UserError
from zerojhub.yamlfile import plain, read_yaml

LISTS = ("clusters", "users", "contexts")


def there(path: Path, *, merge: bool) -> dict:
    """What the file has already. UserError when it is there and is not to be merged into, or is no kubeconfig."""
    if not path.exists():
        return {}
    if not merge:
        raise UserError("there is such a file", where=str(path), hint="--merge adds to it")
    config = plain(read_yaml(path)) or {}
    if not isinstance(config, dict):
        raise UserError("this is no kubeconfig", where=str(path))
    return config


def write(path: Path, config: dict) -> None:
    """Write it: for its owner's eyes only, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:  # made with mode 0600
        json.dump(config, file, indent=1)
    os.replace(file.name, path)


def merged(old: dict, new: dict) -> dict:
    """What is there with the new entries in the place of those of the same name, the new context current."""
    result = {**old, "apiVersion": "v1", "kind": "Config", "current-context": new["current-context"]}
    for key in LISTS:
        names = {entry["name"] for entry in new[key]}
        result[key] = [entry for entry in old.get(key) or [] if entry["name"] not in names] + new[key]
    return result
