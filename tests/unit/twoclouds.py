"""Two clusters in two clouds, in memory, with a place for backups that both reach.

Somebody changes their home and the accounts with every write of a command, for as long as the old hub runs. What must never
happen fails at once: a hub that starts without its accounts or somebody's files, two hubs at the same time, and a volume
that is written to where people have worked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict
from typing import Any

import pytest

from tests.unit.test_backup import SETTINGS
from tests.unit.twoclusters import HUB_CLAIM, LiveCluster, World, ended_pod, patch
from zerojhub import restoring
from zerojhub.backup import pod, work
from zerojhub.backup.installed import Installed
from zerojhub.backup.night import STATE_KEY, Owner
from zerojhub.backup.recover import PENDING, restored_from
from zerojhub.deployment import BackupSpec
from zerojhub.kube.labels import USERNAME
from zerojhub.moving import copying, plan
from zerojhub.run import Run
from zerojhub.stages import Backup

PLACE = "s3:https://store.example.org/box"
NOW = "2026-11-29T03:00:00Z"


class CloudCluster(LiveCluster):
    """A cluster whose driver creates a volume for each claim."""

    world: TwoClouds

    def bind(self, claim: dict[str, Any]) -> None:
        name = f"pvc-{self.uuid}-{claim['metadata']['name']}"
        spec = {"csi": {"driver": "cinder.csi.openstack.org", "volumeHandle": name}, "storageClassName": "cinder"}
        self.add("PersistentVolume", {"metadata": {"name": name}, "spec": spec})
        self.world.files[name] = {}
        claim["spec"]["volumeName"] = name
        claim["status"] = {"phase": "Bound", "capacity": {"storage": "10Gi"}}

    async def apply(self, manifest):
        self.world.write(f"apply {manifest['kind']}")
        there = await self.get(manifest["kind"], manifest["metadata"]["name"], manifest["metadata"].get("namespace"))
        if there is None:
            self.add(manifest["kind"], manifest)
        else:
            patch(there, json.loads(json.dumps(manifest)))

    async def delete(self, kind, name, namespace=None, *, wait=0, dependents_first=False):
        assert "PersistentVolume" not in kind, "somebody's volume is deleted"
        await super().delete(kind, name, namespace)

    def run_accounts(self, pod: dict[str, Any]) -> None:
        """What the script of zerojhub.data.accounts does to the database."""
        given = {each["name"]: each["value"] for each in pod["spec"]["containers"][0]["env"]}
        assert not self.hub_runs()
        assert self.database["namespace"] == given["OLD"]
        self.database["namespace"] = given["NEW"]
        pod["status"] = ended_pod({"there": True, "restored": False, "servers": 1})

    @property
    def database(self) -> dict[str, Any]:
        return self.volume(HUB_CLAIM)

    def volume(self, claim: str) -> dict[str, Any]:
        """What is on the claim's volume."""
        (there,) = [each for each in self.kind("PersistentVolumeClaim") if each["metadata"]["name"] == claim]
        return self.world.files[there["spec"]["volumeName"]]

    def homes(self) -> dict[str, dict[str, Any]]:
        """What each user has."""
        named = {each["metadata"]["name"]: each["metadata"] for each in self.kind("PersistentVolumeClaim")}
        users = {name: meta.get("annotations", {}).get(USERNAME) for name, meta in named.items()}
        return {user: self.volume(name) for name, user in users.items() if user}


class TwoClouds(World):
    """The hub is on the old cluster, with the homes of some people. `store`: repository -> its backups."""

    cluster_type = CloudCluster
    old: CloudCluster
    new: CloudCluster

    def __init__(self, **options: Any) -> None:
        self.files: dict[str, dict[str, Any]] = {}
        self.store: dict[str, dict[str, dict[str, Any]]] = {}
        self.restored: list[str] = []
        """The claims to which something was restored."""
        self.refuses: set[str] = set()
        """The repositories to which no backup can be made."""
        super().__init__(**options)
        for each in self.deployments.values():
            each.backup = BackupSpec(to=PLACE, password_file="password")

    def home(self, user: str) -> None:
        annotations = {USERNAME: user} if user else {}
        meta = {"name": f"claim-{user}" if user else HUB_CLAIM, "namespace": self.old.namespace}
        self.old.bind(
            self.old.add("PersistentVolumeClaim", {"metadata": meta | {"annotations": annotations}, "spec": {}})
        )
        self.old.volume(meta["name"]).update({"first": user} if user else {"users": 0, "namespace": self.old.namespace})

    def write(self, what: str) -> None:
        super().write(what)
        if self.old.hub_runs():
            home = self.old.volume("claim-ada")
            home.clear()
            home[f"after {self.writes} writes"] = what
            self.old.database["users"] += 1

    def refuse_second_hub(self, starting: LiveCluster) -> None:
        assert isinstance(starting, CloudCluster)
        other = self.new if starting is self.old else self.old
        assert not other.hub_runs(), "two hubs at the same time"
        assert "users" in starting.database, "the hub starts without its accounts"
        assert starting.database["namespace"] == starting.namespace, "servers would start in another namespace"
        if starting is self.new and "worked here" not in self.new.database:
            assert self.same(), "the hub starts without what people had when it was stopped"

    def same(self) -> bool:
        """Does the new cluster have what the old one has?"""
        return self.old.homes() == self.new.homes() and self.new.database["users"] == self.old.database["users"]

    def back_up(self, cluster: CloudCluster, owner: Owner) -> None:
        """What the cron job does for one owner."""
        if owner.name in self.refuses:
            return
        self.write(f"back up {owner.name}")
        made = self.store.setdefault(owner.name, {})
        snapshot = hashlib.sha256(f"{owner.name} {len(made)}".encode()).hexdigest()[:8]
        made[snapshot] = deepcopy(cluster.volume(owner.claim or HUB_CLAIM))
        self.write(f"note {owner.name}")
        (config_map,) = [each for each in cluster.kind("ConfigMap") if each["metadata"]["name"] == pod.STATE]
        noted = json.loads(config_map.setdefault("data", {}).get(STATE_KEY, '{"owners": {}}'))
        noted["owners"][owner.name] = asdict(owner) | {"snapshot": snapshot, "last_good": NOW, "bytes": 2**30}
        config_map["data"][STATE_KEY] = json.dumps(noted)

    async def ensure(self, run: Run, stage: Any) -> None:
        cluster = self.cluster_of(run)
        if stage is Backup:
            about = {"namespace": cluster.namespace}
            settings = {"settings.json": json.dumps(asdict(SETTINGS))}
            manifests: list[dict[str, Any]] = [
                {"kind": "ConfigMap", "metadata": about | {"name": pod.NAME}, "data": settings},
                {"kind": "ConfigMap", "metadata": about | {"name": pod.STATE}},
                {"kind": "CronJob", "metadata": about | {"name": pod.NAME}, "spec": {"schedule": "0 3 * * *"}},
            ]
            for manifest in manifests:
                if await cluster.get(manifest["kind"], manifest["metadata"]["name"], cluster.namespace) is None:
                    await cluster.apply(manifest)
        else:
            await super().ensure(run, stage)

    def paused(self, cluster: CloudCluster) -> bool:
        return any(each["spec"].get("suspend") for each in cluster.kind("CronJob"))

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().install(monkeypatch)

        async def run(installed: Installed, of: Sequence[Owner], say: Any) -> None:
            cluster: Any = installed.kube
            assert cluster is self.old or not self.old.hub_runs()
            for each in of or installed.there:
                self.back_up(cluster, each)

        async def prepare(run: Run) -> Any:
            await self.ensure(run, Backup)
            cluster = self.cluster_of(run)
            cluster.kind("CronJob").clear()
            return SETTINGS

        async def perform(kube: Any, settings: Any, task: Any, say: Any, *, doing: str, volume: Any = None) -> Any:
            if task["action"] == "prepare":
                return {}
            assert kube is self.new
            assert not self.new.hub_runs()
            assert task.get("exact") or task["action"] == "restore hub"
            claim = await kube.get("v1/PersistentVolumeClaim", volume.claim)
            assert restored_from(claim) == PENDING, "a copy that is not complete would be taken for one that is"
            there, kept = kube.volume(volume.claim), self.store[task["name"]]
            at = task["at"] or list(kept)[-1]
            there["half"] = "of a file"
            self.write(f"restore {volume.claim}")
            there.clear()
            there.update(deepcopy(kept[at]))
            self.write(f"restored {volume.claim}")
            self.restored.append(volume.claim)
            return {"id": at}

        monkeypatch.setattr(Installed, "run", run)
        monkeypatch.setattr(restoring, "prepare", prepare)
        monkeypatch.setattr(work, "perform", perform)
        monkeypatch.setattr(copying, "hub_of", self.hub_of)
        monkeypatch.setattr(plan, "project", lambda side: side.name)
