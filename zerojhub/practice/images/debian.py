"""The root that every image starts from."""

from __future__ import annotations

from pathlib import Path

from zerojhub.practice.build import debian
from zerojhub.practice.build.tools import Tools

SUITE = debian.SUITE
# usr-is-merged keeps out Perl, which the conversion package would bring.
PACKAGES = ("usr-is-merged", "ca-certificates", "python3", "python-is-python3", "python3-pycurl", "tini")
LEFT_OUT = ("man", "doc", "info", "locale", "lintian", "bash-completion")


def root(tools: Tools, archive: Path) -> None:
    """Write the root file system as the tar file `archive`. Raises GroundError."""
    debian.bootstrap(tools, archive, PACKAGES, LEFT_OUT, "debian")
