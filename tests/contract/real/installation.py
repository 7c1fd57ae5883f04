"""Installs real services from PyPI in virtual environments, once each: OpenStack's, and a newer JupyterHub."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import platformdirs
from filelock import FileLock

CONSTRAINTS = Path(__file__).with_name("constraints.txt")
"""Pinned versions of OpenStack's services and their dependencies."""
PACKAGES = ("keystone", "magnum", "neutron", "openstack-heat", "nova", "openstack-placement", "designate", "gunicorn")
JUPYTERHUB = Path(__file__).with_name("jupyterhub.txt")
"""Pinned versions of JupyterHub 6, which no chart has yet, and its dependencies."""
BROKER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""The program that Debian's `rabbitmq-server` wraps; the wrapper insists on root or a user named rabbitmq."""


def openstack() -> Path:
    """The virtual environment with Keystone, Magnum, Neutron, Heat, Nova and Designate. Takes a minute the first time."""
    if not BROKER.exists():
        raise RuntimeError("a real Magnum needs RabbitMQ: apt-get install rabbitmq-server, as `make test` does")
    return _environment("openstack", CONSTRAINTS, PACKAGES)


def jupyterhub() -> Path:
    """The virtual environment with JupyterHub 6."""
    return _environment("jupyterhub", JUPYTERHUB, ("jupyterhub",))


def _environment(name: str, constraints: Path, packages: tuple[str, ...]) -> Path:
    """The environment's folder in the cache, named after its contents."""
    content = constraints.read_bytes() + sys.version.encode()
    folder = platformdirs.user_cache_path("zerojhub") / "tests" / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
            pip = (folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check")
            subprocess.run([*pip, "--constraint", constraints, *packages], check=True)
            (folder / "complete").touch()
    return folder
