"""The program's entry point, for which Ctrl-C while modules are imported is an interrupt like any other."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        from zerojhub import cli
    except KeyboardInterrupt:
        from zerojhub.report.failures import show_stopped

        show_stopped("nothing was done")
        sys.exit(130)
    cli.main()


if __name__ == "__main__":
    main()
