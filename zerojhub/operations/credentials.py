"""What a cluster may do in the cloud: its own cloud-config on the master, which credential it is, and whether it works.

Magnum makes a trust for each cluster (Heat drivers) and leaves it in /etc/kubernetes/cloud-config, or an application
credential (Cluster API drivers), in the Secret cloud-config.
"""

from __future__ import annotations

import base64
import configparser
from typing import TYPE_CHECKING

import anyio

from zerojhub import journey
from zerojhub.errors import ZeroJHubError
from zerojhub.stages import Access

if TYPE_CHECKING:
    from zerojhub.journey import Hub
    from zerojhub.kube.reach import Reach

PLACES = ("/etc/kubernetes/cloud-config", "/etc/kubernetes/kube_openstack_config", "/etc/kubernetes/cloud.conf")
SECRET_OBJECT = "cloud-config"
SECRET = ("password", "application-credential-secret")
MASK = "********"


async def read(hub: Hub, *, show_secrets: bool) -> dict:
    """The cluster's credential: kind, id, works, why_not, file, and its settings (secrets masked unless asked for)."""
    (reach,) = await journey.reach(hub, Access)
    path, text = await (on_master(reach) if reach.address else in_cluster(reach))
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read_string(text)
    settings = {key: value.strip('"') for key, value in parser["Global"].items()}
    kind, identity = kind_of(settings)
    why_not = await anyio.to_thread.run_sync(refusal, settings)
    shown = {key: value if show_secrets or key not in SECRET else MASK for key, value in settings.items()}
    return {"kind": kind, "id": identity, "works": why_not is None, "why_not": why_not, "file": path, "settings": shown}


async def on_master(reach: Reach) -> tuple[str, str]:
    """Where the master keeps it, and what it says."""
    for path in PLACES:
        answer = await reach.machine.run(["cat", path], sudo=True, check=False)
        if answer.code == 0:
            return path, answer.stdout.decode()
    raise ZeroJHubError(f"the master has no {PLACES[0]}", hint="a cluster without cloud provider has none")


async def in_cluster(reach: Reach) -> tuple[str, str]:
    """The same of a cluster whose machines nobody logs in to: Cluster API's drivers leave it in a Secret."""
    secret = await reach.kube.get("v1/Secret", SECRET_OBJECT, "kube-system")
    for key, value in ((secret or {}).get("data") or {}).items():
        text = base64.b64decode(value).decode()
        if "[Global]" in text:
            return f"Secret kube-system/{SECRET_OBJECT}, {key}", text
    raise ZeroJHubError(f"there is no Secret kube-system/{SECRET_OBJECT} with a cloud-config in the cluster")


def kind_of(settings: dict[str, str]) -> tuple[str, str | None]:
    if "trust-id" in settings:
        return "trust", settings["trust-id"]
    if "application-credential-id" in settings:
        return "application credential", settings["application-credential-id"]
    return "password", settings.get("user-id") or settings.get("username")


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
