"""Keystone, Magnum, Neutron, Heat and Nova from the Python package index, in a virtual environment: installed once."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import platformdirs
from filelock import FileLock

CONSTRAINTS = Path(__file__).with_name("constraints.txt")
"""Every version that they and what they need are installed in."""
PACKAGES = ("keystone", "magnum", "neutron", "openstack-heat", "nova", "openstack-placement", "gunicorn")
BROKER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Debian's own `rabbitmq-server` insists on being root or a user named rabbitmq; this is what it wraps."""


def environment() -> Path:
    """The virtual environment's folder, in the cache, by what it is made of. Takes a minute the first time."""
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
            pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "--constraint", CONSTRAINTS, *PACKAGES], check=True)
            (folder / "complete").touch()
    return folder
