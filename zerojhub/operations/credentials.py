"""What a cluster may do in the cloud: its own cloud-config, which credential it names, and whether that works.

Heat drivers make a trust for each cluster and leave the cloud-config on the master. Cluster API drivers make an
application credential, and leave it in a Secret: magnum-cluster-api in kube-system, magnum-capi-helm in openstack-system.
"""

from __future__ import annotations

import base64
import configparser
import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from zerojhub import journey
from zerojhub.errors import CloudError, ZeroJHubError
from zerojhub.openstack import clusters, magnum
from zerojhub.stages import Access

if TYPE_CHECKING:
    from zerojhub.journey import Hub
    from zerojhub.kube.client import Kube
    from zerojhub.kube.reach import Reach
    from zerojhub.openstack.clusters import Say

FILES = ("/etc/kubernetes/cloud-config", "/etc/kubernetes/kube_openstack_config", "/etc/kubernetes/cloud.conf")
NAMESPACES = ("kube-system", "openstack-system")
OBJECT = "cloud-config"
"""The name of the Secret in one of the namespaces."""
SECRET = ("password", "application-credential-secret")
MASK = "********"
PATIENCE = 180
"""Seconds for a driver to put a new credential into the cluster, once Magnum has said that it is made."""


@dataclass(frozen=True)
class Held:
    """The credential that a cluster holds."""

    place: str
    """Where it is, for people."""
    settings: dict[str, str]
    """Of its cloud-config's section [Global], secrets and all."""
    namespace: str | None = None
    """Of the Secret that it is in; None on a master."""

    @property
    def kind(self) -> str:
        if "trust-id" in self.settings:
            return "trust"
        return "application credential" if "application-credential-id" in self.settings else "password"

    @property
    def id(self) -> str | None:
        names = ("trust-id", "application-credential-id", "user-id", "username")
        return next((self.settings[name] for name in names if name in self.settings), None)


async def read(hub: Hub, *, show_secrets: bool) -> dict:
    """The cluster's credential: kind, id, works, why_not, file, and its settings (secrets masked unless asked for)."""
    (reach,) = await journey.reach(hub, Access)
    return await _told(await held(reach), show_secrets=show_secrets)


async def rotate(hub: Hub, say: Say, ask: Callable[[str], None], *, show_secrets: bool) -> dict:
    """Have Magnum give the cluster another credential, and what uses it take that up.

    Returns what `read` does, and `before`: kind, id and whether it still works. ZeroJHubError when the driver cannot
    rotate, or the cluster goes on holding the one before.
    """
    cluster = await clusters.settled(hub.cloud, hub.deployment.cluster.name)
    magnum.require(hub.cloud, 12, "rotating credentials")
    (reach,) = await journey.reach(hub, Access)
    old = await held(reach)
    ask(f"Give {cluster['name']} another credential, and end its {old.kind} {old.id}?")
    try:
        await hub.cloud.container_infra.patch(f"/credentials/{cluster['uuid']}", None)
    except CloudError as error:
        if error.status == 400:
            error.hint = "such a driver leaves a cluster its credential for life: only a new cluster has another"
        raise
    new = await _another(reach, old, say)
    if new.namespace:
        await _restart_users(reach.kube, new.namespace, say)
    before = {"kind": old.kind, "id": old.id, "works": await anyio.to_thread.run_sync(refusal, old.settings) is None}
    return await _told(new, show_secrets=show_secrets) | {"before": before}


async def held(reach: Reach) -> Held:
    """Where the cluster has its credential, and what it is. ZeroJHubError when there is none."""
    if reach.address:
        for path in FILES:
            answer = await reach.machine.run(["cat", path], sudo=True, check=False)
            if answer.code == 0:
                return Held(path, parse({path: answer.stdout.decode()}))
        raise ZeroJHubError(f"the master has no {FILES[0]}", hint="a cluster without cloud provider has none")
    for namespace in NAMESPACES:
        if secret := await reach.kube.get("v1/Secret", OBJECT, namespace):
            files = {key: base64.b64decode(value).decode() for key, value in (secret.get("data") or {}).items()}
            return Held(f"Secret {namespace}/{OBJECT}", parse(files), namespace)
    places = " or ".join(f"{namespace}/{OBJECT}" for namespace in NAMESPACES)
    raise ZeroJHubError(f"the cluster has no Secret {places}", hint="a cluster without cloud provider has none")


def parse(files: dict[str, str]) -> dict[str, str]:
    """The settings of a cloud-config, by the names that its section [Global] has for them.

    A cloud-config that says `use-clouds` has them in the clouds.yaml beside it (openstack-cloud-controller-manager).
    """
    text = next((text for text in files.values() if "[Global]" in text), None)
    if text is None:
        raise ZeroJHubError(f"none of {', '.join(files)} is a cloud-config: there is no section [Global]")
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read_string(text)
    settings = {key: value.strip('"') for key, value in parser["Global"].items()}
    if settings.get("use-clouds") != "true":
        return settings
    from ruamel.yaml import YAML

    cloud = YAML(typ="safe").load(files["clouds.yaml"])["clouds"][settings["cloud"]]
    auth = {key.replace("_", "-"): str(value) for key, value in cloud["auth"].items()}
    return auth | {"region": cloud["region_name"], "tls-insecure": "false" if cloud.get("verify", True) else "true"}


def refusal(settings: dict[str, str]) -> str | None:
    """What Keystone says against the credential; None when it lets it in. Asked from here, at the address it names."""
    from keystoneauth1 import session
    from keystoneauth1.exceptions import ClientException
    from keystoneauth1.identity import v3

    url = settings["auth-url"]
    if "application-credential-id" in settings:
        auth = v3.ApplicationCredential(
            url,
            application_credential_id=settings["application-credential-id"],
            application_credential_secret=settings["application-credential-secret"],
        )
    else:
        auth = v3.Password(
            url, user_id=settings.get("user-id"), password=settings["password"], trust_id=settings.get("trust-id")
        )
    try:
        session.Session(auth=auth, verify=settings.get("tls-insecure", "false") != "true").get_token()
    except ClientException as error:
        return " ".join(str(error).split())
    return None


async def _told(credential: Held, *, show_secrets: bool) -> dict:
    why_not = await anyio.to_thread.run_sync(refusal, credential.settings)
    shown = {key: value if show_secrets or key not in SECRET else MASK for key, value in credential.settings.items()}
    return {
        "kind": credential.kind,
        "id": credential.id,
        "works": why_not is None,
        "why_not": why_not,
        "file": credential.place,
        "settings": shown,
    }


async def _another(reach: Reach, old: Held, say: Say) -> Held:
    deadline = time.monotonic() + PATIENCE
    while (new := await held(reach)).id == old.id:
        if time.monotonic() > deadline:
            raise ZeroJHubError(f"Magnum has rotated it, but {old.place} holds {old.id} after {PATIENCE} s still")
        say(f"{old.place} still holds {old.id}")
        await anyio.sleep(1)
    return new


async def _restart_users(kube: Kube, namespace: str, say: Say) -> None:
    """What has the Secret as a volume read it when it started (kubernetes/cloud-provider-openstack issue 2284)."""
    stamp = {"kubectl.kubernetes.io/restartedAt": datetime.datetime.now(datetime.UTC).isoformat()}
    for kind in ("Deployment", "DaemonSet", "StatefulSet"):
        for item in await kube.list(f"apps/v1/{kind}", namespace):
            volumes = item["spec"]["template"]["spec"].get("volumes") or []
            if any(volume.get("secret", {}).get("secretName") == OBJECT for volume in volumes):
                name = item["metadata"]["name"]
                say(f"restarting {kind} {name}")
                change = {"spec": {"template": {"metadata": {"annotations": stamp}}}}
                where = {"name": name, "namespace": namespace}
                await kube.apply({"apiVersion": "apps/v1", "kind": kind, "metadata": where, **change})
