"""The credential with which a cluster itself uses the cloud: which one it holds, whether it works, and its rotation.

Heat drivers create a trust for each cluster and leave the cloud-config on the master. Cluster API drivers create an
application credential and leave it in a Secret: magnum-cluster-api in kube-system, magnum-capi-helm in openstack-system.
"""

from __future__ import annotations

import base64
import configparser
import datetime
from dataclasses import dataclass

import anyio.to_thread

from zerojhub import retry
from zerojhub.cluster import Ask, Connect
from zerojhub.errors import CloudError, Unavailable, ZeroJHubError
from zerojhub.kube import kinds
from zerojhub.kube.client import Kube
from zerojhub.kube.reach import Reach
from zerojhub.openstack import clusters, magnum
from zerojhub.openstack.session import READ_TIMEOUT, fault_of
from zerojhub.retry import Transient
from zerojhub.run import Run
from zerojhub.text import Say, one_line
from zerojhub.waiting import NotYet, TimedOut, wait_until
from zerojhub.yamlfile import PYYAML, load

FILES = ("/etc/kubernetes/cloud-config", "/etc/kubernetes/kube_openstack_config", "/etc/kubernetes/cloud.conf")
NAMESPACES = ("kube-system", "openstack-system")
OBJECT = "cloud-config"
"""The name of the Secret in one of the namespaces."""
SECRET = ("password", "application-credential-secret")
MASK = "********"
ATTEMPTS = 3
"""How often Keystone is asked: from this machine, it may not be reachable at the cluster's URL for it at all."""
ROTATION_TIMEOUT = 180
"""Seconds for a driver to put the new credential into the cluster after Magnum has reported the rotation."""


class NoCredential(ZeroJHubError):
    """The cluster holds no credential: it has no cloud provider (exit code 1)."""


@dataclass(frozen=True)
class Held:
    """The credential that a cluster holds."""

    place: str
    """Where it is, for people."""
    settings: dict[str, str]
    """The section [Global] of its cloud-config, secrets included."""
    namespace: str | None = None
    """The namespace of the Secret that holds it; None on a master."""

    @property
    def kind(self) -> str:
        if "trust-id" in self.settings:
            return "trust"
        return "application credential" if "application-credential-id" in self.settings else "password"

    @property
    def id(self) -> str | None:
        names = ("trust-id", "application-credential-id", "user-id", "username")
        return next((self.settings[name] for name in names if name in self.settings), None)


@dataclass(frozen=True)
class Credential:
    """A cluster's credential for people: `works` as Keystone says, `why_not` if it does not; secrets may be masked."""

    kind: str
    id: str | None
    works: bool
    why_not: str | None
    file: str
    settings: dict[str, str]


@dataclass(frozen=True)
class Replaced:
    """The credential before a rotation, and whether Keystone still accepts it."""

    kind: str
    id: str | None
    works: bool


async def read(reach: Reach, *, show_secrets: bool) -> Credential:
    """The cluster's credential, its secrets masked unless asked for. ZeroJHubError when it holds none."""
    return await _tested(await held(reach), show_secrets=show_secrets)


async def rotate(run: Run, connect: Connect, say: Say, ask: Ask, *, show_secrets: bool) -> tuple[Credential, Replaced]:
    """Have Magnum replace the cluster's credential, and restart what uses it. Returns the new and the old one.

    ZeroJHubError when the driver cannot rotate, or the cluster still holds the old one after ROTATION_TIMEOUT.
    """
    cluster = await clusters.get_idle(run.cloud, run.deployment.cluster_name)
    magnum.require(run.cloud, 12, "rotating credentials")
    reach = await connect()
    old = await held(reach)
    ask(f"Replace the credential of {cluster['name']} and revoke its {old.kind} {old.id}?")
    try:
        await magnum.rotate_credential(run.cloud, cluster["uuid"])
    except CloudError as error:
        if error.status == 400:
            error.hint = "this driver cannot rotate credentials: only a new cluster gets a new one"
        raise
    new = await _replacement(reach, old, say)
    if new.namespace:
        await _restart_users(reach.kube, new.namespace, say)
    still_works = await refusal(old.settings) is None
    return await _tested(new, show_secrets=show_secrets), Replaced(old.kind, old.id, still_works)


async def held(reach: Reach) -> Held:
    """The credential that the cluster holds, and where. NoCredential when there is none."""
    if reach.address:
        for path in FILES:
            answer = await reach.machine.run(["cat", path], sudo=True, check=False, repeatable=True)
            if answer.code == 0:
                return Held(path, parse({path: answer.stdout.decode()}))
        raise NoCredential(f"the master has no {FILES[0]}", hint="a cluster without a cloud provider has none")
    for namespace in NAMESPACES:
        if secret := await reach.kube.get(kinds.SECRET, OBJECT, namespace):
            files = {
                key: base64.b64decode(value).decode(errors="replace")
                for key, value in (secret.get("data") or {}).items()
            }
            return Held(f"Secret {namespace}/{OBJECT}", parse(files), namespace)
    places = " or ".join(f"{namespace}/{OBJECT}" for namespace in NAMESPACES)
    raise NoCredential(f"the cluster has no Secret {places}", hint="a cluster without a cloud provider has none")


def parse(files: dict[str, str]) -> dict[str, str]:
    """The settings of a cloud-config, by their names in its section [Global].

    A cloud-config with `use-clouds` has them in the clouds.yaml next to it (openstack-cloud-controller-manager).
    """
    text = next((text for text in files.values() if "[Global]" in text), None)
    if text is None:
        raise ZeroJHubError(f"no cloud-config in {', '.join(files)}: there is no section [Global]")
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read_string(text)
    settings = {key: value.strip('"') for key, value in parser["Global"].items()}
    if settings.get("use-clouds") != "true":
        return settings
    cloud = load(files["clouds.yaml"].encode(), "clouds.yaml", PYYAML)["clouds"][settings["cloud"]]
    auth = {key.replace("_", "-"): str(value) for key, value in cloud["auth"].items()}
    return auth | {"region": cloud["region_name"], "tls-insecure": "false" if cloud.get("verify", True) else "true"}


async def refusal(settings: dict[str, str]) -> str | None:
    """Why Keystone refuses the credential, or why it cannot be asked; None when it accepts it."""
    try:
        return await refused(settings)
    except Unavailable as error:
        return error.message


async def refused(settings: dict[str, str], verify: bool | str | None = None) -> str | None:
    """Why Keystone refuses the credential; None when it accepts it. Asked from this machine, at the URL in the settings.

    `verify`: as requests has it, if not as the settings say. Raises Unavailable when Keystone does not answer there.
    """

    def attempt() -> str | None:
        from keystoneauth1 import session
        from keystoneauth1.exceptions import ClientException
        from keystoneauth1.identity import v3

        url = settings["auth-url"]
        auth: v3.ApplicationCredential | v3.Password
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
        secure = settings.get("tls-insecure", "false") != "true" if verify is None else verify
        try:
            session.Session(auth=auth, verify=secure, timeout=READ_TIMEOUT).get_token()
        except ClientException as error:
            if fault := fault_of("identity", error):
                raise Transient(fault, Unavailable(one_line(str(error)))) from error
            return one_line(str(error))
        return None

    return await retry.attempts(
        lambda: anyio.to_thread.run_sync(attempt, abandon_on_cancel=True), repeatable=True, limit=ATTEMPTS
    )


async def _tested(credential: Held, *, show_secrets: bool) -> Credential:
    why_not = await refusal(credential.settings)
    settings = {key: value if show_secrets or key not in SECRET else MASK for key, value in credential.settings.items()}
    return Credential(credential.kind, credential.id, why_not is None, why_not, credential.place, settings)


async def _replacement(reach: Reach, old: Held, say: Say) -> Held:
    async def look() -> Held | NotYet:
        new = await held(reach)
        return new if new.id != old.id else NotYet(f"{old.place} still holds {old.id}")

    try:
        return await wait_until(look, timeout=ROTATION_TIMEOUT, pause=(1, 1), say=say)
    except TimedOut as late:
        raise ZeroJHubError(f"Magnum reports the rotation, but after {ROTATION_TIMEOUT} s {late.reason}") from None


async def _restart_users(kube: Kube, namespace: str, say: Say) -> None:
    """Restart the workloads that mount the Secret: they read it only at start (kubernetes/cloud-provider-openstack issue 2284)."""
    stamp = {"kubectl.kubernetes.io/restartedAt": datetime.datetime.now(datetime.UTC).isoformat()}
    for kind in (kinds.DEPLOYMENT, kinds.DAEMON_SET, kinds.STATEFUL_SET):
        for item in await kube.list(kind, namespace):
            mounted = item["spec"]["template"]["spec"].get("volumes") or []
            if any(volume.get("secret", {}).get("secretName") == OBJECT for volume in mounted):
                version, _, word = kind.rpartition("/")
                where = {"name": item["metadata"]["name"], "namespace": namespace}
                say(f"restarting {word} {where['name']}")
                change = {"spec": {"template": {"metadata": {"annotations": stamp}}}}
                await kube.apply({"apiVersion": version, "kind": word, "metadata": where, **change})
