"""What can go wrong in a cloud: the user reads one line with what, where and what to do, and the next run converges."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from unittest import mock

import pytest

from tests.contract.clouds import PASSWORD
from tests.contract.fault_matrix import UP, Command, Scenario, World, world
from zerojhub import stages
from zerojhub.cluster import lifecycle, usable
from zerojhub.practice import control
from zerojhub.practice.cloud import conductor
from zerojhub.practice.faults import PATH

RESIZE = ("cluster", "resize", "mine", "2")
DOWN, AGAIN = ("down", "--yes"), ("up",)


@dataclass(frozen=True)
class Failure:
    """Something that fails, which command meets it, and what is read then."""

    service: str
    what: str
    says: str
    """A regular expression for the one line of the error."""
    of: Callable[[World], str] | None = None
    """The name or ID of what breaks, where one has to be named."""
    first: int = 1
    before: tuple[Command, ...] = ()
    command: Command = AGAIN
    code: int = 1
    doctor: tuple[str, str] | None = None
    """The kind of `doctor`'s finding, and a regular expression for what is wrong and what to do."""
    cure: tuple[Command, ...] = ()
    """What the line says to do, once the cause is gone."""
    workers: int = 1
    endless: bool = False
    """The cloud never ends what it was asked for: the command ends when it has waited for long enough."""

    def __str__(self) -> str:
        return f"{self.service} {self.what}" + ("" if self.first == 1 else f" from {self.first}")


def cluster(here: World) -> str:
    return "mine"


FAILURES = [
    Failure(
        "container-infra",
        "create-failed",
        r"cluster mine is CREATE_FAILED: .*WaitConditionTimeout: 0 of 1 received.*then delete it with `zerojhub down`,"
        r" then run `zerojhub up` again\)",
        doctor=("cluster", r"mine is CREATE_FAILED.*zerojhub down.*zerojhub up"),
        cure=(DOWN,),
    ),
    Failure(
        "container-infra",
        "update-failed",
        r"cluster mine is UPDATE_FAILED: .*WaitConditionTimeout.*have Magnum try again: zerojhub cluster resize mine 2\)",
        before=UP,
        command=RESIZE,
        doctor=("cluster", r"mine is UPDATE_FAILED.*zerojhub cluster resize \S+ 2"),
        cure=(RESIZE,),
        workers=2,
    ),
    Failure(
        "container-infra",
        "delete-failed",
        r"cluster mine is DELETE_FAILED: .*One or more ports have an IP allocation.*\(UUID\) \(delete it again: zerojhub"
        r" down\)",
        before=UP,
        command=DOWN,
        doctor=("cluster", r"mine is DELETE_FAILED.*zerojhub down"),
        cure=(DOWN,),
    ),
    Failure(
        "compute",
        "no-valid-host",
        r"cluster mine is CREATE_FAILED: .*: server mine-\S+: No valid host was found.*choose a smaller flavor: openstack"
        r" flavor list; then delete it with `zerojhub down`",
        doctor=("server", r"ERROR: No valid host.*choose a smaller flavor"),
        cure=(DOWN,),
    ),
    Failure(
        "compute",
        "no-boot",
        r"cluster mine is CREATE_FAILED: .*: server mine-\S+ does not boot: Kernel panic - not syncing.*choose another template.*then delete it with",
        doctor=("server", r"does not boot: Kernel panic.*choose another template"),
        cure=(DOWN,),
    ),
    Failure(
        "compute",
        "quota",
        r"quota: 2 instances needed, 1 of 1 free",
        first=2,
        code=2,
        doctor=("template", r"2 instances needed"),
    ),
    Failure(
        "compute",
        "overtaken",
        r"cluster mine is CREATE_FAILED: .*Quota exceeded for instances.*openstack quota show --usage; then delete it with",
        first=2,
        doctor=("cluster", r"Quota exceeded for instances.*quota show --usage"),
        cure=(DOWN,),
    ),
    Failure(
        "network",
        "overtaken",
        r"no floating IP from public: .*Quota exceeded.*floatingip.*\(delete what nobody uses, or ask for more",
    ),
    Failure(
        "network",
        "no-addresses",
        r"no floating IP from public: No more IP addresses available on network UUID.*\(release one that nobody uses:"
        r" openstack floating ip list --status DOWN\)",
    ),
    Failure(
        "network",
        "twin",
        r"2 external networks are named 'public' \(use the ID of one: UUID, UUID\)",
        of=lambda here: "public",
        code=2,
        doctor=("template", r"2 external networks are named 'public'.*use the ID of one"),
    ),
    Failure(
        "container-infra",
        "in-progress",
        r"cluster mine is CREATE_IN_PROGRESS after .*; not usable: its API does not answer",
        of=cluster,
        before=UP,
        doctor=("cluster", r"CREATE_IN_PROGRESS for 1(19|20) min.*not usable.*give your cloud's operators"),
        endless=True,
    ),
]


@contextlib.contextmanager
def impatient() -> Iterator[None]:
    """Within: what comes after the cluster, which needs machines, is left out, and a minute of Magnum's is a second."""
    there = stages.STAGES[: stages.STAGES.index(stages.Cluster) + 1]
    with mock.patch.object(stages, "STAGES", there), mock.patch.object(conductor, "MINUTE", 1 / 60):
        yield


def without_patience() -> contextlib.AbstractContextManager[object]:
    """Within: a command waits for a second where it would wait for an hour. Only for what would never end."""
    return mock.patch.object(lifecycle, "TIMEOUT_GRACE", -3600.0 + 1)


class Faults:
    """`zerojhub practice fault add` and `clear`."""

    def __init__(self, here: World):
        self.client = here.site.client("", Authorization=f"Bearer {PASSWORD}")

    def add(self, service: str, what: str, name: str | None = None, first: int = 1) -> None:
        body = {"service": service, "what": what, "name": name, "first": first, "count": 1}
        answer = self.client.post(PATH, json=body)
        assert answer.status_code == 200, answer.text

    def clear(self) -> None:
        assert self.client.delete(PATH).json() == []


def everything(here: World) -> dict[str, str]:
    """Every field of what the faults of one resource break."""
    tables = {name: vars(here.site.store)[name] for name in ("servers", "volumes", "loadbalancers", "networks")}
    return {
        f"{table} {ident} {field}": json.dumps(value)
        for table, records in tables.items()
        for ident, record in records.items()
        for field, value in record.items()
    }


def told(text: str) -> str:
    """The text with every UUID as UUID, to compare it."""
    return re.sub(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", "UUID", text)


@pytest.mark.parametrize("failure", FAILURES, ids=str)
def test_a_failure_is_one_line_that_doctor_knows_and_the_next_run_converges(failure: Failure) -> None:
    with world(Scenario((), before=failure.before)) as here, impatient():
        faults = Faults(here)
        faults.add(failure.service, failure.what, failure.of and failure.of(here), failure.first)
        with without_patience() if failure.endless else contextlib.nullcontext():
            met = here.run(*failure.command)
        assert met.code == failure.code, met.stderr
        assert len(met.errors) == 1, met.stderr
        assert re.search(failure.says, told(met.errors[0])), told(met.errors[0])
        if failure.doctor:
            kind, wrong = failure.doctor
            examined = here.run("doctor", "-o", "json")
            assert examined.code == 3, examined.stderr
            found = json.loads(examined.stdout)["findings"]
            lines = [f"{each['name']}: {each['problem']} {each['do']}" for each in found if each["kind"] == kind]
            assert any(re.search(wrong, line) for line in lines), found
        faults.clear()
        for command in failure.cure:
            assert here.run(*command).code == 0
        for _ in range(2):
            done = here.run(*AGAIN)
            assert done.code == 0, done.stderr
        [made] = here.site.store.clusters.values()
        assert made["status"].endswith("_COMPLETE")
        assert [each["description"] for each in here.site.store.floatingips.values()] == ["zerojhub:mine"]
        assert sorted(each["vm_state"] for each in here.site.store.servers.values()) == ["active"] * (
            1 + failure.workers
        )


def test_doctor_knows_what_is_broken_by_name_and_id_and_nothing_is_once_the_faults_are_cleared() -> None:
    with world(Scenario((), before=UP)) as here, impatient():
        store, faults = here.site.store, Faults(here)
        [cluster] = store.clusters.values()
        volumes, octavia = here.site.client("/volume/v3/x"), here.site.client("/load-balancer/v2.0/lbaas")
        tag = {"cinder.csi.openstack.org/cluster": cluster["uuid"]}
        for status in ("reserved", "attaching", "detaching", "error"):
            body = {"volume": {"size": 1, "name": f"pvc-{status}", "metadata": tag}}
            volumes.post("/volumes", json=body).raise_for_status()
        wanted = {"name": f"kube_service_{cluster['uuid']}_class_proxy", "vip_subnet_id": next(iter(store.subnets))}
        balancer = (
            octavia.post("/loadbalancers", json={"loadbalancer": wanted}).raise_for_status().json()["loadbalancer"]
        )
        worker = next(each for each in store.servers.values() if "-node-" in each["name"])
        master = next(each for each in store.servers.values() if "-master-" in each["name"])
        before = everything(here)
        for status in ("reserved", "attaching", "detaching", "error"):
            faults.add("volume", status, f"pvc-{status}")
        faults.add("load-balancer", "error", balancer["id"])
        faults.add("compute", "off", worker["name"])
        faults.add("compute", "error", master["id"])
        faults.add("network", "twin", "public")
        faults.add("network", "another-external")
        found = json.loads(here.run("doctor", "-o", "json").stdout)["findings"]
        lines = {(each["kind"], each["name"], each["id"]): f"{each['problem']} | {each['do']}" for each in found}
        known = {key: line.replace("openstack --os-cloud practice", "openstack") for key, line in lines.items()}
        for volume in store.volumes.values():
            status = volume["name"].removeprefix("pvc-")
            line = known["volume", volume["name"], volume["id"]]
            assert line.startswith(f"it is {status}")
            assert f"openstack volume set --state available {volume['id']}" in line or "volume attachment" in line
        line = known["load balancer", balancer["name"], balancer["id"]]
        assert "provisioning_status is ERROR | openstack loadbalancer delete --cascade" in line
        assert f"openstack server start {worker['id']}" in known["server", worker["name"], worker["id"]]
        assert known["server", master["name"], master["id"]].startswith("ERROR: Connection to libvirt lost")
        [template] = [line for (kind, _, _), line in known.items() if kind == "template"]
        assert template.startswith("2 external networks are named 'public'")
        refused = octavia.post(
            "/listeners", json={"listener": {"loadbalancer_id": balancer["id"], "protocol_port": 80}}
        )
        assert (refused.status_code, "is immutable" in refused.text) == (409, True)
        listed = here.site.client("/network/v2.0").get("/networks", params={"router:external": True}).json()["networks"]
        assert sorted(each["name"] for each in listed) == ["external-2", "public", "public"]
        faults.clear()
        after = everything(here)
        assert after.keys() == before.keys()
        assert [f"{name}: {before[name]} -> {after[name]}" for name in before if after[name] != before[name]] == []
        assert all(here.site.ground.alive(ident) for ident in store.servers)


def test_a_credential_that_expires_soon_and_names_that_do_not_exist_are_refused() -> None:
    with world(Scenario(())) as here:
        faults = Faults(here)
        user = here.site.token().json()["token"]["user"]["id"]
        keystone = here.site.client(f"/identity/v3/users/{user}/application_credentials")
        body = {"application_credential": {"name": "laptop"}}
        made = keystone.post("", json=body).raise_for_status().json()["application_credential"]
        faults.add("identity", "expiring", "laptop")
        assert keystone.get(f"/{made['id']}").json()["application_credential"]["expires_at"] is not None
        faults.clear()
        assert keystone.get(f"/{made['id']}").json()["application_credential"]["expires_at"] is None
        for what, name, why in (
            ("off", "nine", "no server is named nine"),
            ("off", None, "off is of one server: name it"),
            ("no-boot", "nine", "no-boot is not of one resource: leave out nine"),
            ("detaching", "nine", "detaching is for volume, not for compute"),
        ):
            answer = faults.client.post(PATH, json={"service": "compute", "what": what, "name": name})
            assert (answer.status_code, answer.json()) == (400, {"error": why})


def test_the_command_adds_lists_and_clears_them(monkeypatch: pytest.MonkeyPatch) -> None:
    with world(Scenario((), before=UP)) as here:
        port = int(here.site.url.rpartition(":")[2])
        running = SimpleNamespace(state=here.folder, port=port)  # what `practice start` would have left
        monkeypatch.setattr(control, "require_running", lambda: running)
        server = next(iter(here.site.store.servers.values()))
        added = here.run("practice", "fault", "add", "compute", "off", server["name"], "-o", "json")
        assert json.loads(added.stdout)[0]["name"] == server["name"]
        assert here.run("practice", "fault", "add", "compute", "no-boot", "--from", "2", "--every").code == 0
        assert here.run("practice", "fault", "add", "network", "503").code == 0
        rows = here.run("practice", "fault", "list").stdout.splitlines()
        assert [row.split()[:4] for row in rows[1:]] == [
            ["1", "compute", server["name"], "off"],
            ["2", "compute", "no-boot", "from"],
            ["3", "network", "any", "*"],
        ]
        assert not here.site.ground.alive(server["id"])
        unknown = here.run("practice", "fault", "add", "compute", "off", "nine")
        assert (unknown.code, unknown.errors) == (2, ["error: no server is named nine"])
        assert here.run("practice", "fault", "clear", "1").code == 0
        assert here.site.ground.alive(server["id"])
        assert here.run("practice", "fault", "clear").code == 0
        assert "no faults" in here.run("practice", "fault", "list").stdout


def test_a_cluster_that_magnum_takes_for_incomplete_is_used_if_its_api_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nodes(*arguments: object) -> tuple[int, int]:
        return 2, 2

    with world(Scenario((), before=UP)) as here, impatient():
        Faults(here).add("container-infra", "in-progress", "mine", 1)
        monkeypatch.setattr(usable, "_nodes", nodes)  # fake machines have no API
        with without_patience():
            done = here.run("up")
        assert done.code == 0, done.stderr
        late = r"CREATE_IN_PROGRESS for 1(19|20) min \d\d s, but its API answers and its nodes are ready"
        assert re.search(late, done.stderr)
