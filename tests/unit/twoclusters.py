"""Two clusters that share a project's volumes, in memory, with what Kubernetes and the stages of `up` would do.

A command can be killed at any write. What must never happen fails at once: a volume that is deleted, a hub that starts with
an empty database, two hubs at the same time, and a volume that two clusters have.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.kubernetes import Cluster
from zerojhub import graph
from zerojhub.data import kept, reattach
from zerojhub.data.reattach import Decision, Hub
from zerojhub.deployment import Deployment
from zerojhub.errors import ZeroJHubError
from zerojhub.hub.names import Scheme
from zerojhub.hub.release import InstalledRelease
from zerojhub.hub.standstill import moved_to
from zerojhub.moving import move, plan, pull, rehearsal, sides, stop, switch
from zerojhub.moving.sides import COPIED, REHEARSAL, Side
from zerojhub.openstack import cinder, leftovers, magnum
from zerojhub.run import Run, Silent
from zerojhub.stages import STAGES, Access, Address, Chart, Endpoint, Values, Volumes, chart

HUB_CLAIM = "hub-db-dir"
CREATED = "2026-01-01T00:00:00Z"


class Killed(BaseException):
    """The command's process ends here."""


class LiveCluster(Cluster):
    """A cluster whose controllers have always done their work already."""

    def __init__(self, world: World, uuid: str, namespace: str) -> None:
        super().__init__(PersistentVolume=[], PersistentVolumeClaim=[], Pod=[], Deployment=[], Namespace=[])
        self.world, self.uuid, self.namespace = world, uuid, namespace

    def kind(self, kind: str) -> list[dict[str, Any]]:
        return self.objects.setdefault(kind.rpartition("/")[2], [])

    def add(self, kind: str, manifest: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = json.loads(json.dumps(manifest))
        made["metadata"] |= {"uid": made["metadata"]["name"], "creationTimestamp": CREATED}
        made.setdefault("status", {})
        self.kind(kind).append(made)
        return made

    async def create(self, kind, manifest, *, dry_run=False):
        self.world.write(f"create {kind}")
        made = self.add(kind, manifest)
        if kind.endswith("PersistentVolumeClaim"):
            self.bind(made)
        if kind.endswith("PersistentVolume"):
            self.world.refuse_second_cluster(made["spec"]["csi"]["volumeHandle"])
        if kind.endswith("Pod"):
            self.run_accounts(made)
        return made

    async def apply(self, manifest):
        self.add(manifest["kind"], manifest)

    async def merge(self, kind, name, namespace, change):
        self.world.write(f"merge {kind} {name}")
        there = await self.get(kind, name, namespace)
        assert there is not None
        patch(there, change)
        if "claimRef" in change.get("spec", {}) and "uid" not in there["spec"]["claimRef"]:
            there["status"] = {"phase": "Available"}
        if kind.endswith("Deployment"):
            self.start_hub(there)
        return there

    async def delete(self, kind, name, namespace=None, *, wait=0, dependents_first=False):
        there = await self.get(kind, name, namespace)
        if there is None:
            return
        self.world.write(f"delete {kind} {name}")
        await super().delete(kind, name, namespace)
        if kind.endswith("PersistentVolumeClaim"):
            volume = next(
                each
                for each in self.kind("PersistentVolume")
                if each["metadata"]["name"] == there["spec"]["volumeName"]
            )
            volume["status"] = {"phase": "Released"}
            assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain", "the driver would delete the volume"

    def bind(self, claim: dict[str, Any]) -> None:
        reserved = [
            each
            for each in self.kind("PersistentVolume")
            if each["metadata"]["name"] == claim["spec"].get("volumeName")
            or each["spec"].get("claimRef", {}).get("name") == claim["metadata"]["name"]
        ]
        assert reserved, f"claim {claim['metadata']['name']} gets a new, empty volume"
        assert "uid" not in reserved[0]["spec"].get("claimRef", {})
        reserved[0]["spec"]["claimRef"] = {
            "name": claim["metadata"]["name"],
            "namespace": claim["metadata"]["namespace"],
            "uid": claim["metadata"]["uid"],
        }
        reserved[0]["status"] = {"phase": "Bound"}
        claim["spec"]["volumeName"] = reserved[0]["metadata"]["name"]
        claim["status"] = {"phase": "Bound"}

    def run_accounts(self, pod: dict[str, Any]) -> None:
        """What the script of zerojhub.data.accounts does to the database; that itself is tested with SQLite."""
        if self.rehearses():
            assert all(volume.startswith("copy") for volume in self.has())
            pod["status"] = ended_pod({"there": True, "restored": False, "servers": 1})
            return
        given = {each["name"]: each["value"] for each in pod["spec"]["containers"][0]["env"]}
        assert not self.hub_runs()
        database = self.world.database
        restored = given["BACK"] == "yes" and database["schema"] != self.world.copy.get("schema", database["schema"])
        if restored:
            database |= self.world.copy
        elif given["BACK"] == "no":
            self.world.copy = dict(database)
        database["namespace"] = given["NEW"]
        pod["status"] = ended_pod({"there": True, "restored": restored, "servers": 1})

    def rehearses(self) -> bool:
        (namespace,) = self.kind("Namespace")
        return REHEARSAL in namespace["metadata"].get("annotations", {})

    def start_hub(self, deployment: dict[str, Any]) -> None:
        pods = self.kind("Pod")
        pods[:] = [each for each in pods if each["metadata"]["labels"].get("component") != "hub"]
        if deployment["spec"]["replicas"]:
            self.world.refuse_second_hub(self)
            pods.append(self.pod("hub", "hub", HUB_CLAIM))

    def hub_runs(self) -> bool:
        return any(each["metadata"]["labels"].get("component") == "hub" for each in self.kind("Pod"))

    def pod(self, name: str, component: str, claim: str) -> dict[str, Any]:
        meta = {"name": name, "namespace": self.namespace, "labels": {"component": component}, "uid": name}
        volume = {"name": "v", "persistentVolumeClaim": {"claimName": claim}}
        return {"metadata": meta, "spec": {"containers": [], "volumes": [volume]}, "status": {"phase": "Running"}}

    def install(self) -> None:
        """The hub's release, as Helm installs or upgrades it."""
        if not any(each["metadata"]["name"] == HUB_CLAIM for each in self.kind("PersistentVolumeClaim")):
            meta = {"name": HUB_CLAIM, "namespace": self.namespace}
            self.bind(self.add("PersistentVolumeClaim", {"metadata": meta, "spec": {}}))
        if not self.kind("Deployment"):
            template = {
                "spec": self.pod("hub", "hub", HUB_CLAIM)["spec"] | {"containers": [{"name": "hub", "image": "hub:1"}]}
            }
            labels = {"component": "hub", "release": self.namespace}
            about = {"name": "hub", "namespace": self.namespace, "labels": labels}
            self.add("Deployment", {"metadata": about, "spec": {"replicas": 0, "template": template}})
        (hub,) = self.kind("Deployment")
        hub["spec"]["replicas"] = 1
        self.start_hub(hub)

    def has(self) -> set[str]:
        """The volumes that claims of the cluster are bound to."""
        bound = {claim["spec"].get("volumeName") for claim in self.kind("PersistentVolumeClaim")}
        return {
            each["spec"]["csi"]["volumeHandle"]
            for each in self.kind("PersistentVolume")
            if each["metadata"]["name"] in bound and each["status"]["phase"] == "Bound"
        }


@dataclass(frozen=True)
class Rendered:
    """The values of a hub."""

    user: Any
    fingerprint: str


class World:
    """The project. `kill_at`: the number of the write at which the command is killed."""

    cluster_type = LiveCluster

    def __init__(
        self, *, namespaces: tuple[str, str] = ("class", "class2"), people: tuple[str, ...] = ("ada", "ada-b")
    ):
        self.volumes: dict[str, dict[str, Any]] = {}
        self.writes, self.kill_at = 0, 0
        self.user = SimpleNamespace(values={})
        self.database: dict[str, Any] = {"schema": 1, "namespace": namespaces[0]}
        self.copy: dict[str, Any] = {}
        self.schemas = {"c1": 1, "c2": 1}
        """What the hub of each cluster makes of the database."""
        self.old, self.new = self.cluster_type(self, "c1", namespaces[0]), self.cluster_type(self, "c2", namespaces[1])
        self.deployments = {
            cluster: Deployment.model_validate(
                {"name": name, "cloud": "fake", "cluster": {"template": "t"}, "hub": {"namespace": cluster.namespace}}
            )
            for cluster, name in ((self.old, "class"), (self.new, "class2"))
        }
        for cluster in (self.old, self.new):
            cluster.add("Namespace", {"metadata": {"name": cluster.namespace}})
        for name in (*people, ""):
            self.home(name)
        self.old.install()
        self.old.kind("Pod").append(self.old.pod("jupyter-ada", "singleuser-server", "claim-ada"))

    def home(self, user: str) -> None:
        claim, id = (f"claim-{user}", f"v-{user}") if user else (HUB_CLAIM, "v-hub")
        tag = {"cinder.csi.openstack.org/cluster": "c1"}
        self.volumes[id] = {
            "id": id,
            "name": f"pvc-{id}",
            "size": 1,
            "status": "available",
            "availability_zone": "nova",
        }
        self.volumes[id] |= {"attachments": [], "metadata": tag, "created_at": "2026-01-01T00:00:00.000000"}
        spec = {"capacity": {"storage": "1Gi"}, "persistentVolumeReclaimPolicy": "Delete", "storageClassName": "cinder"}
        spec |= {"csi": {"driver": "cinder.csi.openstack.org", "volumeHandle": id, "fsType": "ext4"}}
        self.old.add("PersistentVolume", {"metadata": {"name": f"pvc-{id}"}, "spec": spec})
        annotations = {"hub.jupyter.org/username": user} if user else {}
        meta: dict[str, Any] = {"name": claim, "namespace": self.old.namespace, "annotations": annotations}
        self.old.bind(self.old.add("PersistentVolumeClaim", {"metadata": meta, "spec": {"volumeName": f"pvc-{id}"}}))

    def write(self, what: str) -> None:
        self.writes += 1
        if self.writes == self.kill_at:
            raise Killed(what)

    def refuse_second_hub(self, starting: LiveCluster) -> None:
        if starting.rehearses():
            assert all(volume.startswith("copy") for volume in starting.has()), "a rehearsal has real volumes"
            return
        other = self.new if starting is self.old else self.old
        assert not other.hub_runs(), "two hubs at the same time"
        assert "v-hub" in starting.has(), "the hub starts without its accounts"
        assert starting.has() == set(self.volumes), "the hub starts before everybody has their volume"
        assert self.database["schema"] <= self.schemas[starting.uuid], "the hub cannot read its database"
        assert self.database["namespace"] == starting.namespace, "servers would start in another namespace"
        self.database["schema"] = self.schemas[starting.uuid]

    def refuse_second_cluster(self, volume: str) -> None:
        both = [
            cluster
            for cluster in (self.old, self.new)
            for each in cluster.kind("PersistentVolume")
            if each["spec"]["csi"]["volumeHandle"] == volume
        ]
        assert len(both) == 1, f"both clusters have volume {volume}"

    def cluster_of(self, run: Run) -> LiveCluster:
        return next(each for each, known in self.deployments.items() if known.name == run.deployment.name)

    async def look(self, run: Run) -> Side:
        cluster = self.cluster_of(run)
        found = Run(run.deployment, Silent(), run.cloud)
        reach: Any = SimpleNamespace(kube=cluster, version="v1.34.4", road="api")
        found[Access] = reach
        hub = cluster.kind("Deployment")
        url = f"http://{cluster.uuid}/" if cluster.hub_runs() else None
        record: Any = {"uuid": cluster.uuid, "name": run.deployment.name, "labels": {}}
        running = SimpleNamespace(run=found, url=url, statuses=[], drift=[])
        data: Any = SimpleNamespace(
            running=running,
            cluster=record,
            kube=cluster,
            here=SimpleNamespace(
                claims=cluster.kind("PersistentVolumeClaim"), volumes=cluster.kind("PersistentVolume")
            ),
            items=[],
            require_kube=lambda: cluster,
            require_answers=lambda: None,
        )
        version = self.schemas[cluster.uuid]
        release = InstalledRelease(1, "deployed", f"jupyterhub-{version + 2}.0.0", "", {}) if hub else None
        mark = "class" if cluster.rehearses() else None
        (namespace,) = cluster.kind("Namespace")
        copied_from = namespace["metadata"].get("annotations", {}).get(COPIED)
        return Side(run, found, data, release, await moved_to(cluster, cluster.namespace), mark, copied_from)

    async def ensure(self, run: Run, stage: Any) -> None:
        """What the stages do that matter for a move."""
        cluster = self.cluster_of(run)
        if stage is Volumes:
            hub = await self.hub_of(run)
            own: Any = {"uuid": cluster.uuid}
            found = await kept.find(run.cloud, run.deployment, own)
            decision = await reattach.look(cluster, run.cloud, found.volumes, hub) if found.volumes else Decision()
            await reattach.give_back(cluster, run.cloud, decision.returns, hub, lambda text: None)
            run[Volumes] = Decision([], decision.problems)
        if stage is Chart:
            if target := await moved_to(cluster, cluster.namespace):
                raise ZeroJHubError(f"the hub moves to {target}")
            self.write("helm")
            if not cluster.hub_runs():
                cluster.install()
        if stage is Values:
            rendered: Any = Rendered(self.user, "")
            run[Values] = rendered
        if stage is Endpoint:
            run[Endpoint] = f"http://{cluster.uuid}/"

    async def up(self, run: Run, stages: Any) -> list[Any]:
        for stage in STAGES:
            if stage in stages:
                await self.ensure(run, stage)
        return []

    async def hub_of(self, run: Run) -> Hub:
        cluster = self.cluster_of(run)
        scheme = Scheme(self.schemas[cluster.uuid] > 1, "claim-{username}")
        return Hub(
            cluster.namespace, run.deployment.release, cluster.uuid, scheme, "cinder", "cinder", 1, {"cinder": "Delete"}
        )

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Use it in place of OpenStack, Kubernetes and the stages."""

        async def listed(cloud: Any) -> list[dict[str, Any]]:
            return list(self.volumes.values())

        async def set_metadata(cloud: Any, volume: str, metadata: dict[str, str]) -> None:
            self.write(f"metadata of {volume}")
            self.volumes[volume]["metadata"] |= metadata

        async def delete_metadata(cloud: Any, volume: str, key: str) -> None:
            self.write(f"metadata of {volume}")
            self.volumes[volume]["metadata"].pop(key, None)

        async def clusters(cloud: Any) -> list[dict[str, Any]]:
            return [{"uuid": each.uuid, "name": each.uuid, "labels": {}} for each in (self.old, self.new)]

        async def clone_volume(
            cloud: Any, source: str, size: int, name: str, metadata: dict[str, str]
        ) -> dict[str, Any]:
            self.write(f"clone {source}")
            id = f"copy-of-{source}"
            self.volumes[id] = self.volumes[source] | {"id": id, "metadata": dict(metadata), "attachments": []}
            return self.volumes[id]

        async def delete_volume(cloud: Any, volume: str) -> bool:
            self.write(f"delete {volume}")
            assert volume.startswith("copy"), "somebody's volume is deleted"
            del self.volumes[volume]
            return True

        async def down(run: Run, stages: Any, teardown: Any, *, act: Any = None) -> None:
            """The hub's release is gone, with the volumes that are to be deleted."""
            cluster = self.cluster_of(run)
            assert set(act) == {Address, Chart}
            assert all(volume.startswith("copy") for volume in cluster.has())
            self.write("helm uninstall")
            for kind in ("Pod", "Deployment", "PersistentVolumeClaim", "PersistentVolume"):
                cluster.kind(kind).clear()
            for volume in teardown.doomed:
                del self.volumes[volume]

        async def nothing(*arguments: Any, **options: Any) -> list[Any]:
            return []

        async def stop_servers(url: str, *_: Any) -> None:
            cluster = self.old if "c1" in url else self.new
            pods = cluster.kind("Pod")
            pods[:] = [each for each in pods if each["metadata"]["labels"].get("component") != "singleuser-server"]

        monkeypatch.setattr(cinder, "volumes", listed)
        monkeypatch.setattr(cinder, "set_metadata", set_metadata)
        monkeypatch.setattr(cinder, "delete_metadata", delete_metadata)
        monkeypatch.setattr(cinder, "zones", nothing)
        monkeypatch.setattr(magnum, "clusters", clusters)
        monkeypatch.setattr(cinder, "clone_volume", clone_volume)
        monkeypatch.setattr(leftovers, "delete_volume", delete_volume)
        monkeypatch.setattr(graph, "down", down)
        monkeypatch.setattr(graph, "up", self.up)
        monkeypatch.setattr(graph, "ensure", self.ensure)
        monkeypatch.setattr(sides, "look", self.look)
        monkeypatch.setattr(stop, "_stop_servers", stop_servers)
        monkeypatch.setattr(plan, "structural", lambda *_: [])
        monkeypatch.setattr(plan, "project", lambda side: "the project of both")
        monkeypatch.setattr(chart, "keep_secrets", nothing)
        monkeypatch.setattr(switch, "announce", nothing)
        monkeypatch.setattr(plan, "merged_values", lambda side: {"hub": {"image": {"name": "hub", "tag": "1"}}})
        monkeypatch.setattr(pull, "pull", nothing)
        monkeypatch.setattr(move, "hub_of", self.hub_of)
        monkeypatch.setattr(rehearsal, "hub_of", self.hub_of)

    def runs(self) -> Iterator[Run]:
        for cluster in (self.old, self.new):
            yield Run(self.deployments[cluster], Silent())


def ended_pod(message: dict[str, Any]) -> dict[str, Any]:
    ended = {"exitCode": 0, "message": json.dumps(message)}
    status = {"name": "data", "image": "i", "restartCount": 0, "state": {"terminated": ended}}
    return {"phase": "Succeeded", "containerStatuses": [status]}


def patch(there: dict[str, Any], change: dict[str, Any]) -> None:
    """A JSON merge patch (RFC 7396)."""
    for key, value in change.items():
        if value is None:
            there.pop(key, None)
        elif isinstance(value, dict) and isinstance(there.get(key), dict):
            patch(there[key], value)
        else:
            there[key] = value
