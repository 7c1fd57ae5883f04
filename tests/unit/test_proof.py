"""The test of a hub: its steps in order, what it leaves behind, and how it fails."""

from __future__ import annotations

import anyio
import pytest

from tests.unit.fakehub import FakeHub
from zerojhub.errors import ZeroJHubError
from zerojhub.hub import proof
from zerojhub.hub.client import HubClient
from zerojhub.hub.proof import USER, Proof
from zerojhub.kube.labels import USERNAME

LOG_IN, CELL = 0.05, 0.1
"""Seconds that the stand-ins take."""


class FakeKube:
    """A namespace with a hub's Deployment, and the volume claims of USER and ada."""

    def __init__(self) -> None:
        self.annotations: dict[str, str | None] = {}
        self.claims = [USER, "ada"]

    async def list(self, kind, namespace=None, *, labels="", fields=""):
        if kind == "apps/v1/Deployment" and "component=hub" in labels:
            return [{"metadata": {"name": "hub", "annotations": self.annotations}}] if "workshop" in labels else []
        if kind == "v1/PersistentVolumeClaim":
            return [
                {"metadata": {"name": f"claim-{name}", "annotations": {USERNAME: name}}, "status": {"phase": "Bound"}}
                for name in self.claims
            ]
        return []

    async def delete(self, kind, name, namespace):
        self.claims.remove(name.removeprefix("claim-"))

    async def annotate(self, kind, name, namespace, **annotations):
        keys = {f"zerojhub.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
        kept = self.annotations | keys
        self.annotations = {key: value for key, value in kept.items() if value is not None}


@pytest.fixture
def kube() -> FakeKube:
    return FakeKube()


class LabHub(FakeHub):
    """A hub with a login form, whose servers' kernels print `cell`."""

    def __init__(self) -> None:
        super().__init__()
        self.logins: list[tuple[str, str, str]] = []
        self.cell = "42\n"


@pytest.fixture
def hub(monkeypatch) -> LabHub:
    hub = LabHub.install(monkeypatch)

    async def log_in(url, username, password):
        await anyio.sleep(LOG_IN)
        hub.logins.append((url, username, password))

    async def run_cell(server, code):
        assert (server.url, server.headers) == (f"http://hub/user/{USER}", {"Authorization": f"token token of {USER}"})
        await anyio.sleep(CELL)
        return hub.cell

    monkeypatch.setattr(proof, "log_in", log_in)
    monkeypatch.setattr(proof, "run_cell", run_cell)
    return hub


def prove(kube, password: str | None = "secret") -> tuple[Proof, list[str]]:
    """Run the test, and return its result and progress reports."""
    said: list[str] = []

    async def run() -> Proof:
        async with HubClient("http://hub", "t0ken") as client:
            return await proof.prove(client, kube, "workshop", password=password, say=said.append)

    return anyio.run(run), said


def test_every_step_is_taken_and_timed(hub, kube):
    hub.events = [{"message": "pulling the image"}, {"ready": True}]
    found, said = prove(kube)
    assert said == [
        "logging in",
        "requesting a server",
        "server: pulling the image",
        "running a cell",
        "stopping the server",
    ]
    assert hub.logins == [("http://hub", USER, "secret")]
    assert list(found.seconds()) == ["log in", "server", "cell", "stop"]
    assert found.log_in_seconds and found.log_in_seconds >= LOG_IN
    assert found.cell_seconds >= CELL


def test_any_password_will_do_where_none_is_set(hub, kube):
    prove(kube, password="")
    assert hub.logins[0][2]


def test_logging_in_is_skipped_without_a_known_password(hub, kube):
    found, said = prove(kube, password=None)
    assert hub.logins == [] and "logging in" not in said
    assert found.log_in_seconds is None
    assert list(found.seconds()) == ["server", "cell", "stop"]


def test_the_user_is_deleted_with_their_volume_and_no_other(hub, kube):
    hub.users["ada"] = {"name": "ada", "servers": {}}
    prove(kube)
    assert (list(hub.users), kube.claims) == (["ada"], ["ada"])


def test_a_user_whom_an_interrupted_proof_left_is_replaced(hub, kube):
    hub.users[USER] = {"name": USER, "servers": {"": {"url": f"/user/{USER}/"}}}
    prove(kube)
    methods = [request.method for request in hub.requests if request.url.path.endswith(USER)]
    assert methods.index("DELETE") < methods.index("POST")


def test_a_cell_that_computes_something_else(hub, kube):
    hub.cell = "41\n"
    with pytest.raises(ZeroJHubError, match=r"printed '41\\n', not 42"):
        prove(kube)
    assert (list(hub.users), kube.claims) == ([], ["ada"])


def test_a_server_that_does_not_start_is_explained_by_its_pod(hub, kube, monkeypatch):
    looks = []

    async def why_not_ready(kube, namespace, labels):
        assert USER in labels
        looks.append(1)
        return ["pod jupyter-zerojhub-check cannot be scheduled"]

    monkeypatch.setattr(proof, "why_not_ready", why_not_ready)
    monkeypatch.setattr(proof, "WATCH_INTERVAL", 0.01)
    monkeypatch.setattr(proof, "Patience", lambda: type("Never", (), {"is_over": lambda self, seen: False})())
    hub.events = [{"message": "no room", "failed": True}]

    real = HubClient.progress

    async def slow(self, name, *, timeout):
        while not looks:
            await anyio.sleep(0.01)
        async for message in real(self, name, timeout=timeout):
            yield message

    monkeypatch.setattr(HubClient, "progress", slow)
    with pytest.raises(ZeroJHubError) as caught:
        prove(kube)
    assert [caught.value.message, *caught.value.details] == [
        f"the server of {USER} failed to start: no room",
        "  pod jupyter-zerojhub-check cannot be scheduled",
    ]
    assert "zerojhub hub logs" in str(caught.value)
    assert (list(hub.users), kube.claims) == ([], ["ada"])


def test_a_server_that_never_starts_is_given_up(hub, kube, monkeypatch):
    async def why_not_ready(kube, namespace, labels):
        return ["pod jupyter-zerojhub-check cannot pull its image"]

    async def forever(self, name, *, timeout):
        await anyio.sleep(60)
        yield ""

    monkeypatch.setattr(proof, "why_not_ready", why_not_ready)
    monkeypatch.setattr(proof, "WATCH_INTERVAL", 0.01)
    monkeypatch.setattr(proof, "Patience", lambda: type("Over", (), {"is_over": lambda self, seen: True})())
    monkeypatch.setattr(HubClient, "progress", forever)
    with pytest.raises(ZeroJHubError, match=f"the server of user {USER} did not start\n  pod .* cannot pull its image"):
        prove(kube)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("Server requested", "Server requested"),
        ('2026-01-31T10:00:00Z [Normal] Pulling image "lab:1"', 'Pulling image "lab:1"'),
        ("2026-01-31T09:59:58.123456Z [Warning] back-off", None),
        ("2026-01-31T10:00:01.5Z [Warning] two\nlines", "two\nlines"),
    ],
)
def test_events_of_an_earlier_pod_are_no_news(message, text):
    assert proof.news(message, "2026-01-31T09:59:59.500Z") == text


PROOF = Proof(0.123, 4.36, 0.75, 2.2)


def test_a_proof_in_words():
    assert str(PROOF) == "log in 0.1 s, server 4.4 s, cell 0.8 s, stop 2.2 s"
    assert str(Proof(None, 4.36, 0.75, 2.2)) == "server 4.4 s, cell 0.8 s, stop 2.2 s"


def recorded(kube, revision: int, release: str = "workshop") -> Proof | None:
    return anyio.run(proof.recorded, kube, "workshop", release, revision)


@pytest.mark.parametrize("kept", [PROOF, Proof(None, 1.0, 2.0, 3.0)])
def test_a_proof_is_kept_with_the_revision_it_was_about(kube, kept):
    assert recorded(kube, 7) is None
    anyio.run(proof.record, kube, "workshop", "workshop", 7, kept)
    assert recorded(kube, 7) == kept
    assert recorded(kube, 8) is None
    anyio.run(proof.forget, kube, "workshop", "workshop")
    assert recorded(kube, 7) is None


def test_what_cannot_be_read_counts_as_unproven(kube):
    kube.annotations = {"zerojhub.io/checked-revision": "7", "zerojhub.io/checked": "server 4.4 s"}
    assert recorded(kube, 7) is None


def test_a_release_without_a_hub(kube):
    with pytest.raises(ZeroJHubError, match="release other has no hub"):
        recorded(kube, 7, release="other")


REFUSED = """Spawn failed: (422)
Reason: Unprocessable Entity
HTTP response headers: <CIMultiDictProxy('Content-Type': 'application/json', 'Content-Length': '612')>
HTTP response body: {"kind":"Status","status":"Failure","message":"Pod \\"jupyter-ada\\" is invalid: \
spec.volumes[0].secret.items[0].mode: Invalid value: 644: must be a number between 0 and 0777 (octal)",\
"reason":"Invalid","details":{"name":"jupyter-ada"},"code":422}

"""


def test_what_the_kubernetes_api_refuses_is_one_line():
    assert proof.refusal(REFUSED) == (
        'Spawn failed: Pod "jupyter-ada" is invalid: '
        "spec.volumes[0].secret.items[0].mode: Invalid value: 644: must be a number between 0 and 0777 (octal)"
    )
    html = REFUSED.partition("HTTP response body")[0]
    assert proof.refusal(f"{html}HTTP response body: <html>\n") == "Spawn failed: Unprocessable Entity"
    assert proof.refusal(html) == "Spawn failed: Unprocessable Entity"
    assert proof.refusal("timed\nout") == "timed out"


def test_a_server_that_the_api_refuses_fails_in_one_line(hub, kube):
    hub.events = [{"failed": True, "message": REFUSED}]
    with pytest.raises(ZeroJHubError) as failure:
        prove(kube)
    assert "must be a number between 0 and 0777" in str(failure.value)
    assert "\n" not in str(failure.value)
    assert "CIMultiDictProxy" not in str(failure.value)
