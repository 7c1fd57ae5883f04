"""The workshops' pages and files, and the folder you work in."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zerojhub.errors import UserError
from zerojhub.workshops.base import Workshop

COMMON = "common"
"""The files that every workshop starts with. A workshop's own file of the same name takes precedence."""


def folder(workshop: type[Workshop]) -> Path:
    """The folder to do the workshop in: `workshop-N` in the current folder, or the current folder if it has that name."""
    here, name = Path.cwd(), f"workshop-{workshop.number}"
    return here if here.name == name else here / name


def files(workshop: type[Workshop]) -> dict[str, Path]:
    """The workshop's files by their name in its folder: its page as README.md, its diagram, the files it starts with."""
    home = _home()
    found = {"README.md": home / f"{workshop.slug}.md", f"{workshop.slug}.svg": home / f"{workshop.slug}.svg"}
    for source in (home / COMMON, home / workshop.slug):
        found |= {path.name: path for path in source.iterdir()} if source.is_dir() else {}
    return found


def lay_out(workshop: type[Workshop], *, overwrite: bool = False) -> Path:
    """Copy the files into the folder and return it. Existing files are kept, unless `overwrite`."""
    target = folder(workshop)
    try:
        target.mkdir(exist_ok=True)
        for name, source in files(workshop).items():
            if overwrite or not (target / name).exists():
                shutil.copyfile(source, target / name)
    except OSError as error:
        raise UserError(f"cannot write the workshop's files: {error.strerror}", where=str(target)) from None
    return target


@contextmanager
def untouched(workshop: type[Workshop]) -> Iterator[Path]:
    """The deployment file that the workshop starts with, beside its other files; your edits do not matter here."""
    with tempfile.TemporaryDirectory(prefix="zerojhub-workshop-") as there:
        for name, source in files(workshop).items():
            shutil.copyfile(source, Path(there) / name)
        yield Path(there) / "hub.yaml"


def _home() -> Path:
    """The folder of the pages: inside the installed package, or in the docs of a checkout."""
    inside = Path(__file__).parent / "docs"
    return inside if inside.exists() else Path(__file__).parents[2] / "docs" / "workshops"
