"""Reports of `init`: the profiles, and the files that were written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zerojhub.profiles import Profile
from zerojhub.report.plain import print
from zerojhub.report.results import Output, show, show_table


def show_profiles(profiles: Sequence[Profile], output: Output) -> None:
    """What each profile is for."""
    show_table(profiles, ("name", "what"), output)


def show_written(written: Sequence[Path], file: Path, output: Output, *, quiet: bool) -> None:
    """The files, and the next step. `file`: the deployment file as it was named."""

    def people() -> None:
        print(f"wrote {' and '.join(map(str, written))}")
        if not quiet:
            print(f"next: set cloud and template in {file}, then run: zerojhub plan")

    show({"written": written}, output, people)
