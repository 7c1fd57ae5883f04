"""The root file system that the Debian images start from."""

from __future__ import annotations

from pathlib import Path

from zerojhub.practice.build import debian
from zerojhub.practice.build.tools import Tools

SUITE = debian.SUITE
# usr-is-merged prevents installing usrmerge, which depends on Perl.
PACKAGES = ("usr-is-merged", "ca-certificates", "python3", "python-is-python3", "python3-pycurl", "tini")
LEFT_OUT = ("man", "doc", "info", "locale", "lintian", "bash-completion")


def root(tools: Tools, archive: Path) -> None:
    """Write the root file system as the tar file `archive`. Raises GroundError."""
    debian.bootstrap(tools, archive, PACKAGES, LEFT_OUT, "debian")
