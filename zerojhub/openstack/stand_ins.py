"""Modules that a library loads and nobody uses, left out while it is imported."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import cast


@contextmanager
def stand_ins(modules: Mapping[str, types.ModuleType | None]) -> Iterator[None]:
    """Within: imports of these modules give the stand-ins, or are ImportErrors for None, unless they are loaded already."""
    given = {name: module for name, module in modules.items() if name not in sys.modules}
    loaded = cast(dict[str, types.ModuleType | None], sys.modules)
    loaded.update(given)
    try:
        yield
    finally:
        for name in given:
            del loaded[name]
