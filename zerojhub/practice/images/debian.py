"""The root that every image starts from: Debian's least, made by mmdebstrap."""

from __future__ import annotations

from pathlib import Path

from zerojhub.practice.build.tools import Tools

SUITE = "bookworm"
# usr-is-merged and the hook keep out Perl, which the conversion package would bring.
PACKAGES = ("usr-is-merged", "ca-certificates", "python3", "python-is-python3", "python3-pycurl", "tini")
LEFT_OUT = ("man", "doc", "info", "locale", "lintian", "bash-completion")


def root(tools: Tools, archive: Path) -> None:
    """Write the root file system as the tar file `archive`. Raises GroundError."""
    unpack = [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in LEFT_OUT]
    tools.run(
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
            *_sources(tools),
        ],
        "debian",
    )


def _sources(tools: Tools) -> list[str]:
    """The mirrors that this machine itself uses for the suite; none (mmdebstrap's default) on another system."""
    fields = "$(REPO_URI) $(CODENAME) $(COMPONENT)"
    shown = tools.run(["apt-get", "indextargets", "--format", fields, "Created-By: Packages"], "debian")
    lines = dict.fromkeys(line for line in shown.splitlines() if line.count(" ") == 2)
    ours = [line for line in lines if line.split()[1].partition("-")[0] == SUITE and line.endswith(" main")]
    return [f"deb {line}" for line in ours if "debian" in line.split()[0]]
