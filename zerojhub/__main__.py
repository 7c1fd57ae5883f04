"""The program's entry point, for which Ctrl-C while modules are imported is an interrupt like any other."""

from __future__ import annotations

import gc
import sys

RARELY = 50_000
"""New objects between two collections of garbage. With Python's 700, a short command spends a tenth of its time on looking for
garbage among the modules that it is loading."""


def main() -> None:
    """Run the command line and exit with its code."""
    gc.set_threshold(RARELY)
    try:
        from zerojhub import cli
    except KeyboardInterrupt:
        from zerojhub.report.failures import show_stopped

        show_stopped("nothing was done")
        sys.exit(130)
    cli.main()


if __name__ == "__main__":
    main()
