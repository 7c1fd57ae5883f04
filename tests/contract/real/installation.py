"""Installs Keystone, Magnum, Neutron, Heat, Nova and Designate from PyPI in a virtual environment, once."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import platformdirs
from filelock import FileLock

CONSTRAINTS = Path(__file__).with_name("constraints.txt")
"""Pinned versions of the services and their dependencies."""
PACKAGES = ("keystone", "magnum", "neutron", "openstack-heat", "nova", "openstack-placement", "designate", "gunicorn")
BROKER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""The program that Debian's `rabbitmq-server` wraps; the wrapper insists on root or a user named rabbitmq."""


def environment() -> Path:
    """The virtual environment's folder in the cache, named after its contents. Takes a minute the first time."""
    if not BROKER.exists():
        raise RuntimeError("a real Magnum needs RabbitMQ: apt-get install rabbitmq-server, as `make test` does")
    content = CONSTRAINTS.read_bytes() + sys.version.encode()
    folder = (
        platformdirs.user_cache_path("zerojhub") / "tests" / f"openstack-{hashlib.sha256(content).hexdigest()[:12]}"
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
            pip: list[str | Path] = [
                folder / "bin" / "python",
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ]
            subprocess.run([*pip, "--constraint", CONSTRAINTS, *PACKAGES], check=True)
            (folder / "complete").touch()
    return folder
