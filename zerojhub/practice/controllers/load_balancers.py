"""An Octavia load balancer with a floating IP for each Service of type LoadBalancer, as cloud-provider-openstack has it."""

from __future__ import annotations

import asyncio
from typing import Any

from zerojhub.practice.controllers.events import record
from zerojhub.practice.controllers.openstack import Cloud
from zerojhub.practice.controllers.work import Work
from zerojhub.practice.ground import GroundError
from zerojhub.practice.machines.kubeapi import KubeAPI, Object

FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
INTERNAL = "service.beta.kubernetes.io/openstack-internal-load-balancer"
KEEP = "loadbalancer.openstack.org/keep-floatingip"
ID = "loadbalancer.openstack.org/load-balancer-id"
SOURCE = "service-controller"
LBAAS = "/v2.0/lbaas"


class LoadBalancers:
    """Makes, changes and removes the load balancers of one cluster."""

    def __init__(self, api: KubeAPI, cloud: Cloud, cluster_id: str):
        self._api, self._cloud, self._cluster = api, cloud, cluster_id
        self._services: list[Object] = []
        self._members: list[str] = []
        self._done: dict[str, tuple[Any, ...]] = {}
        """UID of a Service -> what it was when its load balancer last fitted it."""
        self._work = Work()

    async def services(self) -> None:
        """Follow the Services, for ever."""
        try:
            async for services in self._api.follow("/api/v1/services"):
                self._services = services
                self._look()
        finally:
            self._work.drop(set())

    async def nodes(self) -> None:
        """Follow the nodes that traffic can go to, for ever."""
        async for nodes in self._api.follow("/api/v1/nodes"):
            members = sorted(_address(node) for node in nodes if _takes_traffic(node))
            if members != self._members:
                self._members = members
                self._look()

    def _look(self) -> None:
        here = {service["metadata"]["uid"] for service in self._services}
        self._done = {uid: state for uid, state in self._done.items() if uid in here}
        self._work.drop(here)
        for service in self._services:
            uid = service["metadata"]["uid"]
            if _wants(service):
                if self._members and self._done.get(uid) != self._state(service):
                    self._work.start(uid, lambda uid=uid: self._ensure(uid))
            elif FINALIZER in service["metadata"].get("finalizers", []):
                self._work.start(uid, lambda service=service: self._remove(service))

    def _state(self, service: Object) -> tuple[Any, ...]:
        return _ports(service), tuple(self._members), service["spec"].get("loadBalancerIP")

    async def _ensure(self, uid: str) -> None:
        """Make the load balancer fit the Service; again when that has changed meanwhile."""
        while service := next((each for each in self._services if each["metadata"]["uid"] == uid), None):
            state = self._state(service)
            if not _wants(service) or self._done.get(uid) == state:
                return
            try:
                address = await self._fit(service)
            except GroundError as error:
                why = f"Error syncing load balancer: failed to ensure load balancer: {error}"
                await self._say(service, "SyncLoadBalancerFailed", why, warning=True)
                raise
            self._done[uid] = state
            if _ingress(service) != address:
                status = {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}
                await self._api.merge(f"{_path(service)}/status", status)
                await self._say(service, "EnsuredLoadBalancer", "Ensured load balancer")

    async def _fit(self, service: Object) -> str:
        """The address at which the Service can be reached."""
        finalizers = service["metadata"].get("finalizers", [])
        balancer = await self._find(service)
        if not balancer:
            await self._say(service, "EnsuringLoadBalancer", "Ensuring load balancer")
            if FINALIZER not in finalizers:
                await self._api.merge(_path(service), {"metadata": {"finalizers": [*finalizers, FINALIZER]}})
            wanted = self._whole(service)
            created = await self._cloud.create("load-balancer", f"{LBAAS}/loadbalancers", {"loadbalancer": wanted})
            balancer = created["loadbalancer"]
            await self._api.merge(_path(service), {"metadata": {"annotations": {ID: balancer["id"]}}})
        else:
            await self._change(service, balancer)
        await self._wait_active(balancer["id"])
        if service["metadata"].get("annotations", {}).get(INTERNAL) == "true":
            return balancer["vip_address"]
        return await self._floating(service, balancer["vip_port_id"])

    def _whole(self, service: Object) -> Object:
        name = self._name(service)
        return {
            "name": name,
            "description": f"Kubernetes external service {_full_name(service)} from cluster {self._cluster}",
            "vip_subnet_id": self._cloud.settings["LoadBalancer"]["subnet-id"],
            "listeners": [self._listener(name, index, port) for index, port in enumerate(_ports(service))],
        }

    def _listener(self, name: str, index: int, port: tuple[int, int]) -> Object:
        pool = {
            "name": f"pool_{index}_{name}",
            "protocol": "TCP",
            "lb_algorithm": "ROUND_ROBIN",
            "members": self._pool_members(port[1]),
        }
        return {
            "name": f"listener_{index}_{name}",
            "protocol": "TCP",
            "protocol_port": port[0],
            "default_pool": pool,
        }

    def _pool_members(self, node_port: int) -> list[Object]:
        return [{"address": address, "protocol_port": node_port} for address in self._members]

    async def _change(self, service: Object, balancer: Object) -> None:
        """Only what differs: listeners of ports that came or went, members of those that stayed."""
        wanted = dict(_ports(service))
        lists = {}
        for kind in ("listeners", "pools"):
            found = await self._cloud.get("load-balancer", f"{LBAAS}/{kind}", loadbalancer_id=balancer["id"])
            lists[kind] = (found or {}).get(kind, [])
        pools = {pool["id"]: pool for pool in lists["pools"]}
        for listener in lists["listeners"]:
            pool = pools.get(listener["default_pool_id"])
            node_port = wanted.pop(listener["protocol_port"], None)
            if node_port is None:
                await self._cloud.delete("load-balancer", f"{LBAAS}/listeners/{listener['id']}")
                if pool:
                    await self._cloud.delete("load-balancer", f"{LBAAS}/pools/{pool['id']}")
            elif pool:
                await self._change_members(pool["id"], self._pool_members(node_port))
        for index, port in enumerate(wanted.items(), start=len(lists["listeners"])):
            listener = self._listener(self._name(service), index, port) | {"loadbalancer_id": balancer["id"]}
            await self._cloud.create("load-balancer", f"{LBAAS}/listeners", {"listener": listener})

    async def _change_members(self, pool: str, wanted: list[Object]) -> None:
        path = f"{LBAAS}/pools/{pool}/members"
        found = ((await self._cloud.get("load-balancer", path)) or {}).get("members", [])
        have = [{"address": member["address"], "protocol_port": member["protocol_port"]} for member in found]
        if sorted(have, key=str) != sorted(wanted, key=str):
            await self._cloud.update("load-balancer", path, {"members": wanted})

    async def _wait_active(self, ident: str) -> None:
        for _ in range(100):
            found = await self._cloud.get("load-balancer", f"{LBAAS}/loadbalancers/{ident}")
            status = found["loadbalancer"]["provisioning_status"] if found else "DELETED"
            if status == "ACTIVE":
                return
            if status in ("ERROR", "DELETED"):
                break
            await asyncio.sleep(0.3)
        raise GroundError(f"loadbalancer {ident} has gone into {status} state")

    async def _floating(self, service: Object, port: str) -> str:
        """The floating IP of the load balancer: the one it has, the one that the Service asks for, or a new one."""
        found = await self._cloud.get("network", "/v2.0/floatingips", port_id=port)
        if found and found["floatingips"]:
            return found["floatingips"][0]["floating_ip_address"]
        asked = service["spec"].get("loadBalancerIP")
        if asked:
            found = await self._cloud.get("network", "/v2.0/floatingips", floating_ip_address=asked)
            for floating in (found or {}).get("floatingips", []):
                if floating["port_id"]:
                    raise GroundError(f"floating IP {asked} is not available")
                change = {"floatingip": {"port_id": port}}
                await self._cloud.update("network", f"/v2.0/floatingips/{floating['id']}", change)
                return asked
        body = {
            "floating_network_id": self._cloud.settings["LoadBalancer"]["floating-network-id"],
            "port_id": port,
            "description": self._floating_description(service),
        }
        if asked:
            body["floating_ip_address"] = asked
        created = await self._cloud.create("network", "/v2.0/floatingips", {"floatingip": body})
        return created["floatingip"]["floating_ip_address"]

    async def _remove(self, service: Object) -> None:
        """Take away the load balancer, then let the Service go."""
        await self._say(service, "DeletingLoadBalancer", "Deleting load balancer")
        balancer = await self._find(service)
        if balancer:
            # Only a floating IP that was made for the Service: one that it asked for belongs to someone.
            keep = service["metadata"].get("annotations", {}).get(KEEP) == "true"
            found = await self._cloud.get("network", "/v2.0/floatingips", port_id=balancer["vip_port_id"])
            for floating in (found or {}).get("floatingips", []):
                if not keep and floating["description"] == self._floating_description(service):
                    await self._cloud.delete("network", f"/v2.0/floatingips/{floating['id']}")
            path = f"{LBAAS}/loadbalancers/{balancer['id']}"
            await self._cloud.delete("load-balancer", path, cascade="true")
            while await self._cloud.get("load-balancer", path):
                await asyncio.sleep(0.3)
        if "deletionTimestamp" not in service["metadata"]:
            await self._api.merge(f"{_path(service)}/status", {"status": {"loadBalancer": {"ingress": None}}})
        await self._say(service, "DeletedLoadBalancer", "Deleted load balancer")
        left = [each for each in service["metadata"]["finalizers"] if each != FINALIZER]
        await self._api.merge(_path(service), {"metadata": {"finalizers": left}})
        self._done.pop(service["metadata"]["uid"], None)

    async def _find(self, service: Object) -> Object | None:
        found = await self._cloud.get("load-balancer", f"{LBAAS}/loadbalancers", name=self._name(service))
        return next(iter((found or {}).get("loadbalancers", [])), None)

    def _name(self, service: Object) -> str:
        metadata = service["metadata"]
        return f"kube_service_{self._cluster}_{metadata['namespace']}_{metadata['name']}"[:255]

    def _floating_description(self, service: Object) -> str:
        return f"Floating IP for Kubernetes external service {_full_name(service)} from cluster {self._cluster}"

    async def _say(self, service: Object, reason: str, message: str, *, warning: bool = False) -> None:
        await record(self._api, SOURCE, {**service, "kind": "Service"}, reason, message, warning=warning)


def _wants(service: Object) -> bool:
    spec = service["spec"]
    return (
        spec.get("type") == "LoadBalancer"
        and not spec.get("loadBalancerClass")
        and "deletionTimestamp" not in service["metadata"]
    )


def _ports(service: Object) -> tuple[tuple[int, int], ...]:
    """(port, node port) of the Service's TCP ports."""
    ports = service["spec"].get("ports", [])
    return tuple((port["port"], port["nodePort"]) for port in ports if port.get("protocol", "TCP") == "TCP")


def _ingress(service: Object) -> str | None:
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or [{}]
    return ingress[0].get("ip")


def _path(service: Object) -> str:
    return f"/api/v1/namespaces/{service['metadata']['namespace']}/services/{service['metadata']['name']}"


def _full_name(service: Object) -> str:
    return f"{service['metadata']['namespace']}/{service['metadata']['name']}"


def _takes_traffic(node: Object) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    ready = any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
    return ready and EXCLUDED not in node["metadata"].get("labels", {}) and bool(_address(node))


def _address(node: Object) -> str:
    addresses = node.get("status", {}).get("addresses", [])
    return next((each["address"] for each in addresses if each["type"] == "InternalIP"), "")
