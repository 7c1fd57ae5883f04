"""What `doctor` recognizes, what it says about it, and what it repairs: each kind of failure in a cluster that is well."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.command import run
from tests.unit.fakecloud import PASSWORD, PROJECT, Answer, FakeCloud, record
from tests.unit.kubernetes import Cluster as FakeKube
from zerojhub import lookup, tls
from zerojhub.deployment import Deployment, HubSpec
from zerojhub.doctor import CHECKS, Check
from zerojhub.doctor import examine as examining
from zerojhub.doctor.examine import examine, repair
from zerojhub.doctor.finding import Diagnosis, Finding
from zerojhub.errors import UserError
from zerojhub.kube.client import KubeError
from zerojhub.openstack.magnum import ClusterTemplate
from zerojhub.openstack.octavia import LoadBalancer
from zerojhub.run import Run, Silent
from zerojhub.stages import Access

COMPUTE, NETWORK, MAGNUM = "/compute/v2.1", "/network/v2.0", "/container-infra/v1"
VOLUMES = f"/volume/v3/{PROJECT}"


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def ago(**time: float) -> str:
    """A time in the past as Kubernetes and Magnum write it."""
    return (now() - datetime.timedelta(**time)).isoformat()


def utc(text: str) -> str:
    """The same time as Cinder writes it."""
    return text.removesuffix("+00:00")


def certificate(days: float, name: str = "kubernetes") -> str:
    """A certificate (PEM) that is valid for so many more days."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    end = now() + datetime.timedelta(days=days)
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(end - datetime.timedelta(days=400))
    return builder.not_valid_after(end).sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def node(name: str, server: str, *, ready: bool = True, since: str = "", **spec: Any) -> dict[str, Any]:
    condition = {"type": "Ready", "status": "True" if ready else "Unknown", "lastTransitionTime": since or ago(hours=1)}
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", "creationTimestamp": ago(days=9)},
        "spec": {"providerID": f"openstack:///{server}", **spec},
        "status": {
            "conditions": [condition | {"message": "Kubelet stopped posting node status."}],
            "nodeInfo": {"machineID": server.replace("-", ""), "systemUUID": server},
        },
    }


def pod(name: str, on: str = "", claim: str = "", *, phase: str = "Running", deleted: bool = False) -> dict[str, Any]:
    meta: dict[str, Any] = {"name": name, "namespace": "class", "uid": f"uid-{name}", "creationTimestamp": ago(hours=1)}
    if deleted:
        meta["deletionTimestamp"] = ago(minutes=10)
    mounted = [{"name": "home", "persistentVolumeClaim": {"claimName": claim}}] if claim else []
    conditions = [{"type": "Ready", "status": "True" if phase == "Running" else "False"}]
    spec: dict[str, Any] = {"containers": [], "volumes": mounted} | ({"nodeName": on} if on else {})
    return {"metadata": meta, "spec": spec, "status": {"phase": phase, "conditions": conditions}}


def attachment(name: str, on: str, volume: str = "pv1") -> dict[str, Any]:
    meta = {"name": name, "uid": f"uid-{name}", "creationTimestamp": ago(hours=1)}
    return {"metadata": meta, "spec": {"nodeName": on, "source": {"persistentVolumeName": volume}}}


class Machine:
    """A master: its cloud-config, and its certificates."""

    def __init__(self) -> None:
        self.certificates = certificate(300, "kube-apiserver")
        self.password = PASSWORD

    async def run(self, argv: Sequence[str], *, sudo: bool, check: bool, repeatable: bool) -> SimpleNamespace:
        config = (
            f'[Global]\ntrust-id="t1"\nuser-id="u2"\npassword="{self.password}"\nauth-url="http://192.0.2.1:5000/v3"\n'
        )
        return SimpleNamespace(code=0, stdout=(self.certificates if argv[0] == "sh" else config).encode())


class World:
    """A cluster that is well; tests change what they need before they look."""

    def __init__(self, fake: FakeCloud) -> None:
        self.fake, self.machine = fake, Machine()
        self.deployment = Deployment.model_validate({"name": "class", "cloud": "fake", "cluster": {"template": "t1"}})
        self.cluster: dict[str, Any] = {
            "uuid": "c1",
            "name": "class",
            "cluster_template_id": "t1",
            "keypair": "key",
            "node_count": 1,
            "master_count": 1,
            "labels": {},
            "flavor_id": "small",
            "master_flavor_id": "small",
            "status": "CREATE_COMPLETE",
            "health_status": "HEALTHY",
            "cluster_id": "class-x1",
            "created_at": ago(days=9),
            "updated_at": ago(days=8),
            "create_timeout": 60,
            "master_addresses": ["10.0.0.5"],
            "node_addresses": ["10.0.0.6"],
        }
        self.template = record(
            ClusterTemplate, uuid="t1", name="template", coe="kubernetes", external_network_id="public", labels={}
        )
        self.servers = [self.server("class-x1-master-0", "10.0.0.5"), self.server("class-x1-node-0", "10.0.0.6")]
        self.console = "login:"
        self.volumes: list[dict[str, Any]] = [self.volume()]
        self.networks = [{"id": "n1", "name": "public"}]
        self.balancers: list[dict[str, Any]] = []
        self.volume_quota = {"limit": 10, "in_use": 1, "reserved": 0}
        self.routers = [{"id": "r1", "name": "router", "external_gateway_info": {"network_id": "n1"}}]
        self.authority = certificate(900)
        claimed = {"namespace": "class", "name": "claim-ada"}
        self.kube = FakeKube(
            Namespace=[{"metadata": {"name": "class", "uid": "ns", "creationTimestamp": ago(days=9)}}],
            Node=[node("class-x1-master-0", "id-class-x1-master-0"), node("class-x1-node-0", "id-class-x1-node-0")],
            Pod=[pod("hub-1", "class-x1-node-0"), pod("jupyter-ada", "class-x1-node-0", "claim-ada")],
            PersistentVolume=[
                {
                    "metadata": {"name": "pv1"},
                    "spec": {"claimRef": claimed, "csi": {"driver": "cinder.csi.openstack.org", "volumeHandle": "v1"}},
                }
            ],
            VolumeAttachment=[attachment("csi-1", "class-x1-node-0")],
        )

    @staticmethod
    def server(name: str, address: str, status: str = "ACTIVE", **more: Any) -> dict[str, Any]:
        addresses = {"net": [{"addr": address}]}
        own = {"id": f"id-{name}", "name": name, "status": status, "addresses": addresses, "created": ago(days=9)}
        return {**own, "flavor": {"original_name": "small"}, "OS-EXT-STS:power_state": 1, **more}

    @staticmethod
    def volume(status: str = "in-use", *servers: str, **more: Any) -> dict[str, Any]:
        return {
            "id": "v1",
            "name": "pvc-1",
            "size": 10,
            "status": status,
            "availability_zone": "nova",
            "created_at": utc(ago(days=9)),
            "updated_at": utc(ago(days=1)),
            "attachments": [{"server_id": each} for each in servers or ("id-class-x1-node-0",)],
            "metadata": {},
            **more,
        }

    def off(self) -> None:
        """The worker's server is shut off, and its node not ready."""
        self.servers[1] |= {"status": "SHUTOFF", "OS-EXT-STS:power_state": 4}
        self.kube.objects["Node"][1] = node("class-x1-node-0", "id-class-x1-node-0", ready=False)

    def serve(self) -> None:
        """Have the fake cloud answer with all of this."""
        lists: dict[str, dict[str, Any]] = {
            f"{MAGNUM}/clusters": {"clusters": [self.cluster] if self.cluster else []},
            f"{MAGNUM}/clusters/c1": self.cluster,
            f"{MAGNUM}/clusters/c1/nodegroups": {"nodegroups": []},
            f"{MAGNUM}/clustertemplates": {"clustertemplates": [self.template]},
            f"{MAGNUM}/certificates/c1": {"pem": self.authority},
            f"{COMPUTE}/servers/detail": {"servers": self.servers},
            f"{COMPUTE}/flavors/detail": {"flavors": [{"id": "small", "name": "small", "vcpus": 2, "ram": 4096}]},
            f"{COMPUTE}/limits": {"limits": {"absolute": {"maxTotalInstances": 2, "totalInstancesUsed": 2}}},
            f"{COMPUTE}/os-keypairs": {"keypairs": []},
            f"{NETWORK}/networks": {"networks": self.networks},
            f"{NETWORK}/subnets": {"subnets": []},
            f"{NETWORK}/floatingips": {"floatingips": []},
            f"{NETWORK}/routers": {"routers": self.routers},
            "/load-balancer/v2.0/lbaas/loadbalancers": {"loadbalancers": self.balancers},
            f"{VOLUMES}/volumes/detail": {"volumes": self.volumes},
            f"{VOLUMES}/os-quota-sets/{PROJECT}": {"quota_set": {"volumes": self.volume_quota}},
        }
        port = {"id": "p1", "name": "", "network_id": "net1", "device_id": "r1", "security_groups": []}
        lists |= {f"{NETWORK}/ports": {"ports": [port]}, f"{NETWORK}/ports/p1": {"port": port}}
        for path, body in lists.items():
            self.fake.answer(f"GET {path}", Answer(200, body))
        for each in self.servers:
            path = f"{COMPUTE}/servers/{each['id']}"
            self.fake.answer(f"GET {path}", Answer(200, {"server": each}))
            self.fake.answer(f"GET {path}/os-interface", Answer(200, {"interfaceAttachments": [{"port_id": "p1"}]}))
            self.fake.answer(f"POST {path}/action", Answer(200, {"output": self.console}))

    def run(self) -> Run:
        run = Run(self.deployment, Silent())
        if self.cluster:
            way: Any = SimpleNamespace(kube=self.kube, machine=self.machine, address="192.0.2.5", version="v1.34.4")
            run[Access] = way
        return run

    def look(self) -> Diagnosis:
        self.serve()
        return anyio.run(partial(examine, self.run(), ""))

    def findings(self) -> list[Finding]:
        diagnosis = self.look()
        assert diagnosis.unchecked == []
        return diagnosis.findings

    def only(self) -> Finding:
        [found] = self.findings()
        return found

    def fix(self) -> list[str]:
        """Do every fix that was found, and return them."""

        async def work() -> list[str]:
            run = self.run()
            agreed = (await examine(run, "")).fixes
            done, failed = await repair(run, "", agreed, lambda text: None)
            return [*done, *(f"not done: {each.reason}" for each in failed)]

        self.serve()
        return anyio.run(work)


@pytest.fixture
def world(fake_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, tmp_path) -> World:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    fake_cloud.catalog["identity"] = "/identity/v3"
    return World(fake_cloud)


def said(finding: Finding) -> tuple[str, str, str | None]:
    return finding.kind, finding.name, finding.fix.what if finding.fix else None


def test_nothing_is_wrong_with_a_cluster_that_is_well(world):
    assert world.findings() == []


# -- the cluster --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "reason", "why", "do"),
    [
        ("CREATE_FAILED", "No valid host was found.", "no compute host has room", "zerojhub down"),
        ("CREATE_FAILED", "Quota exceeded for cores", "quota is used up", "openstack quota show --usage"),
        (
            "UPDATE_FAILED",
            "boom",
            "the last resize or upgrade is incomplete",
            "zerojhub cluster resize c1 1 --cloud fake",
        ),
        ("DELETE_FAILED", "Port in use", "still counts against the quota", "zerojhub down"),
        (
            "CREATE_FAILED",
            "Conflict: Multiple possible networks found, use a Network ID",
            "several have that name",
            "openstack network list",
        ),
    ],
)
def test_a_cluster_that_failed_says_why_what_that_means_and_what_to_do(world, status, reason, why, do):
    world.cluster |= {"status": status, "faults": {"kube_masters": reason}}
    found = next(each for each in world.findings() if each.kind == "cluster")
    assert (found.name, found.id) == ("class", "c1")
    assert f"cluster class is {status}" in found.problem
    assert reason in found.problem
    assert why in found.why
    assert do in found.do


def test_a_creation_that_takes_twice_as_long_as_usual_is_late_and_one_after_its_timeout_lost(world):
    world.cluster |= {"status": "CREATE_IN_PROGRESS", "created_at": ago(minutes=31)}
    late = world.only()
    assert late.problem.startswith("CREATE_IN_PROGRESS for 3")
    assert "wait for Magnum's timeout" in late.do
    world.cluster["created_at"] = ago(minutes=63)
    assert "zerojhub down && zerojhub up" in world.only().do
    world.cluster["created_at"] = ago(minutes=20)
    assert world.findings() == []


def test_a_creation_that_magnum_waits_for_although_the_cluster_works(world, monkeypatch):
    async def verdict(cloud: Any, cluster: Any) -> str:
        return "usable all the same: its API answers, 2 of 2 nodes are ready"

    monkeypatch.setattr("zerojhub.doctor.clusters.verdict", verdict)
    world.cluster |= {"status": "CREATE_IN_PROGRESS", "created_at": ago(hours=3)}
    found = world.only()
    assert "usable all the same" in found.problem
    assert "zerojhub up installs the hub all the same" in found.do


# -- servers and nodes --------------------------------------------------------------------------------------------------


def test_a_server_in_error_has_novas_reason(world):
    world.servers[1] |= {"status": "ERROR", "fault": {"message": "No valid host\nwas found."}}
    found = next(each for each in world.findings() if each.kind == "server")
    assert (found.name, found.id) == ("class-x1-node-0", "id-class-x1-node-0")
    assert found.problem == "ERROR: No valid host was found."
    assert "openstack flavor list" in found.do


def test_an_image_that_does_not_boot_is_known_by_its_console(world):
    world.console = "SeaBIOS\nBooting from Hard Disk...\nBoot failed: not a bootable disk\nNo bootable device.\n"
    world.kube.objects["Node"].pop()
    world.kube.objects["VolumeAttachment"].clear()
    boot, idle = sorted(
        (each for each in world.findings() if each.kind == "server"), key=lambda each: "boot" not in each.problem
    )
    assert boot.problem == "server class-x1-node-0 does not boot: No bootable device"
    assert "is no node of the cluster" in idle.problem
    assert idle.id == "id-class-x1-node-0"


def test_a_server_that_is_off_is_to_be_started_and_nothing_is_taken_from_it(world):
    world.off()
    assert [said(each) for each in world.findings()] == [
        ("server", "class-x1-node-0", None),
        ("node", "class-x1-node-0", None),
    ]
    assert {each.do for each in world.findings()} == {"openstack --os-cloud fake server start id-class-x1-node-0"}


def test_a_node_that_is_not_ready_for_a_moment_is_left_alone(world):
    world.kube.objects["Node"][1] = node("class-x1-node-0", "id-class-x1-node-0", ready=False, since=ago(seconds=50))
    assert world.findings() == []


def test_a_node_that_is_cordoned_is_named_unless_something_is_being_done_to_the_cluster(world):
    world.kube.objects["Node"][1]["spec"]["unschedulable"] = True
    assert said(world.only()) == ("node", "class-x1-node-0", None)
    assert "kubectl uncordon class-x1-node-0" in world.only().do
    world.cluster |= {"status": "UPDATE_IN_PROGRESS", "updated_at": ago(minutes=1)}
    assert world.findings() == []


def test_a_node_whose_server_was_deleted_is_deleted(world):
    world.servers.pop()
    world.kube.objects["Node"][1] = node("class-x1-node-0", "id-class-x1-node-0", ready=False)
    world.volumes = [world.volume("available", attachments=[])]
    assert said(world.only()) == (
        "node",
        "class-x1-node-0",
        "delete node class-x1-node-0, whose server no longer exists",
    )
    world.fix()
    assert world.kube.deleted == ["class-x1-node-0"]


def test_a_node_is_not_deleted_when_the_project_does_not_see_the_other_nodes_servers_either(world):
    world.servers = []
    world.kube.objects["Node"][1] = node("class-x1-node-0", "id-class-x1-node-0", ready=False)
    assert world.look().fixes == []
    assert world.fix() == []


def test_a_node_without_a_provider_id_is_not_deleted_because_its_firmware_says_something_else(world):
    world.kube.objects["Node"][1] = node("class-x1-node-0", "", ready=False, providerID="")
    world.kube.objects["Node"][1]["status"]["nodeInfo"]["systemUUID"] = "something-else"
    assert world.look().fixes == []


# -- pods and volumes of dead servers -----------------------------------------------------------------------------------


def test_a_pod_that_is_being_deleted_on_a_server_that_is_off_is_declared_dead(world):
    world.off()
    world.kube.objects["Pod"][1] = pod("jupyter-ada", "class-x1-node-0", "claim-ada", deleted=True)
    found = next(each for each in world.findings() if each.kind == "pod")
    assert found.do == "kubectl -n class delete pod jupyter-ada --force --grace-period 0"
    assert world.fix() == ["declare pod jupyter-ada dead, on node class-x1-node-0, which is off"]
    assert world.kube.deleted == ["jupyter-ada"]


@pytest.mark.parametrize("state", [{"status": "ACTIVE"}, {"status": "ERROR"}, {"status": "SHUTOFF"}])
def test_no_pod_is_declared_dead_and_no_volume_detached_where_a_server_may_run(world, state):
    """ACTIVE, in ERROR with a hypervisor that says nothing, or shut off for Nova alone."""
    power = {"ACTIVE": 1, "ERROR": 0, "SHUTOFF": 1}[state["status"]]
    world.off()
    world.servers[1] |= {**state, "OS-EXT-STS:power_state": power}
    world.kube.objects["Pod"] = [
        pod("old", "class-x1-node-0", "claim-ada", deleted=True),
        pod("new", "", "claim-ada", phase="Pending"),
    ]
    assert world.look().fixes == []
    assert world.fix() == []


def test_a_volume_is_detached_from_a_server_that_is_off_when_a_pod_waits_for_it(world, monkeypatch):
    world.off()
    world.kube.objects["Pod"][1] = pod("jupyter-ada", "", "claim-ada", phase="Pending")
    found = next(each for each in world.findings() if each.kind == "volume")
    assert found.problem == "it is attached to server id-class-x1-node-0, which is off"
    assert "openstack --os-cloud fake server remove volume id-class-x1-node-0 v1" in found.do
    detach = f"DELETE {COMPUTE}/servers/id-class-x1-node-0/os-volume_attachments/v1"
    world.fake.answer(detach, Answer(202))
    states = [
        Answer(200, {"volumes": each}) for each in ([world.volume()], [world.volume("available", attachments=[])])
    ]

    async def work() -> list[str]:
        run = world.run()
        agreed = (await examine(run, "")).fixes
        # Cinder shows it attached to the next look, too, and detached after the request.
        world.fake.answer(f"GET {VOLUMES}/volumes/detail", *states)
        return (await repair(run, "", agreed, lambda text: None))[0]

    world.serve()
    assert anyio.run(work) == ["detach volume v1 from server id-class-x1-node-0, which is off"]
    assert [f"{each.method} {each.path}" for each in world.fake.requests if each.method == "DELETE"] == [detach]
    assert world.kube.deleted == ["csi-1"]


def test_a_volume_stays_where_a_pod_still_uses_it_or_nobody_waits_for_it(world):
    world.off()
    assert world.look().fixes == []
    world.kube.objects["Pod"].append(pod("jupyter-ada-2", "", "claim-ada", phase="Pending"))
    assert world.look().fixes == []  # the pod on the dead node has not been given up


def test_a_server_that_was_started_meanwhile_keeps_its_volume(world):
    world.off()
    world.kube.objects["Pod"][1] = pod("jupyter-ada", "", "claim-ada", phase="Pending")
    started = world.servers[1] | {"status": "ACTIVE", "OS-EXT-STS:power_state": 1}
    world.serve()

    async def work() -> list[str]:
        run = world.run()
        agreed = (await examine(run, "")).fixes
        world.fake.answer(f"GET {COMPUTE}/servers/{started['id']}", Answer(200, {"server": started}))
        done, failed = await repair(run, "", agreed, lambda text: None)
        return [*done, *(each.reason for each in failed)]

    assert anyio.run(work) == ["server class-x1-node-0 is ACTIVE again; nothing was done about it"]
    assert not [each for each in world.fake.requests if each.method == "DELETE"]


def test_what_is_no_longer_found_is_not_done_although_it_was_agreed_to(world):
    world.off()
    world.kube.objects["Pod"][1] = pod("jupyter-ada", "class-x1-node-0", "claim-ada", deleted=True)
    world.serve()

    async def work() -> tuple[list[str], list[Any]]:
        run = world.run()
        agreed = (await examine(run, "")).fixes
        world.kube.objects["Pod"].pop()
        return await repair(run, "", agreed, lambda text: None)

    assert anyio.run(work) == ([], [])


def test_a_volume_of_a_server_that_no_longer_exists_is_left_to_the_operators(world):
    world.volumes = [world.volume("in-use", "id-deleted")]
    found = world.only()
    assert (found.kind, found.id, found.fix) == ("volume", "v1", None)
    assert found.do.endswith("openstack volume set --state available --detached v1")


def test_an_attachment_to_a_node_that_no_longer_exists_is_deleted(world):
    world.kube.objects["VolumeAttachment"] = [attachment("csi-old", "class-x1-node-9")]
    assert said(world.only())[0] == "volumeattachment"
    assert world.fix() == ["delete VolumeAttachment csi-old to node class-x1-node-9, which no longer exists"]
    assert world.kube.deleted == ["csi-old"]


@pytest.mark.parametrize("status", ["ACTIVE", "ERROR"])
def test_an_attachment_stays_while_its_server_may_run_without_a_node(world, status):
    world.servers.append(world.server("class-x1-node-9", "10.0.0.9", status))
    world.kube.objects["VolumeAttachment"] = [attachment("csi-old", "class-x1-node-9")]
    found = next(each for each in world.look().findings if each.kind == "volumeattachment")
    assert found.fix is None
    assert found.do.startswith("first make sure that its server is off")


def test_an_attachment_stays_while_cinder_has_the_volume_on_a_server_of_another_name(world):
    world.servers.append(world.server("renamed", "10.0.0.9"))
    world.volumes = [world.volume("in-use", "id-renamed")]
    world.kube.objects["VolumeAttachment"] = [attachment("csi-old", "class-x1-node-9")]
    assert next(each for each in world.look().findings if each.kind == "volumeattachment").fix is None


@pytest.mark.parametrize(
    ("status", "attachments", "do"),
    [
        ("reserved", [], "volume attachment list --volume-id v1"),
        ("detaching", [{"server_id": "id-class-x1-node-0"}], "openstack volume set --state in-use v1"),
        ("error_deleting", [], "openstack volume set --state available v1"),
    ],
)
def test_a_volume_that_is_stuck(world, status, attachments, do):
    world.volumes = [world.volume(status, attachments=attachments)]
    found = world.only()
    assert (found.kind, found.name, found.id, found.fix) == ("volume", "pvc-1", "v1", None)
    assert f"it is {status}" in found.problem
    assert do in found.do


def test_a_volume_that_is_being_attached_right_now_is_not_stuck(world):
    world.volumes = [world.volume("attaching", attachments=[], updated_at=utc(ago(minutes=1)))]
    assert world.findings() == []


# -- networks -----------------------------------------------------------------------------------------------------------


def balancer(name: str, **more: Any) -> dict[str, Any]:
    own = {"id": "b1", "name": name, "provisioning_status": "ACTIVE", "operating_status": "ONLINE"}
    return record(LoadBalancer, **own) | {"updated_at": ago(hours=1)} | more


@pytest.mark.parametrize(
    ("state", "problem", "do"),
    [
        ({"provisioning_status": "ERROR"}, "its provisioning_status is ERROR", "loadbalancer delete --cascade b1"),
        ({"provisioning_status": "PENDING_UPDATE"}, "it is PENDING_UPDATE for", "only your cloud's operators"),
        ({"operating_status": "ERROR"}, "its operating_status is ERROR", "loadbalancer status show b1"),
    ],
)
def test_a_load_balancer_that_failed(world, state, problem, do):
    world.balancers = [balancer("kube_service_c1_class_proxy-public", **state), balancer("another", **state)]
    found = world.only()
    assert (found.kind, found.name, found.id) == ("load balancer", "kube_service_c1_class_proxy-public", "b1")
    assert problem in found.problem
    assert do in found.do


READY = ("observedGeneration", "updatedReplicas", "availableReplicas", "replicas")


def test_a_hub_without_its_service_is_said(world):
    hub = {"metadata": {"name": "hub", "namespace": "class", "labels": {"component": "hub"}}}
    world.kube.objects["Deployment"] = [hub | {"spec": {"replicas": 1}, "status": dict.fromkeys(READY, 1)}]
    found = world.only()
    assert (found.kind, found.name, found.problem) == ("service", "class/proxy-public", "is missing")
    assert found.do.startswith("zerojhub up")


def test_a_service_without_an_address_says_that_the_pool_is_exhausted(world):
    meta = {"name": "proxy-public", "namespace": "class", "uid": "s1", "creationTimestamp": ago(hours=1)}
    world.kube.objects["Service"] = [{"metadata": meta, "spec": {"type": "LoadBalancer"}, "status": {}}]
    message = "Error syncing load balancer: No more IP addresses available on network n1."
    involved = {"name": "proxy-public", "namespace": "class"}
    warning = {"involvedObject": involved, "type": "Warning", "reason": "SyncLoadBalancerFailed", "message": message}
    world.kube.objects["Event"] = [{"metadata": {"name": "e1", "namespace": "class"}, **warning}]
    found = world.only()
    assert (found.kind, found.name) == ("service", "class/proxy-public")
    assert "No more IP addresses available" in found.problem
    assert "the pool of addresses is exhausted" in found.why
    assert "openstack floating ip list --status DOWN" in found.do


def test_a_pool_without_addresses_where_the_cloud_tells(world):
    there = {"network_ip_availability": {"total_ips": 30, "used_ips": 30}}
    world.fake.answer(f"GET {NETWORK}/network-ip-availabilities/n1", Answer(200, there))
    found = world.only()
    assert (found.kind, found.name, found.problem) == ("network", "public", "all of its 30 addresses are in use")


def test_two_networks_of_the_name_in_the_template(world):
    world.networks = [{"id": "n1", "name": "public"}, {"id": "n2", "name": "public"}]
    world.template["external_network_id"] = "public"
    diagnosis = world.look()
    found = next(each for each in diagnosis.findings if each.kind == "template")
    assert found.problem == "2 external networks are named 'public'"
    assert found.do == "use the ID of one: n1, n2"


def test_two_external_networks_of_which_the_router_leads_to_the_other(world):
    world.networks = [{"id": "n1", "name": "public"}, {"id": "n2", "name": "campus"}]
    world.routers[0]["external_gateway_info"] = {"network_id": "n2"}
    found = world.only()
    assert (found.kind, found.name, found.id) == ("network", "public", "n1")
    assert "router router leads to campus" in found.problem
    assert "name campus as external_network" in found.do


# -- room, hubs, certificates and credentials ---------------------------------------------------------------------------


def test_no_room_for_the_volume_of_another_user(world):
    world.volume_quota["in_use"] = 10
    found = world.only()
    assert found.problem == "1 volume needed, 0 of 10 free"
    assert found.why == "nobody who logs in for the first time gets a volume"


def test_no_room_for_a_node_of_a_cluster_that_is_to_grow(world):
    world.cluster["labels"] = {"auto_scaling_enabled": "true"}
    assert world.only().problem == "1 instance needed, 0 of 2 free"


def test_a_pod_of_the_hub_that_cannot_start(world):
    broken = pod("hub-2", "class-x1-node-0", phase="Pending")
    waiting = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}
    status = {"name": "hub", "image": "example.org/hub:1", "restartCount": 0, "state": {"waiting": waiting}}
    broken["status"]["containerStatuses"] = [status]
    world.kube.objects["Pod"].append(broken)
    found = world.only()
    assert (found.kind, found.name) == ("pod", "class/hub-2")
    assert "cannot pull image example.org/hub:1" in found.problem


def test_what_the_cluster_itself_runs_is_not_ready(world):
    broken = pod("zerojhub-node-marks-1", "class-x1-node-0", phase="Pending")
    broken["metadata"]["namespace"] = "kube-system"
    waiting = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}
    status = {"name": "marker", "image": "docker.io/library/python:0", "restartCount": 0, "state": {"waiting": waiting}}
    broken["status"]["containerStatuses"] = [status]
    world.kube.objects["Pod"].append(broken)
    found = world.only()
    assert (found.kind, found.name) == ("pod", "kube-system/zerojhub-node-marks-1")
    assert "cannot pull image docker.io/library/python:0" in found.problem
    assert found.do == "kubectl -n kube-system describe pod zerojhub-node-marks-1"


@pytest.mark.parametrize(
    ("days", "https", "why", "problem"),
    [
        (89, {"contact": "a@b.org"}, "", None),
        (
            89,
            {"contact": "a@b.org"},
            "unable to get local issuer certificate",
            "it is refused: unable to get local issuer",
        ),
        (29, {"certificate": "c", "key": "k"}, "", "it expires in 29 days"),
        (50, {"contact": "a@b.org"}, "", None),
        (20, {"contact": "a@b.org"}, "", "it expires in 20 days"),
        (-1, True, "certificate has expired", "it expired 2 days ago"),
    ],
)
def test_a_certificate_of_the_hub_that_browsers_refuse_or_will_soon(world, monkeypatch, days, https, why, problem):
    shown = x509.load_pem_x509_certificate(certificate(days + 0.5 if days > 0 else days - 0.5).encode())
    seen: list[Any] = []

    async def here(name: str) -> set[str]:
        return {"203.0.113.7"}

    def handshake(*asked: Any) -> tls.Handshake:
        seen.append(asked)
        return tls.Handshake("objection" if why else "verified", shown.public_bytes(serialization.Encoding.DER), why)

    monkeypatch.setattr(lookup, "here", here)
    monkeypatch.setattr(tls, "handshake", handshake)
    world.deployment.hub = HubSpec.model_validate({"host": "hub.example.org", "https": https})
    found = [(each.name, each.problem) for each in world.findings()]
    assert [name for name, _ in found] == ["hub.example.org"] * (problem is not None)
    assert all(text.startswith(problem) for _, text in found)
    assert seen == [("203.0.113.7", 443, "hub.example.org", None)]


@pytest.mark.parametrize(("days", "problem"), [(12.5, "it expires in 12 days"), (-3.5, "it expired 4 days ago")])
def test_certificates_that_end(world, days, problem):
    world.authority = certificate(days)
    world.machine.certificates += certificate(days, "kubelet")
    found = world.findings()
    assert {each.problem for each in found} == {problem}
    assert {each.name for each in found} >= {"class: CA kubernetes", "class: CN=kubelet"}
    assert {each.do for each in found} == {"zerojhub cluster rotate-ca c1 --cloud fake"}


def test_an_application_credential_that_expires(world):
    ident = {"id": "a1", "name": "laptop"}
    world.fake.in_token = {"application_credential": {**ident, "restricted": True}}
    path = "/identity/v3/users/u1/application_credentials/a1"
    soon = utc((now() + datetime.timedelta(days=2.5)).isoformat())
    world.fake.keystone[path] = {"application_credential": {**ident, "expires_at": soon}}
    found = world.only()
    assert (found.kind, found.name, found.id) == ("application credential", "laptop", "a1")
    assert found.problem == "it expires in 2 days"
    assert "openstack application credential create --unrestricted laptop-" in found.do
    world.fake.keystone[path] = {"application_credential": {**ident, "expires_at": None}}
    assert world.findings() == []


def test_a_restricted_application_credential_cannot_create_a_cluster(world):
    ident = {"id": "a1", "name": "laptop"}
    world.fake.in_token = {"application_credential": {**ident, "restricted": True}}
    path = "/identity/v3/users/u1/application_credentials/a1"
    world.fake.keystone[path] = {"application_credential": {**ident, "expires_at": None}}
    world.cluster = {}
    assert "it is restricted" in [each.problem for each in world.look().findings]


@pytest.mark.parametrize(
    ("driver", "do"),
    [
        ("k8s_fedora_coreos_v1", "only a new cluster gets another one: zerojhub move --to FILE"),
        ("k8s_cluster_api_ubuntu", "zerojhub cluster credentials c1 --rotate --cloud fake"),
    ],
)
def test_a_credential_of_the_cluster_that_keystone_refuses(world, driver, do):
    world.template["driver"] = driver
    world.machine.password = "revoked"
    found = world.only()
    assert (found.kind, found.name, found.id) == ("trust", "class", "t1")
    assert found.do == do


# -- looking ------------------------------------------------------------------------------------------------------------


def test_a_check_that_cannot_look_says_why_and_keeps_no_other_from_looking(world):
    world.volumes = [world.volume("error")]
    world.serve()
    world.fake.answer("GET /load-balancer/v2.0/lbaas/loadbalancers", Answer(403, {"faultstring": "Policy forbids it."}))
    diagnosis = anyio.run(partial(examine, world.run(), ""))
    assert [each.kind for each in diagnosis.findings] == ["volume"]
    [unchecked] = diagnosis.unchecked
    assert unchecked.check == "load balancers"
    assert "Policy forbids it." in unchecked.reason


def test_a_cloud_without_load_balancers_has_none_that_failed(world):
    del world.fake.catalog["load-balancer"]
    assert world.findings() == []


def test_a_cluster_that_does_not_answer_is_asked_once_and_the_project_is_looked_at_all_the_same(world, monkeypatch):
    asked = 0

    def no_answer() -> None:
        nonlocal asked
        asked += 1
        raise KubeError("Kubernetes: connection refused")

    world.kube.before_list = no_answer
    world.servers[1]["status"] = "ERROR"
    diagnosis = world.look()
    assert [each.kind for each in diagnosis.findings] == ["server"]
    assert {each.reason for each in diagnosis.unchecked} == {"Kubernetes: connection refused"}
    assert asked <= 6  # once for each kind of object


def test_a_check_that_takes_too_long_is_given_up(world, monkeypatch):
    monkeypatch.setattr(examining, "CHECK_TIMEOUT", 0.2)

    async def forever(subject: Any) -> list[Finding]:
        await anyio.sleep_forever()
        return []

    world.serve()
    checks = [Check("patience", forever), *CHECKS[3:4]]
    diagnosis = anyio.run(partial(examine, world.run(), "", checks=checks))
    assert [(each.check, each.reason) for each in diagnosis.unchecked] == [("patience", "no answer in 0.2 s")]


def test_a_deployment_without_a_cluster_is_told_what_would_stop_it(world):
    world.cluster = {}
    world.networks = []
    world.template |= {"external_network_id": "public", "flavor_id": "small"}
    diagnosis = world.look()
    assert diagnosis.looked_at == "deployment class, which has no cluster yet"
    problems = [each.problem for each in diagnosis.findings]
    assert "no external network named 'public'" in problems
    assert any("instance" in each and "needed" in each for each in problems)


def test_two_clusters_of_the_name_are_the_users_to_tell_apart(world):
    world.serve()
    both = {"clusters": [world.cluster, world.cluster | {"uuid": "c2"}]}
    world.fake.answer(f"GET {MAGNUM}/clusters", Answer(200, both))
    with pytest.raises(UserError, match="2 clusters are named 'class'"):
        anyio.run(partial(examine, world.run(), ""))


# -- the command --------------------------------------------------------------------------------------------------------


@pytest.fixture
def command(world: World, tmp_path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs `zerojhub doctor` on the deployment, with its way into the cluster."""
    (tmp_path / "hub.yaml").write_text("name: class\ncloud: fake\ncluster: {template: t1}\n")
    monkeypatch.chdir(tmp_path)
    way: Any = SimpleNamespace(kube=world.kube, machine=world.machine, address="192.0.2.5", version="v1.34.4")

    async def reach(subject: Any) -> Any:
        return way

    monkeypatch.setattr("zerojhub.doctor.subject.Subject._reach", reach)

    def run_command(*words: str, code: int) -> Any:
        world.serve()
        return run("doctor", *words, code=code)

    return run_command


def test_a_cluster_that_is_well_exits_with_0(command):
    assert command(code=0).stdout == "cluster class (c1): nothing wrong\n"


def test_findings_exit_with_3_and_say_what_fix_would_do(world, command):
    world.off()
    world.kube.objects["Pod"][1] = pod("jupyter-ada", "class-x1-node-0", "claim-ada", deleted=True)
    lines = command(code=3).stdout.splitlines()
    at = lines.index(
        "pod class/jupyter-ada (uid-jupyter-ada): it is being deleted on class-x1-node-0, whose server is off"
    )
    assert lines[at + 1] == "  why: its volume is not released, and its owner cannot start again elsewhere"
    assert lines[at + 2] == "  do:  kubectl -n class delete pod jupyter-ada --force --grace-period 0"
    assert lines[at + 3] == "  fix: declare pod jupyter-ada dead, on node class-x1-node-0, which is off"
    assert lines[-2:] == ["cluster class (c1): 3 problems", "next: zerojhub doctor --fix"]
    assert world.kube.deleted == []


def test_a_fix_is_shown_and_asked_about_before_it_is_done(world, command):
    world.off()
    world.kube.objects["Pod"][1] = pod("jupyter-ada", "class-x1-node-0", "claim-ada", deleted=True)
    asked = command("--fix", code=2).stderr
    assert "would declare pod jupyter-ada dead, on node class-x1-node-0, which is off\n" in asked
    assert "Do this? (confirm with --yes)" in asked
    assert world.kube.deleted == []
    result = json.loads(command("--fix", "--yes", "-o", "json", code=3).stdout)
    assert result["fixed"] == ["declare pod jupyter-ada dead, on node class-x1-node-0, which is off"]
    assert {each["kind"] for each in result["findings"]} == {"server", "node"}
    assert world.kube.deleted == ["jupyter-ada"]


def test_what_could_not_be_looked_at_exits_with_1(world, command):
    def no_answer() -> None:
        raise KubeError("Kubernetes: connection refused")

    world.kube.before_list = no_answer
    lines = command(code=1).stdout.splitlines()
    assert lines[0].startswith("could not check nodes, ") or ", nodes, " in lines[0]
    assert lines[0].endswith(": Kubernetes: connection refused")
    assert "nothing wrong; " in lines[-1]


def test_without_a_deployment_file_a_cluster_has_to_be_named(world, command, tmp_path):
    (tmp_path / "hub.yaml").unlink()
    assert "hub.yaml: no such file (name a deployment file with -f, or a cluster" in command(code=2).stderr
    assert command("class", "--cloud", "fake", code=0).stdout == "cluster class (c1): nothing wrong\n"
