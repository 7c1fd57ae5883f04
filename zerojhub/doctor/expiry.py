"""Certificates and credentials that have expired, or are about to."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import anyio.to_thread

from zerojhub import lookup, tls
from zerojhub.cluster import credentials, kubeconfig
from zerojhub.deployment import is_address
from zerojhub.doctor.finding import Finding
from zerojhub.doctor.subject import Subject
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.hub import own_certificate
from zerojhub.openstack import keystone, magnum
from zerojhub.openstack.roads import is_cluster_api
from zerojhub.text import plural, seconds_between
from zerojhub.yamlfile import plain, read_yaml

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from zerojhub.tls import Handshake

WARNING_DAYS = 30
"""Days before something expires from which on it is a finding."""
DAY = 24 * 60 * 60
AUTHORITIES = (magnum.KUBERNETES, "etcd", "front-proxy")
"""The CAs of a cluster."""
MASTERS_CERTIFICATES = "cat /etc/kubernetes/certs/*.crt /etc/kubernetes/pki/*.crt 2>/dev/null"
"""On a master of Magnum's Heat drivers, or of kubeadm: what its components show, and what they log in with."""


@dataclass(frozen=True)
class Expiring:
    """When something expires, in days from now, and since when it is expired if that is negative."""

    days: int

    @classmethod
    def on(cls, time: datetime) -> Expiring | None:
        """As `after`, by this machine's clock."""
        return cls.after((time - datetime.now(UTC)).total_seconds())

    @classmethod
    def after(cls, seconds: float) -> Expiring | None:
        """None while there is time enough."""
        days = seconds // DAY
        return cls(int(days)) if days < WARNING_DAYS else None

    def __str__(self) -> str:
        if self.days < 0:
            return f"it expired {plural(-self.days, 'day')} ago"
        return f"it expires in {plural(self.days, 'day')}"


async def application_credential(subject: Subject) -> list[Finding]:
    """The application credential of clouds.yaml."""
    credential = await keystone.own_application_credential(subject.cloud)
    if credential is None:
        return []
    problems = []
    if credential["expires_at"] and (expiring := _until(subject, credential["expires_at"])):
        why = f"no command on cloud {subject.cloud.name} works without it, neither yours nor zerojhub's"
        problems.append((str(expiring), why))
    if subject.found is None and await keystone.is_restricted(subject.cloud):
        why = "Magnum makes another credential for each new cluster, which Keystone refuses with a restricted one"
        problems.append(("it is restricted", why))
    name = credential["name"]
    create = f"openstack application credential create --unrestricted {name}-{datetime.now(UTC):%Y%m%d}"
    do = f"logged in with your password: {create}; then put its ID and secret into clouds.yaml"
    return [Finding("application credential", name, credential["id"], problem, why, do) for problem, why in problems]


async def own_credential(subject: Subject) -> list[Finding]:
    """The credential with which the cluster itself uses the cloud: whether it works, and for how long."""
    try:
        held = await credentials.held(await subject.reach())
    except credentials.NoCredential:
        return []
    problem = await _problem_of(subject, held)
    if problem is None:
        return []
    why = "the cluster cannot create or attach volumes, nor change load balancers, without it"
    return [Finding(held.kind, subject.cluster["name"], held.id, problem, why, await _another(subject))]


async def _problem_of(subject: Subject, held: credentials.Held) -> str | None:
    """Why the cluster cannot use its credential, or soon cannot; None if it can."""
    # The cluster's own URL for Keystone may lead nowhere from here.
    here = {"auth-url": subject.cloud.auth_url}
    refused = await credentials.refused(held.settings | here, subject.cloud.session.verify)
    if refused:
        return f"Keystone refuses it: {refused}"
    if held.kind == "application credential" and held.id:
        credential = await keystone.application_credential(subject.cloud, held.id)
        expires = credential["expires_at"] if credential else None
        if expires and (expiring := _until(subject, expires)):
            return str(expiring)
    return None


async def _another(subject: Subject) -> str:
    """How the cluster gets another credential."""
    if is_cluster_api(await subject.template()):
        return subject.zerojhub(f"cluster credentials {subject.cluster['uuid']} --rotate")
    return "only a new cluster gets another one: zerojhub move --to FILE"


async def authorities(subject: Subject) -> list[Finding]:
    """The cluster's CAs."""
    from cryptography import x509

    found = []
    for kind in AUTHORITIES:
        try:
            pem = await magnum.ca_certificate(subject.cloud, subject.cluster["uuid"], kind)
        except UserError:  # a Magnum with one CA for all
            continue
        expiring = Expiring.on(x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc)
        if expiring:
            why = "with its CA, every certificate of the cluster ends, and the API accepts nobody"
            found.append(_certificate(subject, f"CA {kind}", str(expiring), why, await _renewal(subject)))
    return found


async def servers(subject: Subject) -> list[Finding]:
    """The certificate that the API server shows, and those that a master's components log in with."""
    why = "clients and nodes refuse the API, or are refused by it"
    return [
        _certificate(subject, _subject(each), str(expiring), why, await _renewal(subject))
        for each in await _shown(subject)
        if (expiring := Expiring.on(each.not_valid_after_utc))
    ]


async def kubeconfigs(subject: Subject) -> list[Finding]:
    """The certificate in the user's kubeconfig, if that is about this cluster."""
    path = kubeconfig.default_path()
    save = subject.zerojhub(f"cluster kubeconfig {subject.cluster['uuid']} --merge")
    return [
        Finding("kubeconfig", str(path), None, f"{_subject(each)}: {expiring}", "kubectl is refused with it", save)
        for each in _in_kubeconfig(subject)
        if (expiring := Expiring.on(each.not_valid_after_utc))
    ]


async def hub(subject: Subject) -> list[Finding]:
    """The certificate that people see at the hub's host name."""
    deployment, spec = subject.deployment, subject.deployment.hub.https
    host = deployment.hub.host or ""
    if (
        not subject.has_file
        or spec is None
        or "." not in host
        or is_address(host)
        or deployment.hub.expose == "NodePort"
    ):
        return []
    authority = tls.readable_authority(spec.ca_file)
    do = f"{subject.on_deployment('up')}, which says why it was not renewed" if spec.contact else "renew it"
    for place in sorted(await lookup.here(host)):
        shown = await anyio.to_thread.run_sync(tls.handshake, place, 443, host, authority, abandon_on_cancel=True)
        problem = _why_refused(shown, own=spec.certificate is not None)
        if problem:
            return [Finding("certificate", host, None, problem, "browsers refuse the hub with it", do)]
    return []


def _why_refused(shown: Handshake, *, own: bool) -> str | None:
    """Why browsers refuse the certificate, or will soon; None if they do not, or if there is none to be seen."""
    certificate = shown.parsed()
    if certificate is None:
        return None
    expiring = Expiring.on(certificate.not_valid_after_utc)
    if expiring and (own or own_certificate.is_late(certificate)):
        return str(expiring)
    return f"it is refused: {shown.why}" if shown.state == "objection" else None


def _until(subject: Subject, expires_at: str) -> Expiring | None:
    return Expiring.after(-seconds_between(expires_at, subject.cloud.identity.clock.now()))


def _certificate(subject: Subject, name: str, problem: str, why: str, do: str) -> Finding:
    return Finding("certificate", f"{subject.cluster['name']}: {name}", subject.cluster["uuid"], problem, why, do)


async def _renewal(subject: Subject) -> str:
    """The command that replaces the cluster's certificates."""
    uuid = subject.cluster["uuid"]
    if is_cluster_api(await subject.template()):
        upgrade = subject.zerojhub(f"cluster upgrade {uuid} --kube-tag VERSION")
        return f"an upgrade gives the masters new ones: {upgrade}"
    return subject.zerojhub(f"cluster rotate-ca {uuid}")


async def _shown(subject: Subject) -> list[Certificate]:
    from cryptography import x509

    kube = await subject.kube()
    pem = await anyio.to_thread.run_sync(_of_server, *kube.address, abandon_on_cancel=True)
    with contextlib.suppress(ZeroJHubError):  # other checks report that the master cannot be reached
        reach = await subject.reach()
        if reach.address:
            answer = await reach.machine.run(
                ["sh", "-c", MASTERS_CERTIFICATES], sudo=True, check=False, repeatable=True
            )
            pem += answer.stdout.decode(errors="replace")
    if not pem:
        return []
    unique = {each.serial_number: each for each in x509.load_pem_x509_certificates(pem.encode())}
    return list(unique.values())


def _of_server(host: str, port: int) -> str:
    """The certificate (PEM) that the server shows; empty when nothing answers there."""
    try:
        return ssl.get_server_certificate((host, port), timeout=5)
    except (OSError, ValueError):
        return ""


def _in_kubeconfig(subject: Subject) -> Iterator[Certificate]:
    import base64

    from cryptography import x509

    path, address = kubeconfig.default_path(), subject.cluster.get("api_address")
    if not address or not path.is_file():
        return
    try:
        config = plain(read_yaml(path))
        here = {each["name"] for each in config["clusters"] if each["cluster"].get("server") == address}
        users = {each["context"]["user"] for each in config["contexts"] if each["context"]["cluster"] in here}
        data = [each["user"].get("client-certificate-data") for each in config["users"] if each["name"] in users]
        for each in filter(None, data):
            yield x509.load_pem_x509_certificate(base64.b64decode(each))
    except (UserError, LookupError, TypeError, ValueError, AttributeError, OSError):
        return  # kubectl says what is wrong with it


def _subject(certificate: Certificate) -> str:
    return certificate.subject.rfc4514_string() or f"serial number {certificate.serial_number}"
