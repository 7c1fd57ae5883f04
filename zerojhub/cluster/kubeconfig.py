"""The user's kubeconfig: written with mode 0600, and merged into an existing one on request."""

from __future__ import annotations

import json
import os
from pathlib import Path

from zerojhub import files
from zerojhub.errors import UserError
from zerojhub.openstack import kubeconfig, magnum
from zerojhub.openstack.kubeconfig import Kubeconfig
from zerojhub.openstack.session import Cloud
from zerojhub.yamlfile import plain, read_yaml

LISTS = ("clusters", "users", "contexts")


def default_path() -> Path:
    """Where kubectl looks: the first file of KUBECONFIG, or else ~/.kube/config."""
    return Path(os.environ.get("KUBECONFIG", "").partition(os.pathsep)[0] or "~/.kube/config").expanduser()


async def save(cloud: Cloud, name: str, path: Path, *, merge: bool) -> str:
    """Write an administrator's kubeconfig for the cluster of this name or UUID. Returns the name of its context.

    UserError if the file exists, unless `merge`.
    """
    before = existing(path, merge=merge)
    config = await kubeconfig.make(cloud, await magnum.get_cluster(cloud, name))
    write(path, merged(before, config))
    return str(config["current-context"])


def existing(path: Path, *, merge: bool) -> Kubeconfig:
    """The existing file, empty if there is none. UserError unless it is a kubeconfig to merge into."""
    if not path.exists():
        return {}
    if not merge:
        raise UserError("already exists", where=str(path), hint="--merge adds to it")
    config = plain(read_yaml(path)) or {}
    if not isinstance(config, dict):
        raise UserError("not a kubeconfig", where=str(path))
    return config


def write(path: Path, config: Kubeconfig) -> None:
    """Write the file with mode 0600, completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, json.dumps(config, indent=1).encode())


def merged(old: Kubeconfig, new: Kubeconfig) -> Kubeconfig:
    """The old entries and the new ones, which replace those of the same name; the new context is the current one."""
    result = {**old, "apiVersion": "v1", "kind": "Config", "current-context": new["current-context"]}
    for key in LISTS:
        names = {entry["name"] for entry in new[key]}
        result[key] = [entry for entry in old.get(key) or [] if entry["name"] not in names] + new[key]
    return result
