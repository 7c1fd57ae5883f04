"""The parts from Debian: tools for this machine, and the root file system of machines."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from zerojhub.practice.build.recipe import Recipe
from zerojhub.practice.build.tools import Tools
from zerojhub.text import Say

SUITE = "bookworm"
HOST_TOOLS = {
    "ip": "iproute2",
    "iptables-restore": "iptables",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "mmdebstrap": "mmdebstrap",
}
"""Program -> its package."""

PACKAGES = (
    # For users who log in.
    *("openssh-server", "sudo", "ca-certificates", "curl", "iputils-ping", "jq", "less", "procps", "nano-tiny"),
    # Nodes.
    *("containerd", "runc", "containernetworking-plugins", "iptables", "iproute2", "conntrack", "socat", "ethtool"),
    # Masters.
    *("etcd-server", "etcd-client"),
    # The init process.
    *("s6", "util-linux"),
)
LEFT_OUT = ("man", "doc", "info", "locale", "lintian")


def install_host_tools(tools: Tools, say: Say) -> None:
    """Install missing tools if this machine has apt-get. Raises GroundError."""
    missing = sorted({package for program, package in HOST_TOOLS.items() if not shutil.which(program)})
    if not missing or not shutil.which("apt-get"):
        return
    say(f"installing {' '.join(missing)}")
    apt = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=600"]
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    tools.run([*apt, "update"], "packages", env=environment)
    tools.run([*apt, "install", "-y", "--no-install-recommends", *missing], "packages", env=environment)


def machine_root(tools: Tools) -> Recipe:
    """The root file system that all machines share."""

    def make(folder: Path, say: Say) -> None:
        total = 0
        done = 0

        def line(text: str) -> None:
            nonlocal total, done
            done += "Setting up " in text
            say(f"Debian {SUITE}: {text[3:] if text.startswith('I: ') else f'{done} packages set up'}")

        target = folder / "root"
        bootstrap(tools, target, PACKAGES, LEFT_OUT, "root", line)
        for left in (target / "var/lib/apt/lists").glob("*Packages*"):
            left.unlink()
        for key in (target / "etc/ssh").glob("ssh_host_*"):
            key.unlink()
        # Each machine has its own; those in the base would show through.
        for path in ("etc/machine-id", "etc/hostname", "etc/resolv.conf"):
            (target / path).unlink(missing_ok=True)
        os.chmod(target, 0o755)

    return Recipe("root", (SUITE, *PACKAGES, *LEFT_OUT), make)


def bootstrap(
    tools: Tools,
    target: Path,
    packages: Sequence[str],
    left_out: Sequence[str],
    log: str,
    line: Callable[[str], None] | None = None,
) -> None:
    """Create a minimal Debian root file system with the packages, without the given folders of /usr/share.

    The target is a folder, or a tar file if its name ends with .tar. Raises GroundError.
    """
    wanted = [
        "--variant=minbase",
        # Needs root, which the requirements have checked.
        "--mode=root",
        # Instead of the package usrmerge, which depends on Perl.
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        '--aptopt=Acquire::Languages "none"',
        f"--include={','.join(packages)}",
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in left_out),
    ]
    tools.run(["mmdebstrap", *wanted, SUITE, str(target), *_mirrors(tools, log)], log, line=line)


def pebble(tools: Tools) -> Recipe:
    """An ACME server for tests. It needs nothing but a C library, which this machine's is new enough for."""
    name = "pebble"

    def make(folder: Path, say: Say) -> None:
        say(f"Debian {SUITE}: {name}")
        scratch = folder / "scratch"
        unpack = ["mmdebstrap", "--variant=extract", "--mode=root", '--aptopt=Acquire::Languages "none"']
        tools.run([*unpack, f"--include={name}", SUITE, str(scratch), *_mirrors(tools, name)], name)
        shutil.move(scratch / "usr" / "bin" / name, folder / name)
        shutil.rmtree(scratch)

    return Recipe(name, (SUITE,), make)


def _mirrors(tools: Tools, log: str) -> list[str]:
    """This machine's own mirrors of the suite; none (Debian's default) on other systems."""
    if not shutil.which("apt-get"):
        return []
    fields = "$(REPO_URI) $(CODENAME) $(COMPONENT)"
    listed = tools.run(["apt-get", "indextargets", "--format", fields, "Created-By: Packages"], log)
    lines = dict.fromkeys(line for line in listed.splitlines() if len(line.split()) == 3)
    suites = (SUITE, f"{SUITE}-updates", f"{SUITE}-security")
    return [
        f"deb {line}"
        for line in lines
        if line.split()[1] in suites and line.endswith(" main") and "debian" in line.split()[0]
    ]
