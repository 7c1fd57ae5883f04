"""The certificate behind https://: waited for in an order that gives reasons, asked for within limits, kept over `down`.

The hub is a real TLS server on loopback, and its port 80 a real HTTP server. Traefik's own part is played by a Deployment that
asks when it starts, and either shows a certificate or logs a line, as the real one does.
"""

from __future__ import annotations

import json
import socket
import ssl
import stat
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from tests.unit.authority import Authority
from tests.unit.fakecloud import FakeCloud
from tests.unit.kubernetes import Cluster
from tests.unit.test_traefik import invalid, refused, version_3
from zerojhub import lookup, tls
from zerojhub.deployment import LETS_ENCRYPT, load
from zerojhub.errors import Problems, UserError, ZeroJHubError
from zerojhub.hub.acme import Store
from zerojhub.hub.https import AUTHORITY, OWN
from zerojhub.moving.names import hand_over_certificate
from zerojhub.run import Run, Silent
from zerojhub.stage import Found, Missing, Teardown, Wrong
from zerojhub.stages import certificate, https_files
from zerojhub.stages.access import Access
from zerojhub.stages.address import Address, HubAddress
from zerojhub.stages.certificate import Certificate
from zerojhub.stages.chart import Chart
from zerojhub.stages.dns import Dns, Name
from zerojhub.stages.kept_certificate import KeptCertificate

HOST, OURS = "hub.example.org", "127.0.0.1"
PRIVATE = "https://ca.example.org/dir"
STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"
LABELS = {"release": "class", "component": "autohttps"}
CLOSED = invalid("connection", f"{OURS}: Fetching http://{HOST}/: Connection refused")
FORBIDDEN = invalid("caa", "CAA record for example.org prevents issuance")
pytestmark = pytest.mark.usefixtures("short_pauses", "fake_cloud")


class Hub:
    """A TLS server that, as Traefik with sniStrict, shows a certificate only once it has one."""

    def __init__(self) -> None:
        self.pair: Path | None = None
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)  # which ends `accept`
        self.socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            if self.pair:
                context.load_cert_chain(self.pair)
            with (
                suppress(OSError),
                connection,
                context.wrap_socket(connection, server_side=True) as channel,
            ):
                channel.recv(1)


class Port80(BaseHTTPRequestHandler):
    """Answers as Traefik does to a challenge that it does not know, or as `answers` says."""

    answers: list[tuple[int, str | None]]
    hosts: list[str]

    def do_GET(self) -> None:
        self.hosts.append(self.headers["Host"])
        status, server = self.answers.pop(0) if self.answers else (404, None)
        self.send_response_only(status)
        if server:
            self.send_header("Server", server)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Traefik(Cluster):
    """A cluster with Traefik in it. Each start is an attempt: the next of `outcomes`, a line for its log or a certificate."""

    def __init__(self, hub: Hub, folder: Path, outcomes: list[str | Callable[[], None]]) -> None:
        meta = {"name": "autohttps", "namespace": "class", "labels": LABELS, "annotations": {}, "generation": 1}
        self.deployment: dict[str, Any] = {"metadata": meta, "spec": {"replicas": 1}, "status": {}}
        super().__init__(Deployment=[self.deployment], Pod=[], Secret=[], ConfigMap=[], Namespace=[], Event=[])
        self.hub, self.folder, self.outcomes, self.log, self.starts = hub, folder, outcomes, "", 0
        self.secret_at_start: list[Store] = []

    def start(self) -> None:
        self.starts += 1
        self.secret_at_start.append(self.store())
        name = f"autohttps-{self.starts}"
        created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        meta = {"name": name, "namespace": "class", "labels": LABELS, "creationTimestamp": created}
        self.objects["Pod"] = [{"metadata": meta, "status": {"phase": "Running"}}]
        self.deployment["spec"]["replicas"] = 1
        self.deployment["status"] = {
            "observedGeneration": 1,
            "replicas": 1,
            "updatedReplicas": 1,
            "availableReplicas": 1,
        }
        outcome = self.outcomes.pop(0)
        self.log = version_3(outcome).replace("2026-11-28T10:00:00Z", created) if isinstance(outcome, str) else ""
        if not isinstance(outcome, str):
            outcome()

    def store(self) -> Store:
        found = [each for each in self.objects["Secret"] if each["metadata"]["name"] == https_files.STORE]
        return Store.of(b64decode(found[0]["data"]["acme.json"]) if found else "")

    async def merge(self, kind: Any, name: str, namespace: str | None, change: Any) -> Any:
        assert name == "autohttps"
        self.deployment["metadata"]["annotations"] |= change.get("metadata", {}).get("annotations", {})
        if change["spec"]["replicas"]:
            self.start()
        else:
            self.objects["Pod"] = []
        return self.deployment

    async def apply(self, manifest: dict[str, Any]) -> None:
        await super().apply(manifest)
        listed = self.objects[manifest["kind"]]
        listed[:] = [each for each in listed if each["metadata"]["name"] != manifest["metadata"]["name"]]
        listed.append(manifest)

    async def logs(self, namespace: str, pod: str, container: str | None = None, **_: Any) -> str:
        assert container == "traefik"
        return self.log


def stored(ca: Authority, server: str = PRIVATE, host: str = HOST, resolver: str = "default") -> dict[str, Any]:
    """The Secret with what Traefik has got there."""
    chain, key = ca.issue(host)
    issued = {
        "domain": {"main": host},
        "certificate": b64encode(chain.encode()).decode(),
        "key": b64encode(key.encode()).decode(),
        "Store": "default",
    }
    account = {"Email": "me@example.org", "Registration": {"uri": server.replace("dir", "acct/1")}}
    text = json.dumps({resolver: {"Account": account, "Certificates": [issued]}})
    data = {"acme.json": b64encode(text.encode()).decode()}
    return {"metadata": {"name": https_files.STORE, "namespace": "class"}, "data": data}


class World:
    """A hub that requests its certificate, and all that this takes."""

    def __init__(self, folder: Path, ca: Authority) -> None:
        self.folder, self.ca, self.hub = folder, ca, Hub()
        self.notes: list[str] = []
        self.said: list[str] = []
        self.kube = Traefik(self.hub, folder, [])
        (folder / "ca.pem").write_text(ca.pem)

    def issue(self, ca: Authority | None = None, *, into_secret: bool = True) -> Callable[[], None]:
        """An outcome: the authority issues a certificate."""

        def done() -> None:
            self.show(ca or self.ca)
            if into_secret:
                self.kube.objects["Secret"] = [stored(ca or self.ca)]

        return done

    def show(self, ca: Authority, host: str = HOST) -> None:
        self.hub.pair = self.folder / "shown.pem"
        self.hub.pair.write_text("".join(ca.issue(host)))

    def run(self, *addresses: str, kind: str = "LoadBalancer", **https: Any) -> Run:
        wanted = {"contact": "me@example.org", "server": PRIVATE, "ca_file": "ca.pem"} | https
        wanted = {key: value for key, value in wanted.items() if value is not None}
        hub = {"host": HOST, "https": wanted}
        document = {"name": "class", "cloud": "fake", "cluster": {"template": "t"}, "hub": hub}
        (self.folder / "hub.yaml").write_text(json.dumps(document))
        run = Run(load(self.folder / "hub.yaml"), Told(self))
        reach: Any = SimpleNamespace(kube=self.kube, address=None)
        release: Any = SimpleNamespace(name="class", namespace="class", values={})
        run[Access], run[Chart] = reach, release
        run[Address] = HubAddress(kind, (addresses or (OURS,))[0], self.hub.port, True, addresses or (OURS,))
        return run


class Told(Silent):
    """Progress that a test can read."""

    def __init__(self, world: World) -> None:
        self.world = world

    def say(self, name: str, detail: str) -> None:
        self.world.said.append(detail)

    def note(self, text: str) -> None:
        self.world.notes.append(text)


@pytest.fixture
def port_80(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Port80]]:
    handler = type("Handler", (Port80,), {"answers": [], "hosts": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    monkeypatch.setattr(certificate, "PORT", server.server_port)
    yield handler
    server.shutdown()
    server.server_close()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """What this machine finds, one look after the other; the last is repeated."""
    found = [{OURS}]

    async def here(name: str) -> set[str]:
        assert name == HOST
        return found.pop(0) if len(found) > 1 else found[0]

    async def none(name: str) -> list[str]:
        return []

    monkeypatch.setattr(lookup, "here", here)
    monkeypatch.setattr(lookup, "name_servers", none)
    return found


@pytest.fixture(scope="module")
def ca() -> Authority:
    return Authority()


@pytest.fixture
def world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ca: Authority, port_80: type[Port80], names: list[set[str]]
) -> Iterator[World]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tls, "_of_hubs", [])
    there = World(tmp_path, ca)
    yield there
    there.hub.close()


def authority_file(run: Run) -> str:
    https = anyio.run(https_files.https_of, run)
    assert https
    return https.authority_file


def look(run: Run) -> Any:
    return anyio.run(Certificate().look, run)


def up(run: Run, stage: Any = Certificate) -> Any:
    """What the stage finds after it has done what was missing."""

    async def work() -> Any:
        with run.step(stage.name):
            state = await stage().look(run)
            if not isinstance(state, Found):
                await stage().do(run, state)
                run.forget_answers()
                state = await stage().look(run)
        return state

    return anyio.run(work)


def down(run: Run, stage: Any = Certificate) -> None:
    async def work() -> None:
        with run.step(stage.name):
            await stage().undo(run, Teardown())

    anyio.run(work)


# -- what is there ------------------------------------------------------------------------------------------------------


def test_a_certificate_that_is_served_is_found_with_its_issuer_and_end(world):
    world.kube.outcomes = [world.issue()]
    world.kube.start()
    state = look(world.run())
    end = datetime.now(UTC) + timedelta(days=1)
    assert isinstance(state, Found)
    assert state.detail.startswith(f"{HOST}: from ca, until {end:%Y-%m-%d} (")
    assert state.value.host == HOST


def test_a_hub_without_https_has_no_certificate_to_look_at(world):
    run = world.run()
    run.deployment.hub.https = None
    assert look(run).detail == "none: the hub is at http://"
    assert Certificate.applies(run.deployment)
    assert not KeptCertificate.applies(run.deployment)


def test_nothing_is_looked_up_before_there_is_a_record(world, names):
    names[:] = []  # which fails if it is asked
    run = world.run()
    run[Dns] = Name(HOST, ready=False)
    assert look(run).detail == f"{HOST} has no DNS record yet"


def test_why_browsers_would_refuse_what_is_shown(world, ca):
    def said(other: Authority, host: str = HOST) -> str:
        world.show(other, host)
        return str(look(world.run()).detail)

    assert look(world.run()).detail == f"{HOST} has no certificate yet"
    assert said(Authority(), "TRAEFIK DEFAULT CERT") == f"{HOST} has no certificate yet"
    assert said(ca, "lab.example.org") == f"the certificate at https://{HOST} is for lab.example.org"
    assert f"the certificate of {HOST} is from ca, which is not trusted here" in said(Authority())
    old = Authority()
    old.ahead = timedelta(days=-2)
    assert f"the certificate of {HOST} expired on" in said(old)
    world.hub.close()
    assert look(world.run()).detail.startswith(f"https://{HOST} cannot be reached: Connection refused")


def test_an_address_without_ipv6_here_does_not_hide_the_others(world):
    world.kube.outcomes = [world.issue()]
    world.kube.start()
    assert isinstance(look(world.run(OURS, "2001:db8::7")), Found)


# -- waiting and asking -------------------------------------------------------------------------------------------------


def test_trap_5_traefik_asks_once_so_it_is_restarted_after_name_and_port_are_right(world, names, port_80):
    """The first attempt comes before the record and the load balancer do; an upgrade with the same values restarts nothing."""
    names[:] = [set(), set(), {OURS}]
    port_80.answers += [(502, "haproxy"), (404, None), (200, "nginx")]
    world.kube.outcomes = [invalid("dns", f"DNS problem: NXDOMAIN looking up A for {HOST}"), world.issue()]
    world.kube.start()
    assert isinstance(up(world.run()), Found)
    assert world.kube.starts == 2
    assert list(dict.fromkeys(world.said))[:4] == [
        f"waiting until this machine finds {HOST}",
        f"port {certificate.PORT} of {OURS} is answered by haproxy (502)",
        f"port {certificate.PORT} of {OURS} is answered by nginx (200)",
        f"asking ca.example.org again: DNS problem: NXDOMAIN looking up A for {HOST}",
    ]
    assert set(port_80.hosts) == {HOST}


def test_a_certificate_that_comes_by_itself_is_only_waited_for(world):
    world.kube.outcomes = [world.issue()]
    run = world.run()
    state = Missing[Any]("")

    async def work() -> None:
        with run.step("certificate"):
            world.kube.start()
            await Certificate().do(run, state)

    anyio.run(work)
    assert world.kube.starts == 1


def test_a_name_that_is_not_found_is_one_line_with_the_record(world, names, monkeypatch):
    monkeypatch.setattr(certificate, "NAME_TIMEOUT", 0)
    names[:] = [set()]
    with pytest.raises(ZeroJHubError) as caught:
        up(world.run())
    hint = f"the record to create: {HOST}. A {OURS}; then: zerojhub up"
    assert str(caught.value) == f"{HOST} is not found, so no authority issues a certificate for it ({hint})"
    assert world.kube.starts == 0, "nothing was asked of the authority"


def test_trap_6_the_zones_own_servers_are_asked_before_a_resolver_that_remembers_that_there_was_nothing(
    world, names, monkeypatch
):
    asked: list[str] = []
    answers = [set(), set(), {OURS}]

    async def servers(name: str) -> list[str]:
        return ["ns1.example.net"]

    async def at_server(server: str, name: str, kind: str) -> set[str]:
        asked.append(f"{server} {kind}")
        return answers.pop(0)

    async def here(name: str) -> set[str]:
        asked.append("here")
        return {OURS}

    monkeypatch.setattr(lookup, "name_servers", servers)
    monkeypatch.setattr(lookup, "at_server", at_server)
    monkeypatch.setattr(lookup, "here", here)
    world.kube.outcomes = [CLOSED, world.issue()]
    world.kube.start()
    up(world.run())
    assert asked[:4] == ["ns1.example.net A", "ns1.example.net AAAA", "ns1.example.net A", "here"]


def test_trap_9_a_stale_aaaa_record_beats_a_right_a_record(world, names, monkeypatch):
    names[:] = [{OURS, "2001:db8::1"}]
    with pytest.raises(ZeroJHubError) as caught:
        up(world.run())
    assert str(caught.value) == (
        f"{HOST} also has the address 2001:db8::1, which is not the hub's, and authorities ask that first "
        f"(delete its AAAA record; the hub's is: {HOST}. A {OURS})"
    )
    names[:] = [{OURS, "2001:db8::7"}]
    world.kube.outcomes = [world.issue()]
    monkeypatch.setattr(certificate, "PORT_TIMEOUT", 0)
    monkeypatch.setattr(tls, "TIMEOUT", 0.2)  # nothing is at that address, on any machine
    with pytest.raises(ZeroJHubError, match=r"port \d+ of 2001:db8::7 does not answer"):
        up(world.run(OURS, "2001:db8::7"))


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([(200, "nginx")] * 99, r"port \d+ of 127\.0\.0\.1 is answered by nginx \(200\)"),
        ([(302, None)] * 99, r"port \d+ of 127\.0\.0\.1 is answered by something else than Traefik \(302\)"),
    ],
)
def test_a_port_80_that_is_not_traefiks_is_one_line(world, port_80, monkeypatch, answers, said):
    monkeypatch.setattr(certificate, "PORT_TIMEOUT", 0)
    port_80.answers += answers
    with pytest.raises(ZeroJHubError, match=rf"no certificate for {HOST} yet: {said} .*hub\.https\.challenge: dns"):
        up(world.run())
    assert world.kube.starts == 0


def test_a_port_80_that_is_closed_is_one_line(world, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        monkeypatch.setattr(certificate, "PORT", free.getsockname()[1])
    monkeypatch.setattr(certificate, "PORT_TIMEOUT", 0)
    with pytest.raises(
        ZeroJHubError, match=r"no certificate for hub\.example\.org yet: port \d+ of 127\.0\.0\.1 does not"
    ):
        up(world.run())


def test_a_final_refusal_is_told_after_it_was_asked_once_more(world):
    """Whoever has changed a CAA record runs `up` again: the old refusal alone says nothing."""
    world.kube.outcomes = [FORBIDDEN, FORBIDDEN]
    world.kube.start()
    with pytest.raises(ZeroJHubError, match=r"a CAA record keeps ca\.example\.org from issuing a certificate for hub"):
        up(world.run())
    assert world.kube.starts == 2
    world.kube.outcomes = [world.issue()]
    assert isinstance(up(world.run()), Found)


def test_a_rate_limit_is_never_asked_against(world):
    later = datetime.now(UTC) + timedelta(minutes=30)
    limit = f"too many failed authorizations, retry after {later:%Y-%m-%d %H:%M:%S} UTC: see https://example.org"
    world.kube.outcomes = [refused("rateLimited", limit)]
    world.kube.start()
    with pytest.raises(ZeroJHubError, match=rf"issues no certificate for {HOST} until {later:%Y-%m-%d %H:%M} UTC"):
        up(world.run())
    assert world.kube.starts == 1
    before = datetime.now(UTC) - timedelta(minutes=1)
    world.kube.log = version_3(refused("rateLimited", f"too many, retry after {before:%Y-%m-%d %H:%M:%S} UTC: see"))
    world.kube.outcomes = [world.issue()]
    assert isinstance(up(world.run()), Found)


def test_nobody_asks_more_than_three_times_an_hour(world):
    world.kube.outcomes = [CLOSED] * 9
    world.kube.start()
    for _ in range(4):
        with pytest.raises(ZeroJHubError, match=f"port 80 of {HOST} is closed"):
            up(world.run())
    assert world.kube.starts == 1 + certificate.MOST_ATTEMPTS
    with pytest.raises(ZeroJHubError, match=r"asked 3 times within the hour: again in (5\d|60) minutes"):
        up(world.run())
    world.kube.deployment["metadata"]["annotations"]["zerojhub.io/certificate-requested"] = f"{HOST} " + " ".join(
        f"{datetime.now(UTC) - timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}" for minutes in (99, 80, 61)
    )
    world.kube.outcomes = [world.issue()]
    assert isinstance(up(world.run()), Found)


def test_traefik_is_started_where_an_earlier_run_was_killed_while_it_was_stopped(world):
    world.kube.outcomes = [world.issue()]
    world.kube.deployment["spec"]["replicas"] = 0
    assert isinstance(up(world.run()), Found)
    assert world.kube.starts == 1


def test_a_silent_traefik_is_not_waited_for_for_ever(world, monkeypatch):
    monkeypatch.setitem(certificate.ISSUED_TIMEOUT, "http", 0)
    world.kube.outcomes = [lambda: None]
    world.kube.start()
    with pytest.raises(ZeroJHubError, match=r"no certificate from ca\.example\.org yet.*logs deployment/autohttps"):
        up(world.run())


def test_a_certificate_of_an_authority_that_is_not_trusted_here_says_what_to_set(world, monkeypatch):
    monkeypatch.setitem(certificate.ISSUED_TIMEOUT, "http", 0)
    world.kube.outcomes = [world.issue()]
    world.kube.start()
    with pytest.raises(ZeroJHubError, match=r"is from ca, which is not trusted here.*set hub\.https\.ca_file"):
        up(world.run(ca_file=None))


def test_a_certificate_that_was_not_renewed_is_told_and_asked_for(world, ca):
    old = Authority()
    old._key, old.ahead = ca._key, -timedelta(hours=23)
    world.show(old)
    world.kube.outcomes = [CLOSED, world.issue()]
    world.kube.start()
    state = look(world.run())
    assert isinstance(state, Wrong)
    assert state.detail.startswith(f"the certificate of {HOST} ends in 0 days, and was not renewed: port 80 of")
    assert state.value, "whoever only looks can use it"
    assert isinstance(up(world.run()), Found)
    assert world.kube.starts == 2


def test_a_certificate_that_something_else_provides_is_waited_for(world, monkeypatch):
    world.kube.objects["Deployment"] = []
    run = world.run(contact=None, server=None)
    monkeypatch.setattr(certificate, "SERVED_TIMEOUT", 0)
    with pytest.raises(ZeroJHubError, match=rf"{HOST} has no certificate yet.*hub\.https\.contact"):
        up(run)
    world.show(world.ca)
    assert isinstance(look(run), Found)


# -- other authorities --------------------------------------------------------------------------------------------------


def test_trap_11_a_certificate_of_the_staging_authority_is_dropped_and_asked_for_anew(world):
    world.show(world.ca)
    world.kube.outcomes = [lambda: None, world.issue()]
    world.kube.objects["Secret"] = [stored(world.ca, STAGING)]
    world.kube.start()
    state = look(world.run())
    assert isinstance(state, Wrong)
    assert state.detail == (
        f"the certificate of {HOST} is from acme-staging-v02.api.letsencrypt.org, not from ca.example.org"
    )
    assert isinstance(up(world.run()), Found)
    assert [bool(each.issued(HOST)) for each in world.kube.secret_at_start] == [True, False]


def test_trap_12_an_authority_with_a_new_root_is_asked_anew(world):
    """As Pebble, whose root and accounts are others after each start."""
    former = Authority()
    world.show(former)
    world.kube.outcomes = [lambda: None, world.issue()]
    world.kube.objects["Secret"] = [stored(former)]
    world.kube.start()
    assert look(world.run()).detail == f"the certificate of {HOST} is not from the ca.example.org of https.ca_file"
    assert isinstance(up(world.run()), Found)
    assert world.kube.secret_at_start[1].issued(HOST) is None


def test_trap_12_an_authority_that_has_forgotten_the_account_gets_a_new_one(world):
    world.kube.outcomes = [refused("accountDoesNotExist", "no such account"), world.issue()]
    world.kube.objects["Secret"] = [stored(world.ca, host="former.example.org")]
    world.kube.start()
    assert isinstance(up(world.run()), Found)
    assert https_files.STORE in world.kube.deleted


def test_trap_12_the_new_root_is_in_another_file_so_that_traefik_restarts(world):
    run = world.run()
    before = authority_file(run)
    (world.folder / "ca.pem").write_text(Authority().pem)
    assert before != authority_file(world.run())
    up(run, KeptCertificate)
    (config,) = world.kube.objects["ConfigMap"]
    assert config["metadata"]["name"] == AUTHORITY
    assert isinstance(anyio.run(KeptCertificate().look, run), Found)
    (world.folder / "ca.pem").write_text(Authority().pem)
    assert isinstance(anyio.run(KeptCertificate().look, world.run()), Missing)


def test_a_certificate_goes_on_under_another_challenge(world, monkeypatch):
    """Otherwise the resolver that has it would renew it, with the challenge that is no longer wanted."""
    world.show(world.ca)
    world.kube.outcomes = [lambda: None, lambda: None]
    world.kube.objects["Secret"] = [stored(world.ca, resolver="designate")]
    world.kube.start()
    assert "renewed by another challenge than http" in look(world.run()).detail
    assert isinstance(up(world.run()), Found)
    issued = world.kube.secret_at_start[1].issued(HOST)
    assert issued
    assert (issued.resolver, issued.authority) == ("default", "ca.example.org")


# -- kept over `down` ---------------------------------------------------------------------------------------------------


def test_trap_4_the_certificate_outlives_its_namespace(world):
    """Five new ones a week, and Let's Encrypt issues no more for the name."""
    world.kube.outcomes = [world.issue()]
    world.kube.start()
    issued = world.kube.store().issued(HOST)
    down(world.run())
    kept = https_files.saved_store(world.run())
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert any(str(kept) in each for each in world.notes)
    assert "PRIVATE" not in "".join([*world.notes, *world.said])
    world.kube = Traefik(world.hub, world.folder, [lambda: None])
    run = world.run()
    assert isinstance(anyio.run(KeptCertificate().look, run), Missing)
    assert isinstance(up(run, KeptCertificate), Found)
    world.kube.start()
    again = world.kube.secret_at_start[0].issued(HOST)
    assert again
    assert issued
    assert again.certificate == issued.certificate
    assert isinstance(look(world.run()), Found)
    assert isinstance(anyio.run(KeptCertificate().look, world.run()), Found)


@pytest.mark.parametrize("why", ["authority", "host", "expired", "root", "damaged"])
def test_trap_4_a_certificate_from_before_that_is_of_no_use_is_not_given_back(world, ca, why):
    other = Authority()
    if why == "expired":
        other._key, other.ahead = ca._key, -timedelta(days=2)
    secret = {
        "authority": lambda: stored(ca, STAGING),
        "host": lambda: stored(ca, host="lab.example.org"),
        "expired": lambda: stored(other),
        "root": lambda: stored(other),
        "damaged": lambda: {"data": {"acme.json": b64encode(b"{").decode()}},
    }[why]()
    run = world.run()
    kept = https_files.saved_store(run)
    kept.write_bytes(b64decode(secret["data"]["acme.json"]))
    assert isinstance(up(run, KeptCertificate), Found)
    assert world.kube.objects["Secret"] == []
    assert not kept.exists(), "a private key that nobody needs"


def test_a_hub_that_moves_takes_its_certificate_along(world):
    world.kube.outcomes = [world.issue()]
    world.kube.start()
    source: Any = SimpleNamespace(run=world.run(), kube=world.kube, namespace="class")
    target: Any = SimpleNamespace(run=world.run())
    target.run.deployment.name = "new"
    anyio.run(hand_over_certificate, source, target)
    assert Store.of(https_files.saved_store(target.run).read_bytes()).issued(HOST)
    assert not https_files.saved_store(source.run).exists()
    target.run.deployment.hub.host = "other.example.org"
    https_files.saved_store(target.run).unlink()
    anyio.run(hand_over_certificate, source, target)
    assert not https_files.saved_store(target.run).exists()


def test_a_file_that_is_gone_keeps_nobody_from_looking_or_from_deleting_the_hub(world):
    world.kube.outcomes = [world.issue()]
    world.kube.start()
    run = world.run()
    (world.folder / "ca.pem").unlink()
    state = anyio.run(KeptCertificate().look, run)
    assert (type(state), "ca.pem cannot be read" in state.detail) == (Missing, True)
    assert "is from ca, which is not trusted here" in look(run).detail
    down(run)
    assert https_files.saved_store(run).exists()
    with pytest.raises(UserError, match=r"ca\.pem cannot be read"):
        up(run, KeptCertificate)


def test_a_certificate_in_the_cluster_is_not_replaced_by_the_one_from_before(world, ca):
    run = world.run()
    up(run, KeptCertificate)
    https_files.saved_store(run).write_bytes(b64decode(stored(ca)["data"]["acme.json"]))
    world.kube.objects["Secret"] = [there := stored(ca)]
    assert isinstance(up(run, KeptCertificate), Found)
    assert world.kube.objects["Secret"] == [there]


def test_a_certificate_that_is_not_in_its_secret_yet_is_waited_for(world, monkeypatch):
    world.kube.outcomes = [world.issue(into_secret=False)]
    world.kube.start()
    looks = 0

    def later() -> None:
        nonlocal looks
        looks += 1
        if looks == 8:
            world.kube.objects["Secret"] = [stored(world.ca)]

    world.kube.before_list = later
    down(world.run())
    assert https_files.saved_store(world.run()).exists()


def test_down_of_a_hub_that_has_no_certificate_waits_for_none(world):
    world.kube.outcomes = [CLOSED]
    world.kube.start()
    down(world.run())
    down(world.run(), KeptCertificate)
    assert world.said == []
    assert not https_files.saved_store(world.run()).exists()


# -- before anything is created -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["hub", "hub.local", "hub.home.arpa", "hub.internal", "hub.corp", "hub.1"])
def test_a_name_that_nobody_on_the_internet_finds_is_refused(world, host):
    def problems(**https: Any) -> list[ZeroJHubError]:
        run = world.run(**https)
        run.deployment.hub.host = host
        return anyio.run(KeptCertificate().check, run)

    (said,) = map(str, problems(server=LETS_ENCRYPT, ca_file=None))
    assert said.startswith(f"hub.yaml:1: hub.host: nobody on the internet finds {host}, so no public authority issues")
    assert problems() == [], "an authority of one's own decides that itself"


def test_a_public_name_is_not_refused(world):
    assert anyio.run(KeptCertificate().check, world.run(server=LETS_ENCRYPT, ca_file=None)) == []


@pytest.mark.parametrize(
    ("text", "said"), [(None, "cannot be read: No such file or directory"), ("none", "is not a certificate in PEM")]
)
def test_a_ca_file_that_is_none_is_refused(world, text, said):
    if text is None:
        (world.folder / "ca.pem").unlink()
    else:
        (world.folder / "ca.pem").write_text(text)
    assert [str(each) for each in anyio.run(KeptCertificate().check, world.run())] == [
        f"hub.yaml:1: {world.folder}/ca.pem {said}"
    ]


# -- a certificate of the user's own ------------------------------------------------------------------------------------


def own(world: World, ca: Authority, host: str = HOST) -> Run:
    certificate, key = ca.issue(host)
    (world.folder / "hub.crt").write_text(certificate)
    (world.folder / "hub.key").write_text(key)
    (world.folder / "hub.key").chmod(0o600)
    world.kube.objects["Deployment"] = []
    return world.run(contact=None, server=None, certificate="hub.crt", key="hub.key")


def test_a_certificate_of_the_users_own_becomes_a_secret_and_is_shown(world, ca):
    run = own(world, ca)
    assert anyio.run(KeptCertificate().check, run) == []
    assert up(run, KeptCertificate).detail == "your own certificate"
    (secret,) = world.kube.objects["Secret"]
    assert (secret["metadata"]["name"], secret["type"]) == (OWN, "kubernetes.io/tls")
    assert b64decode(secret["data"]["tls.key"]).decode() == (world.folder / "hub.key").read_text()
    (world.folder / "both").write_text((world.folder / "hub.crt").read_text() + (world.folder / "hub.key").read_text())
    world.hub.pair = world.folder / "both"
    assert isinstance(look(run), Found)
    state = look(own(world, ca))
    assert (type(state), state.detail) == (Wrong, f"{HOST} shows another certificate than yours, from ca")
    down(run, KeptCertificate)
    assert world.kube.objects["Secret"] == []


def test_what_is_wrong_with_a_certificate_of_the_users_own_is_known_before_anything_is_created(world, ca):
    def said(change: Callable[[], None], authority: Authority = ca, host: str = HOST) -> list[str]:
        run = own(world, authority, host)
        change()
        problems = anyio.run(KeptCertificate().check, run)
        return [str(each).removeprefix(f"{world.folder}/") for each in problems]

    def nothing() -> None:
        pass

    key, crt = world.folder / "hub.key", world.folder / "hub.crt"
    assert said(nothing, host="lab.example.org") == [f"hub.crt: is not for {HOST}, but for lab.example.org"]
    assert said(nothing, host="*.example.org") == []
    assert said(lambda: key.write_text(ca.issue(HOST)[1]) and None) == ["hub.key: is not the key of hub.crt"]
    assert said(lambda: key.chmod(0o644)) == ["hub.key: others may read it (chmod 600 hub.key)"]
    assert said(lambda: key.write_text("none") and None) == ["hub.key: is not a private key in PEM"]
    assert said(lambda: crt.write_text("none") and None) == ["hub.crt: is not a certificate in PEM"]
    assert said(crt.unlink) == ["hub.crt: cannot be read: No such file or directory"]
    (lacking,) = said(nothing, Authority())
    assert lacking.startswith("hub.crt: lacks the certificate of ca, its issuer: append it")
    old = Authority()
    old._key, old.ahead = ca._key, -timedelta(days=3)
    (expired,) = said(nothing, old)
    assert expired.startswith("hub.crt: it expired on ")
    early = Authority()
    early._key, early.ahead = ca._key, timedelta(days=3)
    (young,) = said(nothing, early)
    assert "hub.crt: it is not valid before" in young


def test_several_problems_of_a_certificate_are_told_at_once(world, ca):
    run = own(world, Authority(), "lab.example.org")
    (world.folder / "hub.key").write_text(ca.issue(HOST)[1])
    with pytest.raises(Problems) as caught:
        anyio.run(https_files.https_of, run)
    assert len(caught.value.lines) == 3


def test_the_deployments_private_authority_is_trusted_in_connections_to_the_hub_and_in_no_others(world):
    assert tls.hubs() is tls.trusted()
    world.run()
    assert tls.hubs() is tls.trusting(world.ca.pem)
    assert tls.trusted() is not tls.hubs()


def test_both_hubs_of_a_move_may_have_a_private_authority(world):
    other = Authority()
    world.run()
    tls.trust_for_hubs(other.pem)
    trusted = tls.hubs().get_ca_certs(binary_form=True)
    assert ssl.PEM_cert_to_DER_cert(world.ca.pem) in trusted
    assert ssl.PEM_cert_to_DER_cert(other.pem) in trusted


def test_a_cloud_is_not_asked_for_what_it_has_no_part_in(world, fake_cloud: FakeCloud):
    world.kube.outcomes = [world.issue()]
    world.kube.start()
    up(world.run(), KeptCertificate)
    assert isinstance(up(world.run()), Found)
    assert [each for each in fake_cloud.requests if not each.path.startswith("/dns")] == []
