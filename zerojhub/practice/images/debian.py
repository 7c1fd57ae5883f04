"""The root that every image starts from: Debian's least, made by mmdebstrap."""

from __future__ import annotations

import subprocess
from pathlib import Path

from zerojhub.practice.images.command import run

SUITE = "bookworm"
# usr-is-merged and the hook keep out Perl, which the conversion package would bring.
PACKAGES = ("usr-is-merged", "ca-certificates", "python3", "python-is-python3", "python3-pycurl", "tini")
LEFT_OUT = ("man", "doc", "info", "locale", "lintian", "bash-completion")


def root(archive: Path, log: Path) -> None:
    """Write the root file system as the tar file `archive`. Raises GroundError."""
    unpack = [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in LEFT_OUT]
    run(
        [
            "mmdebstrap",
            "--variant=minbase",
            "--mode=root",
            "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
            f"--include={','.join(PACKAGES)}",
            '--aptopt=Acquire::Languages "none"',
            *unpack,
            SUITE,
            str(archive),
            *_sources(),
        ],
        log,
        timeout=900,
    )


def _sources() -> list[str]:
    """The mirrors that this machine itself uses for the suite; none (mmdebstrap's default) on another system."""
    shown = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    lines = dict.fromkeys(line for line in shown.stdout.splitlines() if line.count(" ") == 2)
    ours = [line for line in lines if line.split()[1].partition("-")[0] == SUITE and line.endswith(" main")]
    return [f"deb {line}" for line in ours if "debian" in line.split()[0]]
