"""The certificate behind https://, as browsers see it."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import anyio.to_thread

from zerojhub import files, lookup, tls, waiting
from zerojhub.deployment import LETS_ENCRYPT, is_address
from zerojhub.errors import ZeroJHubError
from zerojhub.hub import own_certificate
from zerojhub.hub.traefik import Failure, explained, last_failure
from zerojhub.hub.traefik import authority as name_of_authority
from zerojhub.kube.client import KubeError
from zerojhub.kube.explain import is_available
from zerojhub.kube.kinds import DEPLOYMENT, POD, SECRET
from zerojhub.stage import Found, Missing, Stage, Teardown, Wrong
from zerojhub.stages.access import Access
from zerojhub.stages.address import STEADY, Address, uses_https
from zerojhub.stages.dns import Dns, record
from zerojhub.stages.host_name import absolute, host_of
from zerojhub.stages.https_files import saved_store, store_name, usable
from zerojhub.stages.kept_certificate import KeptCertificate, resolver, store_in_cluster, stored
from zerojhub.tasks import gather
from zerojhub.text import plural
from zerojhub.tls import Handshake
from zerojhub.waiting import NotYet, TimedOut, wait_until

if TYPE_CHECKING:
    from zerojhub.deployment import Deployment
    from zerojhub.hub.acme import Store
    from zerojhub.hub.https import Https
    from zerojhub.kube.types import Deployment as KubeDeployment
    from zerojhub.kube.types import Pod
    from zerojhub.run import Run

NAME_TIMEOUT, PORT_TIMEOUT, SERVED_TIMEOUT = 180, 180, 240
"""Seconds until the name is found, until port 80 answers, and until a certificate is served that nobody here asks for."""
ISSUED_TIMEOUT = {"http": 180, "dns": 900}
"""Seconds until an authority has issued a certificate, or Traefik has said why not, by the challenge."""
RESTART_TIMEOUT = 180
"""Seconds until Traefik has ended, and until it has started."""
SYNC_TIMEOUT = 45
"""Seconds until a certificate that Traefik has got is in the Secret: the charts copy it there every half minute."""
NEW = timedelta(minutes=3)
"""Time after its start in which Traefik may have a certificate that is not in the Secret."""
TRAEFIKS_OWN = "TRAEFIK DEFAULT CERT"
"""The name in the certificate that Traefik shows until it has read its configuration."""
START = {"spec": {"replicas": 1}}
"""What starts Traefik."""
MOST_ATTEMPTS, WITHIN = 3, timedelta(hours=1)
"""How often a certificate is asked for. Let's Encrypt allows five failures an hour, and Traefik has one by itself at its start."""
PAUSE = 20
"""Seconds before asking again in the same run."""
REQUESTED = "certificate-requested"
"""The annotation with the host name and the times of these attempts: authorities count them for each name."""
PORT = 80
"""Where authorities connect for `challenge: http`."""
CHALLENGE = "/.well-known/acme-challenge/zerojhub"
"""What Traefik itself answers with 404 at any time, and nothing else does."""


@dataclass(frozen=True)
class Served:
    """The certificate that the hub shows."""

    host: str
    issuer: str
    expires: datetime


class Certificate(Stage[Served | None]):
    """The certificate behind `https://`, verified as browsers do.

    Where the hub requests it from an authority: waits for the host name, and until port 80 answers steadily, before it has
    Traefik ask, which does so once at its start. If that fails, it says why, and asks again at most three times an hour.
    A certificate of another authority, or of a former private one, is replaced. `down` saves the certificate for the next
    `up`.
    """

    name = "certificate"
    needs = (Address,)
    after = (Dns, KeptCertificate)
    undo_needs = (Access,)

    @classmethod
    def applies(cls, deployment: Deployment) -> bool:
        hub = deployment.hub
        return hub.https is not None or (hub.host is not None and not is_address(hub.host))

    async def look(self, run: Run) -> Found[Served | None] | Missing[Served | None] | Wrong[Served | None]:
        host = await host_of(run)
        if not uses_https(run) or host is None or is_address(host):
            return Found(
                "none: the hub is at http://" if not uses_https(run) else "not looked at without hub.host", None
            )
        named = run.get(Dns)
        if named and not named.ready:
            return Missing(f"{host} has no DNS record yet")
        if stale := await _stale(run, host):
            return Wrong(stale)
        shown = await _shown(run, host)
        if shown.state != "verified":
            return Missing(_objection(shown, host))
        served = _served(shown, host)
        if other := await _instead_of_own(run, host, shown):
            return Wrong(other, served)
        if why := await _late(run, host, shown):
            return Wrong(why, served)
        return Found(_text(served), served)

    async def do(self, run: Run, state: Missing[Served | None] | Wrong[Served | None]) -> None:
        host = await host_of(run) or ""
        requester = await _requester(run)
        if requester is None:
            await _wait_until_served(run, host)
            return
        if not requester["spec"].get("replicas", 1):  # an earlier run was killed while it restarted Traefik
            await _start(run, requester)
        https = await run.once(usable, run)
        challenge = https.spec.challenge if https else "http"
        if challenge == "http":
            await _wait_for_name(run, host)
            await _wait_for_port_80(run, host)
        if await _stale(run, host):
            await _start_anew(run, requester, host)
        await _obtain(run, host, challenge, renewing=isinstance(state, Wrong) and state.value is not None)
        if KeptCertificate.applies(run.deployment):
            await save(run)

    async def undo(self, run: Run, teardown: Teardown) -> None:
        if not KeptCertificate.applies(run.deployment):
            return  # nothing would give it back
        if await save(run) or await _save_new(run):
            run.note(f"the certificate is kept in {saved_store(run)} for the next `up`")


async def save(run: Run) -> bool:
    """Keep Traefik's certificate and account in the deployment's folder (0600), so that they outlive the cluster.

    False if there is no certificate for the hub.
    """
    host = await host_of(run)
    store = await store_in_cluster(run) if host else None
    issued = store.issued(host or "") if store else None
    if store is None or issued is None or not issued.is_valid:
        return False
    files.write(saved_store(run), bytes(store))
    return True


async def _save_new(run: Run) -> bool:
    """Save a certificate that is so new that it is not in its Secret yet. False if there is none."""
    pods, now = await _pods(run), run[Access].kube.clock.now()
    started = datetime.fromisoformat(pods[0]["metadata"]["creationTimestamp"]) if pods else now - NEW
    if now - started >= NEW or last_failure(await _log(run), await host_of(run) or ""):
        return False

    async def look() -> bool | NotYet:
        return await save(run) or NotYet("waiting until Traefik's certificate can be saved")

    with suppress(TimedOut):
        return await wait_until(look, timeout=SYNC_TIMEOUT, pause=(1, 3), say=run.say)
    return False


# -- what is there ------------------------------------------------------------------------------------------------------


async def _shown(run: Run, host: str) -> Handshake:
    """What the hub shows at its addresses: the first objection, if there is any at one of them."""
    address = run[Address]
    https = await run.once(usable, run)
    authority = https.authority if https else None
    # A load balancer that something else stands in front of is reached by its name only.
    direct = address.addresses if https and (https.spec.contact or https.own) else ()
    places = list(direct) or sorted(await lookup.here(host)) or list(address.addresses)
    if not places:
        return Handshake("unreachable", None, "the name is not known here")
    port = address.port or 443
    seen = await gather(
        *(
            anyio.to_thread.run_sync(tls.handshake, place, port, host, authority, abandon_on_cancel=True)
            for place in places
        )
    )
    reached = [each for each in seen if each.state != "unreachable"]
    # Not every machine has IPv6.
    return next((each for each in reached if each.state != "verified"), (reached or seen)[0])


def _served(shown: Handshake, host: str) -> Served:
    certificate = shown.parsed()
    assert certificate  # it was verified
    return Served(host, own_certificate.name_of(certificate, issuer=True), certificate.not_valid_after_utc)


def _text(served: Served) -> str:
    days = (served.expires - datetime.now(UTC)).days
    return f"{served.host}: from {served.issuer}, until {served.expires:%Y-%m-%d} ({plural(days, 'day')})"


def _is(pem: str, shown: Handshake) -> bool:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    return x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER) == shown.certificate


async def _instead_of_own(run: Run, host: str, shown: Handshake) -> str | None:
    """That the hub shows another certificate than the user's own; None if it does not, or the user has none."""
    https = await run.once(usable, run)
    if https is None or https.own is None or _is(https.own.certificate, shown):
        return None
    return f"{host} shows another certificate than yours, from {_served(shown, host).issuer}"


def _objection(shown: Handshake, host: str) -> str:
    """Why browsers would refuse what the hub shows."""
    certificate = shown.parsed()
    if shown.state == "unreachable":
        return f"https://{host} cannot be reached: {shown.why}"
    if certificate is None or own_certificate.name_of(certificate) == TRAEFIKS_OWN:
        return f"{host} has no certificate yet"
    issuer = own_certificate.name_of(certificate, issuer=True)
    if certificate.not_valid_after_utc < datetime.now(UTC):
        return f"the certificate of {host} expired on {certificate.not_valid_after_utc:%Y-%m-%d}"
    if not own_certificate.covers(certificate, host):
        names = ", ".join(sorted(own_certificate.names(certificate))) or own_certificate.name_of(certificate)
        return f"the certificate at https://{host} is for {names}"
    return f"the certificate of {host} is from {issuer}, which is not trusted here: {shown.why}"


async def _stale(run: Run, host: str) -> str | None:
    """Why Traefik would go on with a certificate that is not the wanted one; None if it would not.

    Traefik itself keeps a certificate of any authority until it is due for renewal.
    """
    https = await run.once(usable, run)
    if https is None or not https.spec.contact or await _requester(run) is None:
        return None
    issued = (await store_in_cluster(run)).issued(host)
    if issued is None:
        return None
    wanted = name_of_authority(https.spec.server)
    if not issued.is_from(https.spec.server):
        return f"the certificate of {host} is from {issued.authority}, not from {wanted}"
    if not https.trusts(issued.chain):
        return f"the certificate of {host} is not from the {wanted} of https.ca_file"
    if issued.resolver != resolver(https):
        return f"the certificate of {host} would be renewed by another challenge than {https.spec.challenge}"
    return None


async def _late(run: Run, host: str, shown: Handshake) -> str | None:
    """That the certificate was not renewed in time, with the reason if Traefik has logged it."""
    certificate = shown.parsed()
    if certificate is None or await _requester(run) is None:
        return None
    if not own_certificate.is_late(certificate):
        return None
    days = (certificate.not_valid_after_utc - datetime.now(UTC)).days
    text = f"the certificate of {host} ends in {plural(days, 'day')}, and was not renewed"
    failure = last_failure(await _log(run), host)
    return f"{text}: {(await _explained(run, failure, host)).message}" if failure else text


async def _requester(run: Run) -> KubeDeployment | None:
    """The Deployment of Traefik, which requests the certificate; None if this hub requests none."""
    listed = await run[Access].kube.list(DEPLOYMENT, run.deployment.namespace, labels=_labels(run))
    return listed[0] if listed else None


async def _pods(run: Run) -> list[Pod]:
    """Its pods that are not being stopped, the newest first."""
    pods = await run[Access].kube.list(POD, run.deployment.namespace, labels=_labels(run))
    running = [each for each in pods if not each["metadata"].get("deletionTimestamp")]
    return sorted(running, key=lambda each: each["metadata"]["creationTimestamp"], reverse=True)


def _labels(run: Run) -> str:
    return f"release={run.deployment.release},component=autohttps"


async def _log(run: Run) -> str:
    """The log of the Traefik that runs now; empty if none does."""
    kube, namespace = run[Access].kube, run.deployment.namespace
    for pod in (await _pods(run))[:1]:
        with suppress(KubeError):  # while it starts, it has none
            return await kube.logs(namespace, pod["metadata"]["name"], "traefik", lines=200, attempts=1)
    return ""


async def _explained(run: Run, failure: Failure, host: str) -> ZeroJHubError:
    https = await run.once(usable, run)
    server = https.spec.server if https else ""
    return explained(failure, host, server, run[Address].addresses, _record(run, host))


def _record(run: Run, host: str) -> str:
    """The record that the name should have, as far as the hub's addresses are known."""
    return record(host, run[Address].addresses) or f"{absolute(host)} A, with the hub's address"


# -- waiting for it -----------------------------------------------------------------------------------------------------


async def _wait_for_name(run: Run, host: str) -> None:
    """Wait until the name is found here, and refuse a wrong AAAA record beside a right A record: authorities ask it first.

    Asks the zone's own name servers first: others remember for up to an hour that there was nothing.
    """
    own = set(run[Address].addresses)
    servers = await lookup.name_servers(host)

    async def look() -> set[str] | NotYet:
        for kind in ("A", "AAAA") if servers else ():
            answers = await gather(*(lookup.at_server(server, absolute(host), kind) for server in servers))
            if any(answers) or all(each is None for each in answers):
                break
        else:
            if servers:
                return NotYet(f"waiting until {', '.join(servers)} has {_record(run, host)}")
        return await lookup.here(host) or NotYet(f"waiting until this machine finds {host}")

    try:
        found = await wait_until(look, timeout=NAME_TIMEOUT, pause=(0.5, 5), say=run.say)
    except TimedOut:
        raise ZeroJHubError(
            f"{host} is not found, so no authority issues a certificate for it",
            hint=f"the record to create: {_record(run, host)}; then: zerojhub up",
        ) from None
    others = found - own
    stale = sorted(each for each in others if ":" in each)
    if stale and own & found:
        raise ZeroJHubError(
            f"{host} also has the address {', '.join(stale)}, which is not the hub's, and authorities ask that first",
            hint=f"delete its AAAA record; the hub's is: {_record(run, host)}",
        )


async def _wait_for_port_80(run: Run, host: str) -> None:
    """Wait until Traefik answers at port 80 several times in a row: a load balancer uses one node and then another."""
    address = run[Address]
    if address.kind != "LoadBalancer":
        return  # something else forwards port 80, and only it knows from where
    places = sorted(await lookup.here(host)) or list(address.addresses)

    async def look() -> bool | NotYet:
        for place in places:
            for _ in range(STEADY):
                if problem := await port_80_problem(place, host, PORT):
                    return NotYet(problem)
        return True

    try:
        await wait_until(look, timeout=PORT_TIMEOUT, pause=(0.5, 3), say=run.say)
    except TimedOut as late:
        hint = (
            "does the load balancer have a listener and healthy members, and do security groups, proxy.service.disableHttpPort"
            " and loadBalancerSourceRanges let it through? without port 80: hub.https.challenge: dns"
        )
        raise ZeroJHubError(f"no certificate for {host} yet: {late.reason}", hint=hint) from None


async def port_80_problem(place: str, host: str, port: int) -> str | None:
    """Why an authority would not reach Traefik at this address; None if it would."""
    import httpx

    at = f"[{place}]" if ":" in place else place
    where = f"port {port} of {place}"
    try:
        async with httpx.AsyncClient(timeout=tls.TIMEOUT, trust_env=False, verify=tls.trusted()) as client:
            answer = await client.get(f"http://{at}:{port}{CHALLENGE}", headers={"Host": host})
    except httpx.TimeoutException:
        return f"{where} does not answer: it is blocked, or the load balancer is not ready"
    except httpx.RequestError as error:
        return f"{where} does not answer: {str(error) or type(error).__name__}"
    if answer.status_code == 404 and "server" not in answer.headers:
        return None
    who = answer.headers.get("server", "something else than Traefik")
    return f"{where} is answered by {who} ({answer.status_code})"


async def _wait_until_served(run: Run, host: str) -> None:
    """Wait for a certificate that something else provides: the chart's values, a load balancer, an ingress controller."""

    async def look() -> bool | NotYet:
        shown = await _shown(run, host)
        if shown.state != "verified":
            return NotYet(_objection(shown, host))
        other = await _instead_of_own(run, host, shown)
        return NotYet(other) if other else True

    try:
        await wait_until(look, timeout=SERVED_TIMEOUT, pause=(0.5, 5), say=run.say)
    except TimedOut as late:
        hint = f"to have the hub request one: hub.https.contact; the DNS record: {_record(run, host)}"
        raise ZeroJHubError(late.reason, hint=hint) from None


async def _obtain(run: Run, host: str, challenge: str, *, renewing: bool) -> None:
    """Have Traefik ask until there is a certificate, within limits. ZeroJHubError with the reason why there is none."""
    asked = 0
    while True:
        failure = await _outcome(run, host, challenge) if asked or not renewing else await _renewal_failure(run, host)
        if failure is None:
            return
        error = await _explained(run, failure, host)
        now = run[Access].kube.clock.now()
        if _forbids(failure, now) or (asked and (failure.is_final or asked > 1)):
            raise error
        requester = await _requester(run)
        assert requester  # it has just logged something
        times = _attempts(requester, host, now)
        if len(times) >= MOST_ATTEMPTS:
            again = math.ceil((min(times) + WITHIN - now).total_seconds() / 60)
            error.hint = (
                f"{error.hint}; asked {MOST_ATTEMPTS} times within the hour: again in {plural(again, 'minute')}"
            )
            raise error
        if asked:
            await waiting.sleep(PAUSE)
        asked += 1
        run.say(f"asking {name_of_authority(_server(await run.once(usable, run)))} again: {failure.said}")
        await _restart(run, requester, None, [*times, now], drop=failure.kind == "accountDoesNotExist")


def _forbids(failure: Failure, now: datetime) -> bool:
    """Whether the authority has said not to ask now."""
    if failure.kind != "rateLimited":
        return False
    if failure.retry_after:
        return failure.retry_after > now
    return failure.time is None or now - failure.time < WITHIN


async def _renewal_failure(run: Run, host: str) -> Failure:
    """Why a certificate that is about to end was not renewed, as far as the log says it."""
    return last_failure(await _log(run), host) or Failure("other", "it was not renewed in time")


async def _outcome(run: Run, host: str, challenge: str) -> Failure | None:
    """Wait until there is a certificate (None), or Traefik has logged why not."""
    https = await run.once(usable, run)
    who = name_of_authority(_server(https))
    seen = Handshake("none")

    async def look() -> Failure | NotYet | bool:
        nonlocal seen
        seen = await _shown(run, host)
        if seen.state == "verified" and (certificate := seen.parsed()) and not own_certificate.is_late(certificate):
            return True
        return last_failure(await _log(run), host) or NotYet(f"waiting for the certificate from {who}")

    try:
        found = await wait_until(look, timeout=ISSUED_TIMEOUT[challenge], pause=(0.5, 3), say=run.say)
    except TimedOut:
        objection = _objection(seen, host)
        if seen.state == "objection":
            hint = "set hub.https.ca_file to the root of that authority, for this machine and for your users"
        else:
            kubectl = (
                f"sudo kubectl --namespace {run.deployment.namespace} logs deployment/autohttps --container traefik"
            )
            hint = f"its log: zerojhub cluster ssh {run.deployment.cluster_name} -- {kubectl}"
        raise ZeroJHubError(
            f"no certificate from {who} yet, and Traefik does not say why: {objection}", hint=hint
        ) from None
    return found if isinstance(found, Failure) else None


def _server(https: Https | None) -> str:
    return https.spec.server if https else LETS_ENCRYPT


async def _start_anew(run: Run, requester: KubeDeployment, host: str) -> None:
    """Have Traefik forget a certificate that is not the wanted one, or use it for another challenge."""
    https = await run.once(usable, run)
    store = await store_in_cluster(run)
    issued = store.issued(host)
    assert https and issued  # or else it would not be stale
    now = run[Access].kube.clock.now()
    times = _attempts(requester, host, now)
    if issued.is_from(https.spec.server) and https.trusts(issued.chain):
        await _restart(run, requester, store.under(resolver(https)), times)
        return
    run.say("dropping the certificate of the other authority")
    await _restart(run, requester, None, [*times, now], drop=True)


async def _restart(
    run: Run, requester: KubeDeployment, store: Store | None, times: list[datetime], *, drop: bool = False
) -> None:
    """Stop Traefik, change what it begins with, and start it again: only at its start does it ask.

    It is stopped first: two of them would answer each other's challenges, and the old one would write back what is dropped.
    """
    kube, namespace, name = run[Access].kube, run.deployment.namespace, requester["metadata"]["name"]
    host = await host_of(run)
    noted = {"zerojhub.io/" + REQUESTED: " ".join([host or "", *(f"{each:%Y-%m-%dT%H:%M:%SZ}" for each in times)])}
    stop = {"metadata": {"annotations": noted}, "spec": {"replicas": 0}}
    await kube.merge(DEPLOYMENT, name, namespace, stop)
    try:
        await _wait_until_stopped(run)
        if drop:
            await kube.delete(SECRET, store_name(run), namespace)
        if store:
            await kube.apply(stored(run, store))
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(30):
            await kube.merge(DEPLOYMENT, name, namespace, START)
    await _start(run, requester)


async def _start(run: Run, requester: KubeDeployment) -> None:
    """Start Traefik, unless it runs, and wait for that."""
    if not requester["spec"].get("replicas", 1):
        await run[Access].kube.merge(DEPLOYMENT, requester["metadata"]["name"], run.deployment.namespace, START)

    async def look() -> bool | NotYet:
        now = await _requester(run)
        return True if now and is_available(now) else NotYet("waiting until Traefik has started")

    with suppress(TimedOut):  # whoever waits for the certificate says what is wrong
        await wait_until(look, timeout=RESTART_TIMEOUT, pause=(0.3, 2), say=run.say)


async def _wait_until_stopped(run: Run) -> None:
    kube, namespace = run[Access].kube, run.deployment.namespace

    async def look() -> bool | NotYet:
        pods = await kube.list(POD, namespace, labels=_labels(run))  # those that are being stopped, too
        return NotYet("waiting until Traefik has stopped") if pods else True

    with suppress(TimedOut):
        await wait_until(look, timeout=RESTART_TIMEOUT, pause=(0.3, 2), say=run.say)


def _attempts(requester: KubeDeployment, host: str, now: datetime) -> list[datetime]:
    """When zerojhub had the host's certificate asked for within the last hour."""
    name, *noted = requester["metadata"].get("annotations", {}).get("zerojhub.io/" + REQUESTED, "").split() or [""]
    found = []
    for each in noted if name == host else ():
        with suppress(ValueError):
            found.append(datetime.fromisoformat(each))
    return [each for each in found if now - each < WITHIN]
