"""The workshops' pages and files, and the folder that a person works in."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zerojhub.errors import UserError
from zerojhub.workshops.base import Workshop

COMMON = "common"
"""The files that every workshop begins with, unless it has its own of the name."""


def folder(workshop: type[Workshop]) -> Path:
    """The folder that a person does the workshop in: `workshop-N` here, or here itself when this is it."""
    here, name = Path.cwd(), f"workshop-{workshop.number}"
    return here if here.name == name else here / name


def files(workshop: type[Workshop]) -> dict[str, Path]:
    """The workshop's files by the name that they get in its folder: its page as README.md, its picture, what it begins with."""
    home = _home()
    found = {"README.md": home / f"{workshop.slug}.md", f"{workshop.slug}.svg": home / f"{workshop.slug}.svg"}
    for source in (home / COMMON, home / workshop.slug):
        found |= {path.name: path for path in source.iterdir()} if source.is_dir() else {}
    return found


def lay_out(workshop: type[Workshop], *, anew: bool = False) -> Path:
    """Put the files into the folder and return it. Those that are there stay as they are, unless `anew`."""
    target = folder(workshop)
    try:
        target.mkdir(exist_ok=True)
        for name, source in files(workshop).items():
            if anew or not (target / name).exists():
                shutil.copyfile(source, target / name)
    except OSError as error:
        raise UserError(f"the files cannot be written: {error.strerror}", where=str(target)) from None
    return target


@contextmanager
def untouched(workshop: type[Workshop]) -> Iterator[Path]:
    """The deployment file that the workshop begins with, whatever has become of the person's own, among its other files."""
    with tempfile.TemporaryDirectory(prefix="zerojhub-workshop-") as there:
        for name, source in files(workshop).items():
            shutil.copyfile(source, Path(there) / name)
        yield Path(there) / "hub.yaml"


def _home() -> Path:
    """The pages: inside the installed package, or in the documentation of a checkout."""
    inside = Path(__file__).parent / "docs"
    return inside if inside.exists() else Path(__file__).parents[2] / "docs" / "workshops"
