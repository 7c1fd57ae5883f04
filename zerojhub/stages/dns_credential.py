"""The application credential with which Traefik creates the record of a challenge in Designate. Not a stage."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio.to_thread

from zerojhub import masking, private, retry
from zerojhub.cluster import credentials
from zerojhub.errors import CloudError, Unavailable, UserError, ZeroJHubError
from zerojhub.hub.https import CREDENTIAL
from zerojhub.kube.client import OURS
from zerojhub.kube.kinds import SECRET
from zerojhub.openstack import keystone
from zerojhub.openstack.session import READ_TIMEOUT, fault_of, if_allowed
from zerojhub.retry import Transient
from zerojhub.stages.access import Access
from zerojhub.stages.floating_ip import mark
from zerojhub.text import one_line

if TYPE_CHECKING:
    from zerojhub.kube.types import Manifest
    from zerojhub.openstack.keystone import AccessRule, NewCredential
    from zerojhub.run import Run

ID, SECRET_OF_IT = "OS_APPLICATION_CREDENTIAL_ID", "OS_APPLICATION_CREDENTIAL_SECRET"


async def problems(run: Run) -> list[ZeroJHubError]:
    """What would keep the hub from getting a credential."""
    if path := _file(run):
        try:
            lacking = [name for name in (ID, SECRET_OF_IT) if not _given(run).get(name)]
        except UserError as error:
            return [error]
        return [UserError(f"lacks {' and '.join(lacking)}", where=str(path))] if lacking else []
    if await keystone.is_restricted(run.cloud):
        hint = "openstack application credential create NAME, logged in with your password; then https.credentials_file"
        where = run.deployment.where("hub", "https", "challenge")
        message = "https.challenge: dns needs another application credential, and yours may not create one"
        return [UserError(message, where=where, hint=hint)]
    return []


async def works(run: Run) -> bool:
    """Whether the cluster has a credential that Keystone accepts: that of the user's file, if there is one."""
    secret = await run[Access].kube.get(SECRET, CREDENTIAL, run.deployment.namespace)
    data = secret.get("data", {}) if secret else {}
    held = {key: b64decode(value).decode() for key, value in data.items()}
    if not held.get("id") or not held.get("secret"):
        return False
    if _file(run):
        given = _given(run)
        if (held["id"], held["secret"]) != (given.get(ID), given.get(SECRET_OF_IT)):
            return False
    settings = {
        "auth-url": run.cloud.auth_url,
        "application-credential-id": held["id"],
        "application-credential-secret": held["secret"],
    }
    return await credentials.refused(settings, run.cloud.session.verify) is None


async def create(run: Run, namespace: str) -> Manifest:
    """The Secret with a new credential, or with that of the user's file."""
    if _file(run):
        given = _given(run)
        return _manifest(namespace, given[ID], given[SECRET_OF_IT])
    await delete(run)
    run.say("creating an application credential for DNS records")
    made = await _create(run, _rules(urlsplit(await anyio.to_thread.run_sync(lambda: run.cloud.dns.endpoint)).path))
    if await _is_refused(run, made):
        # Designate takes credentials with access rules only where its operators have configured keystonemiddleware for it.
        await keystone.delete_application_credential(run.cloud, made["id"])
        made = await _create(run, [])
        run.note(
            f"this cloud's Designate does not know access rules: the application credential {_name(run)}, which is in the "
            "cluster, may be used for all of the project"
        )
    return _manifest(namespace, made["id"], made["secret"])


async def delete(run: Run) -> None:
    """Delete the credentials that were created for this deployment."""
    with if_allowed():
        for each in await keystone.application_credentials(run.cloud, _name(run)):
            await keystone.delete_application_credential(run.cloud, each["id"])


async def _create(run: Run, rules: list[AccessRule]) -> NewCredential:
    made = await keystone.create_application_credential(run.cloud, _name(run), mark(run), rules)
    masking.remember(made["secret"])
    return made


def _rules(path: str) -> list[AccessRule]:
    """To find the zone and to write its records, and nothing else. `path`: of Designate's endpoint, which may be below another."""
    return [
        {"service": "dns", "method": method, "path": f"{base}/zones{rest}"}
        for base in sorted({"/v2", path.rstrip("/")})
        for method, rest in (
            ("GET", ""),
            ("GET", "/*/recordsets"),
            ("POST", "/*/recordsets"),
            ("PUT", "/*/recordsets/*"),
            ("DELETE", "/*/recordsets/*"),
        )
    ]


async def _is_refused(run: Run, made: NewCredential) -> bool:
    """Whether Designate refuses to list zones to whoever logs in with the credential."""

    def attempt() -> bool:
        from keystoneauth1 import exceptions as ksa
        from keystoneauth1.identity import v3
        from keystoneauth1.session import Session

        auth = v3.ApplicationCredential(
            run.cloud.auth_url, application_credential_id=made["id"], application_credential_secret=made["secret"]
        )
        session = Session(auth=auth, verify=run.cloud.session.verify, timeout=READ_TIMEOUT)
        try:
            session.get(f"{run.cloud.dns.endpoint}/zones", allow_reauth=False)
        except (ksa.Unauthorized, ksa.Forbidden):
            return True
        except ksa.ClientException as error:
            if fault := fault_of("dns", error):
                raise Transient(fault, Unavailable(one_line(str(error)))) from error
            raise CloudError(one_line(str(error))) from error
        return False

    return await retry.attempts(lambda: anyio.to_thread.run_sync(attempt, abandon_on_cancel=True), repeatable=True)


def _name(run: Run) -> str:
    return f"zerojhub-{run.deployment.name}-dns"


def _file(run: Run) -> str | None:
    https = run.deployment.hub.https
    return str(https.credentials_file) if https and https.credentials_file else None


def _given(run: Run) -> dict[str, str]:
    """The variables in the user's file. UserError or Problems if it is not as it should be."""
    https = run.deployment.hub.https
    assert https and https.credentials_file  # or else nobody asks
    found = private.variables(https.credentials_file, ("OS_",), "an application credential")
    masking.remember(found.get(SECRET_OF_IT))
    return found


def _manifest(namespace: str, ident: str, secret: str) -> Manifest:
    data = {key: b64encode(value.encode()).decode() for key, value in (("id", ident), ("secret", secret))}
    meta = {"name": CREDENTIAL, "namespace": namespace, "labels": OURS}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data}
