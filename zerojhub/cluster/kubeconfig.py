"""The user's kubeconfig: written with mode 0600, and merged into an existing one on request; and certificates beside it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Wanted:
    """How a kubeconfig is written. `merge`: into an existing file; `force`: in place of existing files.

    `certificates`: also into files of their own beside it. `keystone`: with a token of Keystone instead of certificates.
    """

    merge: bool = False
    force: bool = False
    certificates: bool = False
    keystone: bool = False


@dataclass(frozen=True)
class Saved:
    """The files that were written, and the kubeconfig's context for the cluster."""

    path: Path
    context: str
    certificates: list[Path]


async def save(cloud: Cloud, name: str, path: Path, wanted: Wanted) -> Saved:
    """Write a kubeconfig for the cluster of this name or UUID: an administrator's, or one for tokens of Keystone.

    UserError if a file exists, unless it is to be merged or replaced.
    """
    before = existing(path, wanted)
    names = (["ca"] if wanted.keystone else ["ca", "cert", "key"]) if wanted.certificates else []
    beside = [path.with_name(f"{each}.pem") for each in names]
    for file in beside if not wanted.force else []:
        if file.exists():
            raise UserError("already exists", where=str(file), hint="--force replaces it")
    cluster = await magnum.get_cluster(cloud, name)
    if wanted.keystone:
        texts = [await magnum.ca_certificate(cloud, cluster["uuid"])]
        config = kubeconfig.of_token(cluster, texts[0])
    else:
        made = await kubeconfig.certificates(cloud, cluster)
        texts = [made.authority, made.certificate, made.key]
        config = kubeconfig.of_administrator(cluster, made)
    write(path, json.dumps(merged(before, config), indent=1))
    for file, text in zip(beside, texts, strict=False):  # without files there are texts all the same
        write(file, text)
    return Saved(path, str(config["current-context"]), beside)


def existing(path: Path, wanted: Wanted) -> Kubeconfig:
    """What to merge into: the existing file, or nothing. UserError unless it is a kubeconfig, or to be replaced."""
    if path.is_dir():
        raise UserError("is a directory", where=str(path), hint="name a file in it")
    if not path.exists() or (wanted.force and not wanted.merge):
        return {}
    if not wanted.merge:
        raise UserError("already exists", where=str(path), hint="--merge adds to it, --force replaces it")
    config = plain(read_yaml(path)) or {}
    if not isinstance(config, dict) or not all(_is_list_of_names(config.get(key) or []) for key in LISTS):
        raise UserError("not a kubeconfig", where=str(path))
    return config


def _is_list_of_names(entries: object) -> bool:
    return isinstance(entries, list) and all(isinstance(entry, dict) and "name" in entry for entry in entries)


def write(path: Path, text: str) -> None:
    """Write the file with mode 0600, completely or not at all; the one that a link leads to, as kubectl does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path.resolve(), text.encode())


def merged(old: Kubeconfig, new: Kubeconfig) -> Kubeconfig:
    """The old entries and the new ones, which replace those of the same name; the new context is the current one."""
    result = {**old, "apiVersion": "v1", "kind": "Config", "current-context": new["current-context"]}
    for key in LISTS:
        names = {entry["name"] for entry in new[key]}
        result[key] = [entry for entry in old.get(key) or [] if entry["name"] not in names] + new[key]
    return result
