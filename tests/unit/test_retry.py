"""Transient faults over real sockets: what is sent again and what is not, after which pauses, and what is said about it."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import anyio
import pytest

from tests.unit.fakecloud import Answer, FakeCloud, clouds_yaml
from tests.unit.faulty import Proxy, Spoil, Status, proxy
from zerojhub import retry
from zerojhub.cli import app
from zerojhub.errors import CloudError, Unavailable, ZeroJHubError
from zerojhub.openstack import session
from zerojhub.openstack.session import Cloud
from zerojhub.report import Progress
from zerojhub.retry import Fault, OutcomeUnknown, Transient
from zerojhub.tasks import gather

PORTS = "/network/v2.0/ports"
TIMEOUT = 1.0
"""Seconds for an answer, of which some never come."""


@pytest.fixture
def network(fake_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Cloud, Proxy]]:
    """A cloud whose Neutron is behind a proxy that spoils requests."""
    monkeypatch.setattr(session, "READ_TIMEOUT", TIMEOUT)
    monkeypatch.setattr(session, "WRITE_TIMEOUT", TIMEOUT)
    with proxy(int(fake_cloud.url.rpartition(":")[2])) as made:
        cloud = Cloud("fake")
        cloud.network.endpoint = f"{made.url}/network/v2.0"
        fake_cloud.answer(f"GET {PORTS}", Answer(200, {"ports": []}))
        for method in ("POST", "PUT", "DELETE"):
            fake_cloud.answer(f"{method} {PORTS}", Answer(200, {"port": {"id": "p1"}}))
        yield cloud, made


def run(work: Callable[[], Any]) -> tuple[Any, list[str]]:
    """The result and what was said."""
    said: list[str] = []
    with retry.reported(said.append):
        return anyio.run(work), said


FAULTS: list[tuple[Spoil | Status, str]] = [
    (Status(500), "500"),
    (Status(502), "502"),
    (Status(503), "503"),
    (Status(504), "504"),
    (Status(408), "408"),
    (Status(429), "429"),
    ("reset before", "connection reset"),
    ("reset after", "connection reset"),
    ("cut body", "incomplete answer"),
    ("cut json", "incomplete answer"),
    ("hang", "no response in time"),
]
"""What is done to a request, and the service's answer as people read it."""


def test_a_read_survives_each_fault(network):
    cloud, made = network
    for fault, answer in FAULTS:
        made.faults["GET"] = [fault]
        found, said = run(lambda: cloud.network.get("/ports", object))
        assert found == {"ports": []}, fault
        assert said == [f"network: {answer}, retrying in 1 s", "network responds again"]


def test_a_write_that_may_have_been_done_is_not_repeated(network):
    cloud, made = network
    for fault, answer in FAULTS:
        made.faults["POST"], made.seen[:] = [fault], []
        with pytest.raises(OutcomeUnknown, match=answer) as lost:
            run(lambda: cloud.network.post("/ports", {}, object))
        assert (made.seen, lost.value.exit_code) == ([f"POST {PORTS}"], 1), fault


def test_a_write_that_can_be_repeated_is(network):
    cloud, made = network
    for fault, _ in FAULTS:
        made.faults, made.seen[:] = {"PUT": [fault], "DELETE": [fault]}, []
        run(lambda: cloud.network.put("/ports", {}))
        run(lambda: cloud.network.delete("/ports"))
        assert made.seen == [f"PUT {PORTS}"] * 2 + [f"DELETE {PORTS}"] * 2, fault


def test_any_other_answer_is_final(network):
    cloud, made = network
    for status in (400, 403, 404, 409, 501):
        made.faults["GET"], made.seen[:] = [Status(status)], []
        with pytest.raises(CloudError):
            run(lambda: cloud.network.get("/ports", object))
        assert len(made.seen) == 1


def test_five_failures_in_a_row_are_one_line(network, pauses):
    cloud, made = network
    made.faults["GET"] = [Status(503, {"x-openstack-request-id": f"req-{number}"}) for number in range(9)]
    with pytest.raises(Unavailable) as failed:
        run(lambda: cloud.network.get("/ports", object))
    assert str(failed.value) == "network req-4: 503 Service Unavailable, after 5 attempts"
    assert (failed.value.exit_code, len(made.seen)) == (1, 5)
    assert [round(pause / usual, 1) for pause, usual in zip(pauses, (1, 3, 9, 27), strict=True)] == pytest.approx(
        [1] * 4, abs=0.21
    )


def test_pauses_vary_so_that_clients_do_not_return_all_at_once(network, pauses):
    cloud, made = network
    for _ in range(5):
        made.faults["GET"] = [Status(503)]
        run(lambda: cloud.network.get("/ports", object))
    assert len(set(pauses)) == 5


@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
def test_retry_after_is_honoured(network, pauses, as_date):
    cloud, made = network
    after = format_datetime(datetime.now(UTC) + timedelta(seconds=7), usegmt=True) if as_date else "7"
    made.faults["GET"] = [Status(503, {"Retry-After": after})]
    run(lambda: cloud.network.get("/ports", object))
    assert pauses == pytest.approx([7], abs=1.1)


def test_the_minute_limits_retry_after_and_the_number_of_attempts(network, pauses):
    cloud, made = network
    made.faults["GET"] = [Status(503, {"Retry-After": "40"})] * 9
    with pytest.raises(Unavailable, match="after 3 attempts"):
        run(lambda: cloud.network.get("/ports", object))
    assert pauses == [40, 20]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3", 3),
        (" 0 ", 0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("soon", None),
        ("", None),
        (None, None),
        ("-1", None),
    ],
)
def test_retry_after_as_services_write_it(text, seconds):
    assert retry.seconds_of(text) == seconds


def test_a_request_that_was_never_sent_is_repeated_whatever_it_is(fake_cloud):
    cloud = Cloud("fake")
    anyio.run(cloud.authenticate)
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    cloud.network.endpoint = f"http://127.0.0.1:{port}"

    def start_service(text: str) -> None:
        if "retrying" in text:
            cloud.network.endpoint = f"{fake_cloud.url}/network/v2.0"

    fake_cloud.answer(f"POST {PORTS}", Answer(200, {"port": {"id": "p1"}}))
    with retry.reported(start_service):
        assert anyio.run(cloud.network.post, "/ports", {}, object) == {"port": {"id": "p1"}}


def test_a_keystone_that_stumbles_is_asked_again(fake_cloud, tmp_path, capfd):
    with proxy(int(fake_cloud.url.rpartition(":")[2])) as made:
        clouds_yaml(tmp_path / "clouds.yaml", f"{made.url}/identity/v3")
        for fault, _ in FAULTS[:-1]:
            made.faults = {"GET": [fault], "POST": [fault]}
            _, said = run(Cloud("fake").authenticate)
            assert said[0].startswith("identity: "), fault
            assert said[-1] == "identity responds again"
    assert capfd.readouterr().err == ""


def test_a_revoked_token_is_replaced_once_for_all_requests(fake_cloud):
    cloud = Cloud("fake")
    fake_cloud.answer(f"GET {PORTS}", Answer(200, {"ports": []}))

    async def read_all() -> list[Any]:
        await cloud.network.get("/ports", dict)
        fake_cloud.revoked = {"token 1"}
        return [*await gather(*(cloud.network.get("/ports", dict) for _ in range(6)))]

    assert anyio.run(read_all) == [{"ports": []}] * 6
    assert (fake_cloud.tokens, cloud.token()) == (2, "token 2")
    cloud.discard("token 1")  # for a request that was rejected before the others got the new one
    assert cloud.token() == "token 2"


def test_a_token_that_no_service_accepts_is_an_error(fake_cloud):
    cloud = Cloud("fake")
    fake_cloud.answer(f"GET {PORTS}", Answer(401, {"error": {"message": "The request requires authentication."}}))
    with pytest.raises(CloudError, match="requires authentication") as refused:
        anyio.run(cloud.network.get, "/ports", dict)
    assert (refused.value.status, fake_cloud.tokens) == (401, 3)


def test_a_command_without_progress_reports_a_fault_on_standard_error(fake_cloud, capfd):
    fake_cloud.answer("GET /container-infra/v1/clusters", Answer(503), Answer(200, {"clusters": []}))
    app(["cluster", "list", "--cloud", "fake", "-o", "json"], standalone_mode=False)
    out, err = capfd.readouterr()
    assert (out, err.splitlines()) == (
        "[]\n",
        ["container-infra: 503, retrying in 1 s", "container-infra responds again"],
    )


def test_a_step_reports_a_fault_at_once_where_it_cannot_be_redrawn(capfd):
    with Progress(quiet=True) as progress:
        progress.start("cluster")
        progress.say("cluster", "creating")
        progress.warn("cluster", "container-infra: 503, retrying in 1 s")
        progress.end("cluster", "done")
    assert re.fullmatch(r"… cluster +0\.\d s  container-infra: 503, retrying in 1 s\n", capfd.readouterr().err)


CERTIFICATE = ssl.SSLCertVerificationError(1, "certificate verify failed")
MISSING = socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize("cause", [CERTIFICATE, MISSING, ssl.SSLError(1, "wrong version number")])
def test_what_will_not_pass_is_not_retried(cause):
    error = OSError("cannot connect")
    error.__cause__ = cause
    assert retry.of_exception("hub", error) is None


@pytest.mark.parametrize(
    ("cause", "answer", "nothing_done"),
    [
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "name resolution failed", True),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), "TLS connection closed", False),
        (ConnectionRefusedError(111, "Connection refused"), "connection refused", True),
        (BrokenPipeError(32, "Broken pipe"), "connection reset", False),
        (TimeoutError(), "no response in time", False),
        (EOFError("Server disconnected without sending a response."), "connection closed", False),
    ],
)
def test_what_may_pass(cause, answer, nothing_done):
    error = OSError("failed")
    error.__context__ = ExceptionGroup("several", [cause])
    assert retry.of_exception("hub", error) == Fault("hub", answer, nothing_done=nothing_done)


def test_what_was_behind_an_error_reported_before_is_not_behind_this_one():
    """A request that is sent while another one's error is handled has that error as its context."""
    before = ZeroJHubError("compute: connection refused")
    before.__cause__ = ConnectionRefusedError(111, "Connection refused")
    error = OSError("failed")
    error.__context__ = before
    assert retry.of_exception("hub", error) == Fault("hub", "connection closed")


def test_nor_is_what_an_error_was_raised_in_place_of():
    error = OSError("failed")
    error.__context__, error.__suppress_context__ = ConnectionRefusedError(111, "Connection refused"), True
    assert retry.of_exception("hub", error) == Fault("hub", "connection closed")


def test_a_server_that_says_nothing_on_a_tls_connection_may_answer_the_next_time():
    waiting = TimeoutError()
    waiting.__context__ = ssl.SSLWantReadError(2, "The operation did not complete (read)")
    assert retry.of_exception("hub", waiting) == Fault("hub", "no response in time")


class Desk:
    """Where things are ordered, and answers get lost: `lose` counts those, and `done` says whether they took effect."""

    def __init__(self, lose: int, *, done: bool, refuse: bool = False) -> None:
        self.lose, self.done, self.refuse = lose, done, refuse
        self.orders = 0
        self.existing: list[str] = []

    async def order(self) -> str:
        self.orders += 1
        if self.lose:
            self.lose -= 1
            if self.done:
                self.existing.append("mine")
            raise OutcomeUnknown(Fault("desk", "connection reset"), ZeroJHubError("connection reset", where="desk"))
        if self.existing and self.refuse:
            raise ZeroJHubError("there is one already")
        self.existing.append("mine")
        return "ordered"

    async def look(self) -> str | None:
        return self.existing[0] if self.existing else None


@pytest.mark.parametrize("lost", [1, 4])
def test_what_was_not_done_is_done_again(lost):
    desk = Desk(lost, done=False)
    result, said = run(lambda: retry.settle(desk.order, desk.look))
    assert (result, desk.orders, desk.existing) == ("ordered", lost + 1, ["mine"])
    assert said[0] == "desk: connection reset, checking in 1 s whether it was done"


def test_what_was_done_is_not_done_twice():
    desk = Desk(1, done=True)
    assert run(lambda: retry.settle(desk.order, desk.look))[0] == "mine"
    assert (desk.orders, desk.existing) == (1, ["mine"])


def test_what_took_long_before_its_answer_was_lost_is_settled_all_the_same(pauses):
    desk = Desk(4, done=False)

    async def order() -> str:
        pauses.append(300)
        return await desk.order()

    assert run(lambda: retry.settle(order, desk.look))[0] == "ordered"


def test_a_refusal_because_of_the_lost_attempt_is_no_failure():
    desk = Desk(1, done=True, refuse=True)
    looks = iter([None, "mine"])  # it takes effect between the first look and the second order

    async def look() -> str | None:
        return next(looks)

    assert run(lambda: retry.settle(desk.order, look))[0] == "mine"
    assert desk.existing == ["mine"]


def test_a_refusal_that_no_lost_answer_explains_is_raised_without_a_look():
    """What is there then was there before, and is somebody else's."""
    desk = Desk(0, done=False, refuse=True)
    desk.existing.append("theirs")
    with pytest.raises(ZeroJHubError, match=r"^there is one already$"):
        run(lambda: retry.settle(desk.order, desk.look))


def test_a_refusal_for_another_reason_is_raised():
    desk = Desk(1, done=True, refuse=True)

    async def look() -> None:
        return None

    with pytest.raises(ZeroJHubError, match=r"^there is one already$"):
        run(lambda: retry.settle(desk.order, look))


def test_the_last_lost_answer_is_looked_after_as_well():
    desk = Desk(5, done=False)
    with pytest.raises(ZeroJHubError) as failed:
        run(lambda: retry.settle(desk.order, desk.look))
    assert str(failed.value) == "desk: connection reset, after 5 attempts"
    assert not isinstance(failed.value, OutcomeUnknown)  # or whoever called would repeat it five times, too

    async def order() -> str:
        desk.done = desk.orders == 9
        return await desk.order()

    desk.lose = 5
    assert run(lambda: retry.settle(order, desk.look))[0] == "mine"


def test_the_first_attempt_costs_nothing_and_other_errors_pass():
    async def fails() -> None:
        raise ZeroJHubError("no")

    with pytest.raises(ZeroJHubError, match=r"^no$"):
        run(lambda: retry.attempts(fails, repeatable=True))


def test_a_fault_that_is_part_of_normal_operation_is_repeated_and_not_reported():
    faults = [Transient(Fault("container-infra", "500", expected=True), ZeroJHubError("500"))]

    async def attempt() -> str:
        if faults:
            raise faults.pop()
        return "there"

    assert run(lambda: retry.attempts(attempt, repeatable=True)) == ("there", [])


def test_a_single_attempt_is_not_counted():
    async def attempt() -> None:
        raise Transient(Fault("hub", "503"), ZeroJHubError("503", where="hub"))

    with pytest.raises(ZeroJHubError, match=r"^hub: 503$"):
        run(lambda: retry.attempts(attempt, repeatable=True, limit=1))


def test_a_stream_goes_on_where_it_was_opened_again():
    opened: list[int] = []

    async def stream() -> AsyncIterator[str]:
        opened.append(len(opened))
        yield f"item {len(opened)}"
        if len(opened) == 1:
            raise Transient(Fault("hub", "connection reset"), ZeroJHubError("connection reset"))

    async def work() -> list[str | None]:
        items = retry.Resumed(stream)
        return [await retry.attempts(items.next, repeatable=True) for _ in range(3)]

    assert run(work)[0] == ["item 1", "item 2", None]


def test_after_a_report_within_a_report_faults_are_reported_to_the_outer_one():
    faults = [Transient(Fault("hub", "503"), ZeroJHubError("503"))]
    inner: list[str] = []

    async def attempt() -> str:
        if faults:
            raise faults.pop()
        return "there"

    async def work() -> str:
        with retry.reported(inner.append):
            pass
        return await retry.attempts(attempt, repeatable=True)

    assert run(work) == ("there", ["hub: 503, retrying in 1 s", "hub responds again"])
    assert inner == []
