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


def show_written(
    written: Sequence[Path], file: Path, output: Output, *, steps: Sequence[str] = (), quiet: bool
) -> None:
    """The files, and the next step. `file`: the deployment file as it was named; `steps`: what to do for users to log in."""

    def people() -> None:
        *first, last = map(str, written)
        print(f"wrote {', '.join(first)} and {last}")
        if not quiet:
            for step in steps:
                print(f"  {step}")
            print(f"next: set cloud and template in {file}, then run: zerojhub plan")

    show({"written": written}, output, people)
