"""The Kubernetes client against a small API server on loopback: its paths, its errors, TLS through a tunnel, kubeconfigs."""

from __future__ import annotations

import base64
import http.server
import json
import ssl
import threading
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.unit.authority import Authority
from tests.unit.faulty import Status, proxy
from zerojhub.kube import client
from zerojhub.kube.client import Kube, KubeError, KubeUnavailable
from zerojhub.kube.kinds import JOB, NODE, POD, STORAGE_CLASS, Kind
from zerojhub.kube.quantity import number
from zerojhub.tasks import gather

Answer = tuple[int, Any] | Callable[[bytes], tuple[int, Any]]


class Server:
    """Responds to each request from `answers` (method and path -> responses; the last one repeats), and records it."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.accepts = ""
        """The only Authorization header that it accepts, if not every one."""
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # or each body waits 40 ms for its headers' acknowledgement

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                outer.requests.append((f"{self.command} {self.path}", dict(self.headers.items()), body))
                if outer.accepts and self.headers["authorization"] != outer.accepts:
                    return self.respond(401, {"message": "Unauthorized"})
                known = outer.answers.get(f"{self.command} {self.path.partition('?')[0]}", [(404, "page not found")])
                answer = known.pop(0) if len(known) > 1 else known[0]
                self.respond(*(answer(body) if callable(answer) else answer))

            def respond(self, status: int, said: Any) -> None:
                data = said.encode() if isinstance(said, str) else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_DELETE = answer

            def log_message(self, *_: object) -> None:
                pass

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls:
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True)
        self.port = self._http.server_port
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def asked(self) -> list[str]:
        return [line for line, _, _ in self.requests]


@pytest.fixture
def server():
    server = Server()
    yield server
    server.stop()


def config(url: str, cluster: dict | None = None, user: dict | None = None) -> dict:
    """A kubeconfig. Without an authority of the cluster's own, all of the system's would be loaded each time."""
    return {
        "current-context": "c",
        "contexts": [{"name": "other", "context": {}}, {"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": url, **(cluster or {"certificate-authority-data": UNUSED})}}],
        "users": [{"name": "u", "user": user or {}}],
    }


def ask(kubeconfig: Any, work: Callable[[Kube], Awaitable[Any]], port: int | None = None) -> Any:
    async def main() -> Any:
        kube = client.connect(kubeconfig, port)
        try:
            return await work(kube)
        finally:
            await kube.close()

    return anyio.run(main)


@pytest.fixture
def kube(server):
    return lambda work: ask(config(f"http://127.0.0.1:{server.port}", user={"token": "t0ken"}), work)


MADE = {"uid": "u1", "creationTimestamp": "2026-01-01T00:00:00Z"}
OBJECT = {"metadata": {"name": "n", **MADE}}
THE_NODE = OBJECT | {
    "spec": {},
    "status": {"nodeInfo": dict.fromkeys(("machineID", "systemUUID", "kubeletVersion", "containerRuntimeVersion"), "")},
}
THE_POD = OBJECT | {"spec": {"containers": [{"name": "c", "image": "i"}]}, "status": {"phase": "Running"}}
PI = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "pi", "namespace": "default", **MADE},
    "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}},
    "status": {},
}
CLASS = OBJECT | {"provisioner": "p"}


def test_requests_go_where_the_api_has_the_kind(server, kube):
    server.answers = {
        "GET /api/v1/nodes": [(200, {"items": [THE_NODE]})],
        "GET /api/v1/namespaces/hub/pods": [(200, {"items": None})],  # as Go writes no items
        "GET /apis/storage.k8s.io/v1/storageclasses/cinder": [(200, CLASS)],
        "GET /apis/networking.k8s.io/v1/namespaces/hub/networkpolicies/x": [(200, OBJECT)],
        "GET /version": [(200, {"gitVersion": "v1.34.4"})],
    }
    assert kube(lambda kube: kube.list(NODE)) == [THE_NODE]
    assert kube(lambda kube: kube.list(POD, "hub", labels="a=b,c!=d", fields="spec.nodeName=n")) == []
    assert kube(lambda kube: kube.get(STORAGE_CLASS, "cinder")) == CLASS
    assert kube(lambda kube: kube.get(Kind("networking.k8s.io/v1/NetworkPolicy"), "x", "hub")) == OBJECT
    assert kube(lambda kube: kube.version()) == "v1.34.4"
    assert "labelSelector=a%3Db%2Cc%21%3Dd&fieldSelector=spec.nodeName%3Dn" in server.asked()[1]
    assert {headers["authorization"] for _, headers, _ in server.requests} == {"Bearer t0ken"}


def test_what_changes_an_object_says_how(server, kube):
    job = PI
    path = "/apis/batch/v1/namespaces/default/jobs"
    server.answers = {f"POST {path}": [(201, job)], f"PATCH {path}/pi": [(200, job)]}
    assert kube(lambda kube: kube.create(JOB, job)) == job
    kube(lambda kube: kube.apply(job))
    assert kube(lambda kube: kube.merge(JOB, "pi", "default", {"spec": {"suspend": None}})) == job
    kube(lambda kube: kube.annotate(JOB, "pi", "default", checked_revision="3"))
    created, applied, merged, annotated = server.requests
    assert "fieldValidation=Strict" in created[0]
    assert applied[1]["content-type"] == "application/apply-patch+yaml"
    assert "fieldManager=zerojhub&force=true" in applied[0]
    assert merged[1]["content-type"] == "application/merge-patch+json"
    assert json.loads(merged[2]) == {"spec": {"suspend": None}}
    assert json.loads(annotated[2]) == {"metadata": {"annotations": {"zerojhub.io/checked-revision": "3"}}}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "no items in it"),
        ([], "a list"),
        ({"items": [{}]}, "no items.0.metadata in it"),
        ({"items": [THE_NODE | {"status": None}]}, "items.0.status: input should be a valid dictionary, not null"),
        ({"items": [THE_NODE | {"metadata": {"name": "n", "uid": "u", "creationTimestamp": "today"}}]},
         "items.0.metadata.creationTimestamp: text that cannot be read"),
        ({"items": [THE_NODE | {"spec": {"taints": "all"}}]}, "items.0.spec.taints: input should be a valid list, not text"),
    ],
)  # fmt: skip
def test_an_answer_of_another_type_is_one_line_with_its_path(server, kube, body, said):
    server.answers = {"GET /api/v1/nodes": [(200, body)]}
    with pytest.raises(KubeError) as refused:
        kube(lambda kube: kube.list(NODE))
    answered = "the Kubernetes API answered something unexpected"
    assert str(refused.value) == f"Kubernetes GET /api/v1/nodes: {answered}: {said}"


def test_what_does_not_exist_is_none_and_other_refusals_are_errors(server, kube):
    assert kube(lambda kube: kube.get(NODE, "n")) is None
    server.answers = {"GET /api/v1/nodes/n": [(403, {"message": "nodes is forbidden"})]}
    with pytest.raises(KubeError, match=r"^Kubernetes GET /api/v1/nodes/n: nodes is forbidden$") as refused:
        kube(lambda kube: kube.get(NODE, "n"))
    assert refused.value.status == 403
    with pytest.raises(KubeError) as missing:
        kube(lambda kube: kube.list(NODE))
    assert (missing.value.status, missing.value.message) == (404, "404 page not found")


def test_the_causes_of_a_rejected_object_are_kept(server, kube):
    causes = [{"field": "spec.x", "message": "Invalid value", "reason": "FieldValueInvalid"}]
    said = {"message": "is invalid", "details": {"causes": causes}}
    server.answers = {"POST /api/v1/namespaces/hub/pods": [(422, said)]}
    with pytest.raises(KubeError) as refused:
        kube(lambda kube: kube.create(POD, {"metadata": {"namespace": "hub"}}))
    assert refused.value.causes == causes


POD_PATH = "/api/v1/namespaces/hub/pods/p"


def delete(wait: float = 0) -> Callable[[Kube], Awaitable[None]]:
    return lambda kube: kube.delete(POD, "p", "hub", wait=wait)


def test_deleting_what_does_not_exist_is_no_error(server, kube):
    kube(delete(wait=5))
    assert server.asked() == [f"DELETE {POD_PATH}"]
    assert json.loads(server.requests[0][2]) == {"propagationPolicy": "Background"}


def test_a_pod_of_a_dead_node_is_deleted_without_its_kubelet(server, kube):
    server.answers = {f"DELETE {POD_PATH}": [(200, {}), (404, ""), (403, {"message": "no"})]}
    for _ in range(2):
        kube(lambda kube: kube.force_delete("p", "hub"))
    assert json.loads(server.requests[0][2])["gracePeriodSeconds"] == 0
    with pytest.raises(KubeError, match="no"):
        kube(lambda kube: kube.force_delete("p", "hub"))


@pytest.mark.parametrize("status", [403, 409, 422, 429, 500, 503])
def test_deleting_fails_for_every_other_refusal(server, kube, status):
    server.answers = {f"DELETE {POD_PATH}": [(status, {"message": "no"})]}
    with pytest.raises(KubeError) as refused:
        kube(delete())
    assert refused.value.status == status


@pytest.mark.usefixtures("short_pauses")
def test_deleting_waits_until_it_is_gone_if_asked_to(server, kube):
    server.answers = {f"DELETE {POD_PATH}": [(200, {})], f"GET {POD_PATH}": [(200, THE_POD), (404, "")]}
    kube(delete())
    assert server.asked() == [f"DELETE {POD_PATH}"]
    kube(delete(wait=5))
    assert server.asked()[1:] == [f"DELETE {POD_PATH}", f"GET {POD_PATH}", f"GET {POD_PATH}"]


@pytest.mark.usefixtures("short_pauses")
def test_deleting_fails_when_it_is_not_gone_in_time_or_cannot_be_looked_at(server, kube):
    server.answers = {f"DELETE {POD_PATH}": [(200, {})], f"GET {POD_PATH}": [(200, THE_POD)]}
    with pytest.raises(KubeError, match=r"v1/Pod p still exists 0\.1 s after it was deleted"):
        kube(delete(wait=0.1))
    server.answers[f"GET {POD_PATH}"] = [(500, {"message": "etcd"})]
    with pytest.raises(KubeError, match="etcd"):
        kube(delete(wait=5))


def test_the_log_of_a_pod_whole_or_its_end(server, kube):
    server.answers = {f"GET {POD_PATH}/log": [(200, "a\nb\n")]}
    assert kube(lambda kube: kube.logs("hub", "p")) == "a\nb\n"
    kube(lambda kube: kube.logs("hub", "p", "c", lines=None, previous=True))
    assert server.asked() == [f"GET {POD_PATH}/log?tailLines=100", f"GET {POD_PATH}/log?container=c&previous=true"]

    async def follow(kube: Kube) -> list[str]:
        return [line async for line in kube.follow("hub", "p", "c")]

    assert kube(follow) == ["a", "b"]
    server.answers = {f"GET {POD_PATH}/log": [(400, {"message": "container c is waiting to start"})]}
    with pytest.raises(KubeError, match="waiting to start"):
        kube(follow)


def test_an_api_that_does_not_respond(server, kube):
    server.stop()
    with pytest.raises(KubeError, match="the Kubernetes API does not respond") as silent:
        kube(lambda kube: kube.version())
    assert silent.value.status is None


# -- faults -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def behind(server):
    """A client behind a proxy that spoils requests, and the proxy."""
    with proxy(server.port) as made:
        yield (lambda work: ask(config(made.url), work)), made


JOBS = "/apis/batch/v1/namespaces/default/jobs"
FAULTS = [
    Status(500),
    Status(503, {"Retry-After": "1"}),
    Status(429),
    "reset before",
    "reset after",
    "cut body",
    "cut json",
]


def test_what_can_be_repeated_survives_each_fault(server, behind):
    kube, made = behind
    server.answers = {
        "GET /api/v1/nodes": [(200, {"items": [THE_NODE]})],
        f"PATCH {JOBS}/pi": [(200, PI)],
        f"DELETE {JOBS}/pi": [(200, PI)],
        "GET /api/v1/namespaces/hub/pods/p/log": [(200, "a\n")],
    }
    for fault in FAULTS:
        made.faults = {method: [fault] for method in ("GET", "PATCH", "DELETE")}
        assert kube(lambda kube: kube.list(NODE)) == [THE_NODE], fault
        kube(lambda kube: kube.apply(PI))
        kube(lambda kube: kube.delete(JOB, "pi", "default"))
    made.faults = {"GET": ["cut body"]}
    assert kube(lambda kube: kube.logs("hub", "p")) == "a\n"


def test_five_failures_in_a_row_are_one_line(server, behind):
    kube, made = behind
    made.faults = {"GET": [Status(503)] * 9}
    with pytest.raises(KubeUnavailable) as failed:
        kube(lambda kube: kube.list(NODE))
    assert str(failed.value) == "Kubernetes GET /api/v1/nodes: 503 Service Unavailable, after 5 attempts"


def test_an_object_whose_creation_got_lost_is_created_once(server, behind):
    kube, made = behind
    made.faults = {"POST": ["reset after"]}
    kept: list[dict] = []

    def look(body: bytes) -> tuple[int, Any]:
        """What is there: somebody else's job, and what the last POST created."""
        kept[:] = [json.loads(data) for line, _, data in server.requests if line.startswith("POST")]
        return 200, {"items": [PI | {"metadata": {"name": "other", **MADE}}, *kept]}

    server.answers = {f"POST {JOBS}": [(201, PI)], f"GET {JOBS}": [look]}
    created = kube(lambda kube: kube.create(JOB, PI))
    assert (created["metadata"]["name"], len(kept)) == ("pi", 1)

    made.faults = {"POST": ["reset before"]}
    server.answers[f"GET {JOBS}"] = [(200, {"items": [PI]})]  # of that name, but not ours
    server.answers[f"POST {JOBS}"] = [(409, {"message": "already exists"})]
    with pytest.raises(KubeError, match="already exists"):
        kube(lambda kube: kube.create(JOB, PI))


def test_new_credentials_replace_those_that_are_rejected_once_for_all_requests(server):
    server.answers = {"GET /api/v1/nodes": [(200, {"items": []})]}
    server.accepts = "Bearer new"
    url, made = f"http://127.0.0.1:{server.port}", []

    async def main() -> None:
        kube = client.connect(config(url, user={"token": "old"}))

        async def renew() -> Kube:
            made.append(1)
            return client.connect(config(url, user={"token": "new"}))

        with pytest.raises(KubeError, match="Unauthorized"):
            await kube.list(NODE)
        kube.renew = renew
        assert await gather(*(kube.list(NODE) for _ in range(4))) == ([],) * 4
        await kube.close()

    anyio.run(main)
    assert made == [1]


def test_a_log_is_followed_from_where_it_broke_off(server, behind):
    kube, made = behind
    stamps = ["2026-01-31T10:00:00.100000000Z", "2026-01-31T10:00:00.200000000Z", "2026-01-31T10:00:00.200000000Z"]
    lines = [
        f"{stamp} {text}\n" for stamp, text in zip([*stamps, "2026-01-31T10:00:01.000000000Z"], "abcd", strict=True)
    ]
    # sinceTime counts in seconds: what was read already comes again.
    server.answers = {f"GET {POD_PATH}/log": [(200, "".join(lines))]}
    made.faults = {"GET": ["cut body", Status(500)]}

    async def follow(kube: Kube) -> list[str]:
        return [line async for line in kube.follow("hub", "p", "c")]

    assert kube(follow) == ["a", "b", "c", "d"]
    assert "sinceTime=2026-01-31T10" in server.asked()[-1]


# -- TLS ----------------------------------------------------------------------------------------------------------------


@contextmanager
def tls_server(authority: Authority, name: str, folder: Path):
    """An API server whose certificate is for `name`, and which demands a client certificate."""
    path = folder / "server.pem"
    path.write_text("".join(authority.issue(name)))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(path)
    tls.load_verify_locations(cadata=authority.pem)
    tls.verify_mode = ssl.CERT_REQUIRED
    server = Server(tls)
    server.answers = {"GET /version": [(200, {"gitVersion": "v1.34.4"})]}
    try:
        yield server
    finally:
        server.stop()


def data(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode()


UNUSED = data(Authority().pem)
"""An authority for connections without TLS."""


def secure(authority: Authority, url: str, issuer: Authority | None = None, **cluster: str) -> dict:
    certificate, key = (issuer or authority).issue("admin")
    user = {"client-certificate-data": data(certificate), "client-key-data": data(key)}
    return config(url, {"certificate-authority-data": data(authority.pem), **cluster}, user)


async def version(kube: Kube) -> str:
    return await kube.version()


@pytest.mark.parametrize("name", ["10.0.0.5", "api.cluster.example"])
def test_through_a_tunnel_the_certificate_is_verified_for_the_host_of_the_kubeconfig(tmp_path, name):
    authority = Authority()
    with tls_server(authority, name, tmp_path) as server:
        assert ask(secure(authority, f"https://{name}:6443"), version, server.port) == "v1.34.4"
        named = secure(authority, "https://10.9.9.9:6443", **{"tls-server-name": name})
        assert ask(named, version, server.port) == "v1.34.4"
        with pytest.raises(KubeError, match="certificate"):
            ask(secure(authority, "https://other.example:6443"), version, server.port)


def test_another_authority_is_trusted_on_neither_side(tmp_path):
    authority, other = Authority(), Authority()
    with tls_server(authority, "127.0.0.1", tmp_path) as server:
        url = f"https://127.0.0.1:{server.port}"
        assert ask(secure(authority, url), version) == "v1.34.4"
        with pytest.raises(KubeError, match=r"does not respond: .*SSL"):
            ask(secure(other, url, issuer=authority), version)
        with pytest.raises(KubeError, match="does not respond"):
            ask(secure(authority, url, issuer=other), version)


def test_certificates_and_tokens_may_be_in_files(tmp_path):
    authority = Authority()
    certificate, key = authority.issue("admin")
    files = {"ca": authority.pem, "cert": certificate, "key": key, "token": "t\n"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    user = {"client-certificate": "cert", "client-key": "key", "tokenFile": "token"}
    user = {setting: str(tmp_path / name) for setting, name in user.items()}
    with tls_server(authority, "127.0.0.1", tmp_path) as server:
        url = f"https://127.0.0.1:{server.port}"
        assert ask(config(url, {"certificate-authority": str(tmp_path / "ca")}, user), version) == "v1.34.4"
        assert server.requests[0][1]["authorization"] == "Bearer t"


# -- kubeconfigs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kubeconfig", "said"),
    [
        (b"a: [", "invalid kubeconfig: while parsing"),
        (b"- a", "it is not a mapping"),
        (b"", "it is not a mapping"),
        ({"clusters": []}, "it has no 'current-context'"),
        (config("http://x") | {"clusters": []}, "it has no cluster 'k'"),
        (config("http://x") | {"users": None}, "it is malformed"),
        (config("http://x", user={"exec": {"command": "aws"}}), "exec is not supported"),
        (config("https://x", {"certificate-authority": "/nowhere/ca.pem"}), "No such file.*/nowhere/ca.pem"),
        (config("https://x", {"certificate-authority-data": data("no PEM")}), "invalid kubeconfig: "),
        (config("https://x", user={"client-certificate-data": data("c"), "client-key-data": data("k")}), "PEM"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used(kubeconfig, said):
    with pytest.raises(KubeError, match=said):
        client.connect(kubeconfig)


def test_a_kubeconfig_as_yaml(server):
    server.answers = {"GET /version": [(200, {"gitVersion": "v1.20.2"})]}
    cluster = {"insecure-skip-tls-verify": True}
    text = json.dumps(config(f"http://127.0.0.1:{server.port}", cluster)).encode()  # JSON is YAML
    assert ask(text, version) == "v1.20.2"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500m", "0.5"),
        ("2", "2"),
        ("1.5", "1.5"),
        ("1Gi", str(2**30)),
        ("100k", "100000"),
        ("1e3", "1000"),
        ("1E", "1e18"),
    ],
)
def test_quantities(text, value):
    assert number(text) == pytest.approx(float(value))


@pytest.mark.parametrize("text", ["", "Gi", "1 Gi", "1gi", "one", "1.2.3", "1K", "1e3k", "1e3Ki"])
def test_what_is_no_quantity(text):
    with pytest.raises(ValueError, match="is not a quantity"):
        number(text)
