"""The services of the practice cloud: every package beside this module is one.

Its `__init__` has the service's catalog types and root path; `routes.SERVICE` serves it.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from types import ModuleType

import zerojhub.practice.cloud


def packages() -> list[ModuleType]:
    """The services' packages, by name."""
    cloud = zerojhub.practice.cloud
    return [
        importlib.import_module(f"{cloud.__name__}.{found.name}")
        for found in sorted(pkgutil.iter_modules(cloud.__path__), key=lambda found: found.name)
        if found.ispkg
    ]


@functools.cache
def roots() -> dict[str, str]:
    """Catalog type -> root path of the service."""
    return {kind: package.ROOT for package in packages() for kind in package.TYPES}
