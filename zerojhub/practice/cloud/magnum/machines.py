"""The machines of a cluster's node groups, created as resources of Heat stacks: they boot and become nodes."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

from zerojhub.practice.cloud.heat.records import ResourceFailed, making, nesting
from zerojhub.practice.cloud.magnum.drivers import is_cluster_api
from zerojhub.practice.cloud.neutron import records as neutron_records
from zerojhub.practice.cloud.neutron.floatingips import associate, new_floatingip
from zerojhub.practice.cloud.nova import records as nova_records
from zerojhub.practice.cloud.nova.boot import NO_HOST, start_machine
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, Store, short_id
from zerojhub.practice.ground import Ground, GroundError, MachineSpec

FAIL = "practice_fail"
"""Label with the name of a resource that shall fail, for workshops: kube_masters, kube_minions, or any resource that is
not a stack."""


@dataclass(frozen=True)
class Part:
    """Names of the resources of masters or workers in Magnum's templates."""

    group: str
    server: str
    template: str
    deployment: str
    prefix: str
    suffix: str
    placement: str


MASTER = Part(
    "kube_masters",
    "kube-master",
    "kubemaster.yaml",
    "master_config_deployment",
    "kube_master",
    "master",
    "master_nodes_server_group",
)
WORKER = Part(
    "kube_minions",
    "kube-minion",
    "kubeminion.yaml",
    "node_config_deployment",
    "kube_minion",
    "node",
    "worker_nodes_server_group",
)

BringUp = Callable[[list[MachineSpec]], Awaitable[None]]


def part_of(group: Record) -> Part:
    return MASTER if group["role"] == "master" else WORKER


def went_to_error(message: str) -> ResourceFailed:
    return ResourceFailed("ResourceInError", f'Went to status ERROR due to "Message: {message}, Code: 500"')


def stack_name(*names: str) -> str:
    """A stack name: the given names without characters that host names cannot have, and twelve random characters."""
    stem = "-".join(re.sub(r"[^a-zA-Z0-9-]", "", re.sub(r"[_.]", "-", name)) for name in names)
    return f"{stem}-{short_id()}".lower()


def machine_id(server: Record, *, fits: bool) -> str:
    """The content of /etc/machine-id: the server's UUID if it `fits`, or a random one as on images of Heat drivers."""
    return server["id"].replace("-", "") if fits else hashlib.md5(server["id"].encode()).hexdigest()


async def run_all(*work: Coroutine[Any, Any, None]) -> None:
    """Run everything concurrently. The first failure cancels the rest and is raised by itself, not in a group."""
    try:
        async with asyncio.TaskGroup() as tasks:
            for each in work:
                tasks.create_task(each)
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


class Machines:
    """Works on the machines of one cluster. Raises ResourceFailed."""

    def __init__(self, store: Store, ground: Ground, cluster: Record):
        self.store, self.ground, self.cluster = store, ground, cluster
        self.project = cluster["project_id"]
        self.api_up = asyncio.Event()

    @contextlib.contextmanager
    def step(self, stack: Record, name: str, kind: str, action: str = "CREATE") -> Iterator[Record]:
        """`making`, with refusals turned into ResourceFailed, and the failure that the label requests."""
        with making(stack, name, kind, action) as resource:
            try:
                if self.to_fail(name):
                    raise ResourceFailed("ResourceFailure", f"{name} fails because the label {FAIL} asks for it")
                yield resource
            except Refusal as refusal:
                kinds = {403: "Forbidden", 409: "OverQuotaClient" if refusal.kind == "OverQuota" else "Conflict"}
                status = f" (HTTP {refusal.status})" if refusal.status == 403 else ""
                raise ResourceFailed(kinds.get(refusal.status, "BadRequest"), refusal.message + status) from refusal
            except GroundError as error:
                raise ResourceFailed("Error", f"Deployment to server failed: {error}") from error

    def to_fail(self, name: str) -> bool:
        return self.cluster["labels"].get(FAIL) == name

    def external(self) -> Record:
        """The network that floating IPs come from."""
        template = self.store.templates[self.cluster["cluster_template_id"]]
        wanted = template["external_network_id"]
        found = self.store.networks.find(wanted) if wanted else self.store.networks.where(**{"router:external": True})
        return found[0]

    def network(self) -> Record:
        """The network of the cluster's machines: the given one, or the cluster's own."""
        store, given = self.store, self.cluster["fixed_network"]
        return store.networks.find(given)[0] if given else store.networks[self.cluster["own_network"]]

    async def add_floatingip(self, port: Record, resource: Record) -> None:
        """Create a floating IP for the port; it belongs to the cluster."""
        floating = new_floatingip(self.store, self.project, self.external())
        resource["physical_resource_id"] = floating["id"]
        self.cluster.setdefault("floatingips", []).append(floating["id"])
        await associate(self.store, self.ground, floating, port)

    # -- booting ----------------------------------------------------------------------------------------------------

    async def boot(
        self, stack: Record, group: Record, numbers: list[int], action: str, bring_up: BringUp | None = None
    ) -> None:
        """Boot the group's machines with these numbers, all at once, and make them nodes.

        For masters, `bring_up` is called once all of them have booted.
        """
        part = part_of(group)
        booted: dict[int, MachineSpec] = {}
        everyone = asyncio.Event()
        with nesting(self.store, stack, part.group, "OS::Heat::ResourceGroup", action) as members:

            async def member(number: int) -> None:
                with nesting(self.store, members, str(number), f"file:///templates/{part.template}") as own:
                    machine = booted[number] = await self._machine(stack, own, group, part, number)
                    if len(booted) == len(numbers):
                        everyone.set()
                    with self.step(own, part.deployment, "OS::Heat::SoftwareDeployment"):
                        if machine.id in self.store.consoles:
                            await asyncio.Event().wait()  # nobody reports that it has booted, until Heat's time is over
                        if bring_up and number == numbers[0]:
                            await everyone.wait()
                            await bring_up([booted[number] for number in numbers])
                            self.api_up.set()
                        await self.api_up.wait()
                        if part is WORKER:
                            await self.ground.join(self.cluster["uuid"], machine)

            await run_all(*(member(number) for number in numbers))

    async def _machine(self, root: Record, stack: Record, group: Record, part: Part, number: int) -> MachineSpec:
        """Create one machine: port, server, floating IP. Returns when it has booted."""
        store, cluster = self.store, self.cluster
        name = f"{root['stack_name']}-{part.suffix}-{number}"
        main = store.stacks[cluster["cluster_id"]]["resources"]
        security = store.security_groups[main[f"secgroup_{part.prefix}"]["physical_resource_id"]]
        placement = store.server_groups[main[part.placement]["physical_resource_id"]]
        with self.step(stack, f"{part.prefix}_eth0", "OS::Neutron::Port") as resource:
            groups = [security["id"]]
            port = neutron_records.new_port(store, self.project, self.network(), f"{name}-port", security_groups=groups)
            resource["physical_resource_id"] = port["id"]
        with self.step(stack, part.server, "OS::Nova::Server") as resource:
            server = self._server(name, group)
            server |= {"security_groups": [security["name"]], "server_group": placement["id"]}
            placement["members"].append(server["id"])
            resource["physical_resource_id"] = server["id"]
            port |= {"device_id": server["id"], "device_owner": "compute:nova"}
            if group["labels"].get(FAIL) == part.group:
                nova_records.mark_failed(server, NO_HOST)
                raise went_to_error(NO_HOST)
            machine = self.spec(server)
            try:
                await start_machine(store, self.ground, machine)
            except GroundError as error:
                nova_records.mark_failed(server, str(error))
                raise went_to_error(str(error)) from error
            nova_records.mark_started(server)
        if cluster["floating_ip_enabled"] and not is_cluster_api(store, cluster):
            with self.step(stack, f"{part.prefix}_floating", "OS::Neutron::FloatingIP") as resource:
                await self.add_floatingip(port, resource)
        self._update_addresses(group)
        return machine

    def _update_addresses(self, group: Record) -> None:
        """Update the group's node addresses: each machine's floating IP from the cluster, or its fixed address."""
        own = self.cluster.get("floatingips", [])
        found = {}
        for ident in group["servers"]:
            server = self.store.servers.get(ident)
            for port in self.store.ports.where(device_id=ident) if server and server["launched"] else ():
                floating = [item for item in self.store.floatingips.where(port_id=port["id"]) if item["id"] in own]
                fixed = port["fixed_ips"][0]["ip_address"]
                found[self._number(ident)] = floating[0]["floating_ip_address"] if floating else fixed
        group["node_addresses"] = [found[number] for number in sorted(found)]

    def _server(self, name: str, group: Record) -> Record:
        store, cluster = self.store, self.cluster
        image, flavor = store.images.find(group["image_id"])[0], store.flavors.find(group["flavor_id"])[0]
        fields = {"flavor": flavor["id"], "image": image["id"], "key_name": cluster["keypair"]}
        server = nova_records.new_server(store, self.project, cluster["user_id"], name, **fields)
        group["servers"].append(server["id"])
        return server

    def spec(self, server: Record) -> MachineSpec:
        image, keypair = self.store.images[server["image"]], self.store.keypairs.get(server["key_name"] or "")
        groups: list[Record] = self.cluster["nodegroups"]
        group = next((each for each in groups if server["id"] in each["servers"]), Record())
        return MachineSpec(
            id=server["id"],
            name=server["hostname"],
            address=nova_records.fixed_address(self.store, server),
            login=image.get("os_admin_user", "root"),
            public_keys=(keypair["public_key"],) if keypair and not is_cluster_api(self.store, self.cluster) else (),
            machine_id=machine_id(server, fits=is_cluster_api(self.store, self.cluster)),
            nodegroup=group.get("name", ""),
            role=group.get("role", ""),
        )

    def _number(self, ident: str) -> int:
        return int(self.store.servers[ident]["hostname"].rpartition("-")[2])
