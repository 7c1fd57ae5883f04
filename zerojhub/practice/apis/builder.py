"""How one cluster is put together and taken apart: networks, ports, servers, Kubernetes, and the stack that says so."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections.abc import Iterator
from itertools import count

from zerojhub.practice.apis import heat, neutron, nova, nova_keypairs, octavia
from zerojhub.practice.apis.cloud import Cloud, Record, short_id
from zerojhub.practice.apis.heat import ResourceFailed, making, nesting, set_stack
from zerojhub.practice.apis.keystone_grants import new_trust
from zerojhub.practice.apis.neutron_floatingips import associate, delete_floatingip, new_floatingip
from zerojhub.practice.apis.nova import delete_server
from zerojhub.practice.apis.wire import Refusal
from zerojhub.practice.ground import ClusterSpec, Ground, GroundError, MachineSpec

NO_HOST = "No valid host was found. There are not enough hosts available."
FAIL = "practice_fail"
"""Label that names a stack resource which is to fail, for tests and workshops."""
API_PORT = 6443
KINDS = {
    "master": ("kube_masters", "kube-master", "kubemaster.yaml", "master_config_deployment", "kube_master"),
    "worker": ("kube_minions", "kube-minion", "kubeminion.yaml", "node_config_deployment", "kube_minion"),
}


class Builder:
    """Works on one cluster. What can't be made raises ResourceFailed, maybe in a group of exceptions."""

    def __init__(self, cloud: Cloud, ground: Ground, cluster: Record):
        self.cloud, self.ground, self.cluster = cloud, ground, cluster
        self.project = cluster["project_id"]
        self.template = cloud.templates[cluster["cluster_template_id"]]
        self.api_up = asyncio.Event()

    # -- coming up --------------------------------------------------------------------------------------------------

    async def create(self, auth_url: str) -> None:
        cluster, cloud = self.cluster, self.cloud
        stem = re.sub(r"[^a-zA-Z0-9-]", "", re.sub(r"[_.]", "-", cluster["name"][:30]))
        stack = heat.new_stack(cloud, self.project, f"{stem}-{short_id()}".lower(), cluster["create_timeout"] or None)
        cluster["cluster_id"] = stack["id"]
        for group in cluster["nodegroups"]:
            group["stack_id"] = stack["id"]
        trustee = cloud.new_user(f"{cluster['uuid']}_{self.project}", secrets.token_urlsafe(24))
        trust = new_trust(cloud, cluster["user_id"], trustee["id"], self.project)
        cluster["trustee"] = trustee["id"]
        await asyncio.sleep(0)
        network = self._network(stack)
        for name in ("kube_master", "kube_minion"):
            with self._step(stack, f"secgroup_{name}", "OS::Neutron::SecurityGroup"):
                self._security_group(stack, name)
        for name, policy in (("master", "soft-anti-affinity"), ("worker", "soft-anti-affinity")):
            with self._step(stack, f"{name}_nodes_server_group", "OS::Nova::ServerGroup") as resource:
                title = f"{stack['stack_name']}-{name}_nodes_server_group-{short_id()}"
                group = nova_keypairs.new_server_group(cloud, self.project, cluster["user_id"], title, policy)
                resource["physical_resource_id"] = group["id"]
        balancer = await self._api_balancer(stack, network) if cluster["master_lb_enabled"] else None
        config = self._cloud_config(auth_url, trustee, trust, network)
        masters, workers = cluster["nodegroups"]
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._members(stack, masters, network, range(masters["node_count"]), config, balancer))
            tasks.create_task(self._members(stack, workers, network, range(workers["node_count"])))
        cluster["coe_version"], cluster["container_version"] = self._version(), "1.12.6"

    @contextlib.contextmanager
    def _step(self, stack: Record, name: str, kind: str) -> Iterator[Record]:
        """`making`, with every refusal in Heat's words, and the failure that a label asks for."""
        with making(stack, name, kind) as resource:
            try:
                if self._to_fail(name) and kind != "OS::Nova::Server":
                    raise ResourceFailed("ResourceFailure", f"{name} fails because the label {FAIL} asks for it")
                yield resource
            except Refusal as refusal:
                kinds = {403: "Forbidden", 409: "OverQuotaClient" if refusal.kind == "OverQuota" else "Conflict"}
                status = f" (HTTP {refusal.status})" if refusal.status == 403 else ""
                raise ResourceFailed(kinds.get(refusal.status, "BadRequest"), refusal.message + status) from refusal
            except GroundError as error:
                raise ResourceFailed("Error", f"Deployment to server failed: {error}") from error

    def _network(self, stack: Record) -> Record:
        """The cluster's network: the given one, or its own."""
        cloud, cluster = self.cloud, self.cluster
        with nesting(cloud, stack, "network", "file:///templates/network.yaml") as inner:
            if cluster["fixed_network"]:
                return cloud.networks.find(cluster["fixed_network"])[0]
            name = cluster["name"]
            with self._step(inner, "private_network", "OS::Neutron::Net") as resource:
                network = neutron.new_network(cloud, self.project, name)
                resource["physical_resource_id"] = network["id"]
            with self._step(inner, "private_subnet", "OS::Neutron::Subnet") as resource:
                servers = (self.template["dns_nameserver"] or neutron.DNS).split(",")
                subnet = neutron.new_subnet(cloud, self.project, network, name, cloud.network, nameservers=servers)
                resource["physical_resource_id"] = subnet["id"]
            with self._step(inner, "extrouter", "OS::Neutron::Router") as resource:
                router = neutron.new_router(cloud, self.project, name, self._external(), [subnet])
                resource["physical_resource_id"] = router["id"]
            cluster["own_network"] = {"network": network["id"], "router": router["id"]}
            return network

    def _external(self) -> Record:
        wanted = self.template["external_network_id"]
        found = self.cloud.networks.find(wanted) if wanted else self.cloud.networks.where(**{"router:external": True})
        return found[0]

    def _security_group(self, stack: Record, name: str) -> None:
        title = f"{stack['stack_name']}-secgroup_{name}-{short_id()}"
        group = neutron.new_security_group(self.cloud, self.project, title)
        for protocol, port in (("icmp", None), ("tcp", 22), ("tcp", API_PORT), ("tcp", 10250), ("tcp", 30000)):
            top = 32767 if port == 30000 else port
            neutron.new_rule(self.cloud, group, {"protocol": protocol, "port_range_min": port, "port_range_max": top})
        stack["resources"][f"secgroup_{name}"]["physical_resource_id"] = group["id"]

    async def _api_balancer(self, stack: Record, network: Record) -> Record:
        """A load balancer before the masters' API, with a floating IP when the cluster's machines get them."""
        cloud = self.cloud
        with nesting(cloud, stack, "api_lb", "file:///templates/lb_api.yaml") as inner:
            kind = "Magnum::Optional::Neutron::LBaaS::LoadBalancer"
            with self._step(inner, "loadbalancer", kind) as resource:
                wanted = {"name": f"{stack['stack_name']}-api_lb", "vip_subnet_id": network["subnets"][0]}
                balancer = octavia.new_loadbalancer(cloud, self.project, wanted)
                resource["physical_resource_id"] = balancer["id"]
            pool = octavia.new_pool(cloud, self.project, {"loadbalancer_id": balancer["id"]})
            listener = {"loadbalancer_id": balancer["id"], "default_pool_id": pool["id"], "protocol_port": API_PORT}
            octavia.new_listener(cloud, self.project, listener)
            self.cluster["api_balancer"] = balancer["id"]
            if self.cluster["floating_ip_enabled"]:
                with self._step(inner, "floating", "Magnum::Optional::Neutron::LBaaS::FloatingIP") as resource:
                    await self._float(cloud.ports[balancer["vip_port_id"]], resource)
        return balancer

    async def _float(self, port: Record, resource: Record) -> str:
        floating = new_floatingip(self.cloud, self.project, self._external())
        resource["physical_resource_id"] = floating["id"]
        self.cluster.setdefault("floatingips", []).append(floating["id"])
        await associate(self.cloud, self.ground, floating, port)
        return floating["floating_ip_address"]

    # -- machines ---------------------------------------------------------------------------------------------------

    async def _members(
        self,
        stack: Record,
        group: Record,
        network: Record,
        numbers: range | list[int],
        config: str = "",
        balancer: Record | None = None,
        action: str = "CREATE",
    ) -> None:
        """Boot the group's machines of these numbers, all at once, and make nodes of them."""
        name, _, template, _, _ = KINDS[group["role"] if group["role"] == "master" else "worker"]
        booted: dict[int, MachineSpec] = {}
        everyone = asyncio.Event()
        with nesting(self.cloud, stack, name, "OS::Heat::ResourceGroup", action) as members:

            async def member(number: int) -> None:
                with nesting(self.cloud, members, str(number), f"file:///templates/{template}") as own:
                    machine = await self._machine(stack, own, group, network, number)
                    booted[number] = machine
                    if len(booted) == len(numbers):
                        everyone.set()
                    await self._node(own, group, machine, booted, everyone, config, balancer)

            async with asyncio.TaskGroup() as tasks:
                for number in numbers:
                    tasks.create_task(member(number))

    def _to_fail(self, name: str) -> bool:
        return self.cluster["labels"].get(FAIL) == name

    async def _machine(self, root: Record, stack: Record, group: Record, network: Record, number: int) -> MachineSpec:
        """One server of the group: port, server, floating IP. Returns when it has booted."""
        cloud, cluster = self.cloud, self.cluster
        members, server_name, _, _, prefix = KINDS[group["role"] if group["role"] == "master" else "worker"]
        kind = "master" if group["role"] == "master" else "node"
        name = f"{root['stack_name']}-{kind}-{number}"
        secgroup = root["resources"].get(f"secgroup_{prefix}", {}).get("physical_resource_id")
        with self._step(stack, f"{prefix}_eth0", "OS::Neutron::Port") as resource:
            groups = [secgroup] if secgroup else []
            port = neutron.new_port(cloud, self.project, network, f"{name}-port", security_groups=groups)
            resource["physical_resource_id"] = port["id"]
        address = port["fixed_ips"][0]["ip_address"]
        image = cloud.images.find(group["image_id"])[0]
        with self._step(stack, server_name, "OS::Nova::Server") as resource:
            flavor = cloud.flavor(group["flavor_id"])
            fields = {"flavor": flavor["id"], "image": image["id"], "key_name": cluster["keypair"]}
            server = nova.new_server(cloud, self.project, cluster["user_id"], name, **fields)
            resource["physical_resource_id"] = server["id"]
            port |= {"device_id": server["id"], "device_owner": "compute:nova"}
            group["servers"].append(server["id"])
            if secgroup:
                server["security_groups"] = [cloud.security_groups[secgroup]["name"]]
            keypair = cloud.keypairs.get(cluster["keypair"] or "")
            machine = MachineSpec(
                id=server["id"],
                name=name,
                address=address,
                login=image["os_admin_user"],
                public_keys=(keypair["public_key"],) if keypair else (),
                # Fedora Atomic's machine-id is the image's own: nothing can tell the node from its UUID by it.
                machine_id=(
                    server["id"].replace("-", "") if image["os_distro"] != "fedora-atomic" else secrets.token_hex(16)
                ),
            )
            if self._to_fail(members) or self._to_fail(server_name):
                nova.failed(server, NO_HOST)
                raise went_to_error(NO_HOST)
            try:
                await self.ground.boot(machine)
            except GroundError as error:
                nova.failed(server, str(error))
                raise went_to_error(str(error)) from error
            nova.started(server)
        if cluster["floating_ip_enabled"]:
            with self._step(stack, f"{prefix}_floating", "OS::Neutron::FloatingIP") as resource:
                address = await self._float(port, resource)
        group["node_addresses"].append(address)
        return machine

    async def _node(
        self,
        stack: Record,
        group: Record,
        machine: MachineSpec,
        booted: dict[int, MachineSpec],
        everyone: asyncio.Event,
        config: str,
        balancer: Record | None,
    ) -> None:
        """Make the booted machine a node: the first master, once all are there, brings up the control plane."""
        role = "master" if group["role"] == "master" else "worker"
        with self._step(stack, KINDS[role][3], "OS::Heat::SoftwareDeployment"):
            if role == "worker":
                await self.api_up.wait()
                await self.ground.join(self.cluster["uuid"], machine)
                return
            await everyone.wait()
            if machine is booted[min(booted)]:
                await self._control_plane([booted[number] for number in sorted(booted)], config, balancer)
                self.api_up.set()
            await self.api_up.wait()

    async def _control_plane(self, masters: list[MachineSpec], config: str, balancer: Record | None) -> None:
        cluster, cloud = self.cluster, self.cloud
        version = self._version()
        if version not in self.ground.versions:
            known = ", ".join(self.ground.versions)
            raise GroundError(f"Kubernetes {version} cannot run here: the versions that can are {known}")
        fixed = {master.address for master in masters}
        addresses = [address for address in cluster["nodegroups"][0]["node_addresses"] if address not in fixed]
        endpoint = (addresses or [masters[0].address])[0]
        if balancer:
            pool = cloud.pools.where(loadbalancer_id=balancer["id"])[0]
            for master in masters:
                octavia.new_member(cloud, pool, {"address": master.address, "protocol_port": API_PORT})
            await octavia.spread(cloud, self.ground, balancer["id"])
            floating = cloud.floatingips.where(port_id=balancer["vip_port_id"])
            endpoint = floating[0]["floating_ip_address"] if floating else balancer["vip_address"]
            addresses += [balancer["vip_address"], *(item["floating_ip_address"] for item in floating)]
        await self.ground.start_cluster(
            ClusterSpec(
                id=cluster["uuid"],
                name=cluster["name"],
                version=version,
                masters=tuple(masters),
                cloud_config=config,
                api_addresses=tuple(addresses),
            )
        )
        cluster["api_address"] = f"https://{endpoint}:{API_PORT}"

    def _version(self) -> str:
        return self.cluster["labels"].get("kube_tag") or self.ground.versions[-1]

    def _cloud_config(self, auth_url: str, trustee: Record, trust: Record, network: Record) -> str:
        """What Kubernetes needs to talk to OpenStack as the cluster's trustee, in the form that Magnum writes it."""
        sections = {
            "Global": {
                "auth-url": auth_url,
                "user-id": trustee["id"],
                "password": self.cloud.passwords[trustee["id"]],
                "trust-id": trust["id"],
                "ca-file": "/etc/kubernetes/ca-bundle.crt",
                "region": self.cloud.region,
            },
            "LoadBalancer": {
                "use-octavia": "True",
                "subnet-id": network["subnets"][0],
                "floating-network-id": self._external()["id"],
                "lb-provider": "amphora",
                "lb-method": "ROUND_ROBIN",
                "create-monitor": "yes",
                "monitor-delay": "1m",
                "monitor-timeout": "30s",
                "monitor-max-retries": "3",
            },
            "BlockStorage": {"bs-version": "v3"},
        }
        lines = []
        for title, values in sections.items():
            lines += [f"[{title}]", *(f"{key}={value}" for key, value in values.items())]
        return "\n".join(lines) + "\n"

    # -- changing size ----------------------------------------------------------------------------------------------

    async def reconcile(self, group: Record, remove: list[str]) -> None:
        """Bring the group to its node_count: first the machines named to go (UUID or number), then the newest."""
        self.api_up.set()
        stack = self._stack_of(group)
        action = "CREATE" if group["status"].startswith("CREATE") else "UPDATE"
        numbers = {self._number(server): server for server in group["servers"] if server in self.cloud.servers}
        group["servers"] = list(numbers.values())
        going = [server for number, server in numbers.items() if server in remove or str(number) in remove]
        staying = [server for server in numbers.values() if server not in going]
        excess = len(staying) - group["node_count"]
        if excess > 0:
            going += staying[-excess:]
            staying = staying[:-excess]
        if action == "UPDATE":
            set_stack(stack, "UPDATE", "IN_PROGRESS")
        await self._remove(group, going)
        fresh = count(max([number for number in numbers if number >= 0], default=-1) + 1)
        wanted = [next(fresh) for _ in range(group["node_count"] - len(staying))]
        await self._members(stack, group, self._cluster_network(), wanted, action=action)
        if group["status"] == "DELETE_IN_PROGRESS":
            heat.forget(self.cloud, stack)
        elif not group["is_default"]:
            set_stack(stack, action, "COMPLETE")

    def _stack_of(self, group: Record) -> Record:
        """The stack that the group's machines are in: the cluster's own, but for groups made later."""
        if group["stack_id"]:
            return self.cloud.stacks[group["stack_id"]]
        name = (
            f"{self.cluster['name'][:20]}-{group['name'][:9]}-{short_id()}".lower().replace("_", "-").replace(".", "-")
        )
        stack = heat.new_stack(self.cloud, self.project, name, self.cluster["create_timeout"] or None)
        group["stack_id"] = stack["id"]
        return stack

    def _number(self, server: str) -> int:
        """The number at the end of the server's name."""
        found = re.search(r"-(\d+)$", self.cloud.servers[server]["name"])
        return int(found[1]) if found else -1

    def _cluster_network(self) -> Record:
        own = self.cluster.get("own_network")
        return (
            self.cloud.networks[own["network"]] if own else self.cloud.networks.find(self.cluster["fixed_network"])[0]
        )

    async def _remove(self, group: Record, servers: list[str]) -> None:
        for ident in servers:
            server = self.cloud.servers[ident]
            for address in self._addresses(server):
                if address in group["node_addresses"]:
                    group["node_addresses"].remove(address)
            if server["status"] == "ACTIVE":
                await self.ground.leave(self.cluster["uuid"], self._spec(server))
            await self._remove_server(server)
            group["servers"].remove(ident)
            stack = self._stack_of(group)
            members = self.cloud.stacks.get(stack["resources"].get("kube_minions", {}).get("nested") or "")
            gone = members["resources"].pop(str(self._number_of(server)), None) if members else None
            if gone and gone["nested"] in self.cloud.stacks:
                heat.forget(self.cloud, self.cloud.stacks[gone["nested"]])

    @staticmethod
    def _number_of(server: Record) -> str:
        return server["name"].rpartition("-")[2]

    def _addresses(self, server: Record) -> list[str]:
        return [item["addr"] for items in nova.addresses(self.cloud, server).values() for item in items]

    def _spec(self, server: Record) -> MachineSpec:
        image = self.cloud.images[server["image"]]
        address = self._addresses(server)[0]
        machine_id = server["id"].replace("-", "")
        return MachineSpec(server["id"], server["name"], address, image["os_admin_user"], (), machine_id)

    async def _remove_server(self, server: Record) -> None:
        ports = [port["id"] for port in self.cloud.ports.where(device_id=server["id"])]
        mine = self.cluster.get("floatingips", [])
        for floating in [item for item in self.cloud.floatingips.values() if item["port_id"] in ports]:
            if floating["id"] in mine:
                await delete_floatingip(self.cloud, self.ground, floating)
        await delete_server(self.cloud, self.ground, server)

    # -- going ------------------------------------------------------------------------------------------------------

    async def delete(self) -> None:
        """Everything of the cluster goes; floating IPs and volumes that are not its own stay."""
        cloud, cluster = self.cloud, self.cluster
        # The ones that Kubernetes made for its Services say so in their description.
        made = re.compile(rf"Kubernetes .+ from cluster {re.escape(cluster['uuid'])}")
        for balancer in list(cloud.loadbalancers.values()):
            service = made.match(balancer["description"] or "")
            if not service and balancer["id"] != cluster.get("api_balancer"):
                continue
            for floating in cloud.floatingips.where(port_id=balancer["vip_port_id"]):
                if service or floating["id"] in cluster.get("floatingips", []):
                    await delete_floatingip(cloud, self.ground, floating)
            await octavia.delete_loadbalancer(cloud, self.ground, balancer)
        await self.ground.stop_cluster(cluster["uuid"])
        servers = [
            cloud.servers[ident]
            for group in cluster["nodegroups"]
            for ident in group["servers"]
            if ident in cloud.servers
        ]
        await asyncio.gather(*(self._remove_server(server) for server in servers))
        for floating in cluster.get("floatingips", []):
            if floating in cloud.floatingips:
                await delete_floatingip(cloud, self.ground, cloud.floatingips[floating])
        for stack in {group["stack_id"] for group in cluster["nodegroups"]} - {None}:
            if stack in cloud.stacks:
                self._forget_resources(cloud.stacks[stack])
                heat.forget(cloud, cloud.stacks[stack])
        if cluster.get("trustee"):
            cloud.forget_user(cluster["trustee"])

    def _forget_resources(self, stack: Record) -> None:
        """What the stack and the stacks in it made that is still there: groups, ports, routers and networks, in order."""
        cloud = self.cloud
        stacks = [stack]
        for outer in stacks:
            stacks += cloud.stacks.where(parent=outer["id"])
        made = {resource["physical_resource_id"] for one in stacks for resource in one["resources"].values()}
        for ident in made & set(cloud.routers):
            for port in cloud.ports.where(device_id=ident):
                del cloud.ports[port["id"]]
        for table in (cloud.ports, cloud.server_groups, cloud.routers, cloud.subnets, cloud.networks):
            for ident in made & set(table):
                del table[ident]
        for ident in made & set(cloud.security_groups):
            neutron.forget(cloud, "security-groups", ident)


def went_to_error(message: str) -> ResourceFailed:
    return ResourceFailed("ResourceInError", f'Went to status ERROR due to "Message: {message}, Code: 500"')
