"""Create and delete a cluster: networks, a load balancer, the control plane, and its machines."""

from __future__ import annotations

import asyncio
import re

from zerojhub.practice.cloud.cinder.records import default_type
from zerojhub.practice.cloud.heat import records as heat_records
from zerojhub.practice.cloud.heat.records import ResourceFailed, nesting
from zerojhub.practice.cloud.keystone.records import end_credential
from zerojhub.practice.cloud.magnum import autoscaling, credentials
from zerojhub.practice.cloud.magnum.drivers import cluster_api_name, driver_of, is_cluster_api
from zerojhub.practice.cloud.magnum.machines import run_all, stack_name
from zerojhub.practice.cloud.magnum.node_groups import NodeGroups
from zerojhub.practice.cloud.neutron import records as neutron_records
from zerojhub.practice.cloud.neutron.floatingips import delete_floatingip
from zerojhub.practice.cloud.nova import records as nova_records
from zerojhub.practice.cloud.octavia import records as octavia_records
from zerojhub.practice.cloud.octavia.traffic import update_traffic
from zerojhub.practice.cloud.store import Record, short_id
from zerojhub.practice.ground import GroundError, KubernetesSpec, MachineSpec

API_PORT = 6443
DOCKER = "1.12.6"
"""container_version, hard-coded in Magnum's Heat driver."""


class Builder(NodeGroups):
    """Creates and deletes one cluster. Raises ResourceFailed and GroundError."""

    # -- coming up --------------------------------------------------------------------------------------------------

    async def create(self, auth_url: str) -> None:
        """Create the cluster; returns when its nodes are Ready. `auth_url` is Keystone's URL inside the cluster."""
        cluster, store = self.cluster, self.store
        hidden = driver_of(store, cluster).kind == "cluster-api"
        name = cluster_api_name() if hidden else stack_name(cluster["name"][:30])
        stack = heat_records.new_stack(store, self.project, name, cluster["create_timeout"] or None, hidden=hidden)
        cluster["cluster_id"] = stack["id"]
        masters, workers = cluster["nodegroups"]
        for group in (masters, workers):
            group["stack_id"] = stack["id"]
        cluster["coe_version"], cluster["container_version"] = self._version(), None if hidden else DOCKER
        self._make_network(stack)
        for part in ("kube_master", "kube_minion"):
            self._make_security_group(stack, f"secgroup_{part}")
        for role in ("master", "worker"):
            self._make_server_group(stack, f"{role}_nodes_server_group")
        balancer = await self._make_api_balancer(stack) if cluster["master_lb_enabled"] else None
        config = self._cloud_config(auth_url)

        async def bring_up(machines: list[MachineSpec]) -> None:
            await self._start_kubernetes(machines, config, balancer)

        numbers = list(range(masters["node_count"])), list(range(workers["node_count"]))
        await run_all(
            self.boot(stack, masters, numbers[0], "CREATE", bring_up),
            self.boot(stack, workers, numbers[1], "CREATE"),
        )

    def _make_network(self, stack: Record) -> None:
        store, cluster = self.store, self.cluster
        name = cluster["name"]
        with nesting(store, stack, "network", "file:///templates/network.yaml") as inner:
            if cluster["fixed_network"]:
                return
            with self.step(inner, "private_network", "OS::Neutron::Net") as resource:
                network = neutron_records.new_network(store, self.project, name)
                resource["physical_resource_id"] = cluster["own_network"] = network["id"]
            with self.step(inner, "private_subnet", "OS::Neutron::Subnet") as resource:
                template = store.templates[cluster["cluster_template_id"]]
                servers = (template["dns_nameserver"] or neutron_records.DNS).split(",")
                cidr = store.network
                subnet = neutron_records.new_subnet(store, self.project, network, name, cidr, nameservers=servers)
                resource["physical_resource_id"] = subnet["id"]
            with self.step(inner, "extrouter", "OS::Neutron::Router") as resource:
                router = neutron_records.new_router(store, self.project, name, self.external(), [subnet])
                resource["physical_resource_id"] = router["id"]

    def _make_security_group(self, stack: Record, name: str) -> None:
        with self.step(stack, name, "OS::Neutron::SecurityGroup") as resource:
            title = f"{stack['stack_name']}-{name}-{short_id()}"
            group = neutron_records.new_security_group(self.store, self.project, title)
            resource["physical_resource_id"] = group["id"]
            ranges = [("icmp", None, None), ("tcp", 22, 22), ("tcp", API_PORT, API_PORT), ("tcp", 30000, 32767)]
            for protocol, low, high in ranges:
                rule = {"protocol": protocol, "port_range_min": low, "port_range_max": high}
                neutron_records.new_rule(self.store, group, rule)

    def _make_server_group(self, stack: Record, name: str) -> None:
        with self.step(stack, name, "OS::Nova::ServerGroup") as resource:
            title = f"{stack['stack_name']}-{name}-{short_id()}"
            user = self.cluster["user_id"]
            group = nova_records.new_server_group(self.store, self.project, user, title, "soft-anti-affinity")
            resource["physical_resource_id"] = group["id"]

    async def _make_api_balancer(self, stack: Record) -> Record:
        """A load balancer for the masters' API, with a floating IP if floating IPs are enabled."""
        store, project = self.store, self.project
        with nesting(store, stack, "api_lb", "file:///templates/lb_api.yaml") as inner:
            with self.step(inner, "loadbalancer", "Magnum::Optional::Neutron::LBaaS::LoadBalancer") as resource:
                wanted = {"name": f"{stack['stack_name']}-api_lb", "vip_subnet_id": self.network()["subnets"][0]}
                balancer = octavia_records.new_loadbalancer(store, project, wanted)
                resource["physical_resource_id"] = self.cluster["api_balancer"] = balancer["id"]
            pool = octavia_records.new_pool(store, project, {"loadbalancer_id": balancer["id"]})
            listener = {"loadbalancer_id": balancer["id"], "default_pool_id": pool["id"], "protocol_port": API_PORT}
            octavia_records.new_listener(store, project, listener)
            if self.cluster["floating_ip_enabled"]:
                with self.step(inner, "floating", "Magnum::Optional::Neutron::LBaaS::FloatingIP") as resource:
                    await self.add_floatingip(store.ports[balancer["vip_port_id"]], resource)
        return balancer

    def _version(self) -> str:
        return self.cluster["labels"].get("kube_tag") or self.ground.versions[-1]

    async def _start_kubernetes(self, masters: list[MachineSpec], config: str, balancer: Record | None) -> None:
        cluster, store, version = self.cluster, self.store, self._version()
        if version not in self.ground.versions:
            known = ", ".join(self.ground.versions)
            raise GroundError(f"Kubernetes {version} has not been built (available: {known})")
        addresses = list(cluster["nodegroups"][0]["node_addresses"])
        endpoint = addresses[0]
        if balancer:
            pool = store.pools.where(loadbalancer_id=balancer["id"])[0]
            for master in masters:
                octavia_records.new_member(store, pool, {"address": master.address, "protocol_port": API_PORT})
            await update_traffic(store, self.ground, balancer["id"])
            floating = store.floatingips.where(port_id=balancer["vip_port_id"])
            endpoint = floating[0]["floating_ip_address"] if floating else balancer["vip_address"]
            addresses += [balancer["vip_address"], endpoint]
        fixed, hidden = {master.address for master in masters}, is_cluster_api(store, cluster)
        spec = KubernetesSpec(
            id=cluster["uuid"],
            name=cluster["name"],
            version=version,
            masters=tuple(masters),
            cloud_config=config,
            api_addresses=tuple(dict.fromkeys(address for address in addresses if address not in fixed)),
            endpoint=balancer["vip_address"] if balancer else "",
            cluster_api=hidden,
            volume_type=default_type(self.store)["name"],
            autoscaler=hidden and autoscaling.is_enabled(cluster),
            manifests=() if hidden else tuple(autoscaling.manifests(cluster, config)),
        )
        await self.ground.start_cluster(spec)
        cluster["api_address"] = f"https://{endpoint}:{API_PORT}"

    def _cloud_config(self, auth_url: str) -> str:
        """The cloud-config for Kubernetes with a new credential, as Magnum writes it."""
        grant = credentials.grant(self.store, self.cluster)
        sections = {
            "Global": {"auth-url": auth_url, **grant, "region": self.store.region},
            "LoadBalancer": {
                "use-octavia": "True",
                "subnet-id": self.network()["subnets"][0],
                "floating-network-id": self.external()["id"],
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

    async def rotate_credential(self, auth_url: str) -> None:
        """Replace the application credential; the old one is deleted once it is no longer in use."""
        store, cluster, old = self.store, self.cluster, self.cluster["application_credential"]
        config = self._cloud_config(auth_url)
        try:
            await self.ground.reconfigure(cluster["uuid"], config)
        except GroundError:
            old, cluster["application_credential"] = cluster["application_credential"], old
            raise
        finally:
            end_credential(store, old)

    # -- going ------------------------------------------------------------------------------------------------------

    async def delete(self) -> None:
        """Delete everything that belongs to the cluster; other floating IPs, load balancers and volumes stay.

        The volumes of its claims stay only with Heat drivers, or if they are marked.
        """
        store, cluster = self.store, self.cluster
        await self.ground.stop_cluster(cluster["uuid"])
        machines = [
            self.remove_server(group, store.servers[ident])
            for group in cluster["nodegroups"]
            for ident in group["servers"]
            if ident in store.servers
        ]
        await asyncio.gather(*machines)
        # By now the cluster's controllers no longer create anything.
        await self._delete_balancers()
        if is_cluster_api(store, cluster):
            await self._clean_volumes()
        for ident in cluster.get("floatingips", []):
            if ident in store.floatingips:
                await delete_floatingip(store, self.ground, store.floatingips[ident])
        # The cluster's own stack contains the network of the other groups' machines, so it is deleted last.
        for group in reversed(cluster["nodegroups"]):
            if stack := store.stacks.get(group["stack_id"] or ""):
                self._delete_resources(stack)
                heat_records.forget(store, stack)
        credentials.revoke(store, cluster)

    async def _delete_balancers(self) -> None:
        """Delete the load balancers of the API and of Kubernetes Services (recognized by their descriptions)."""
        store, cluster = self.store, self.cluster
        name = f"({re.escape(cluster['uuid'])}|{re.escape(cluster['name'])})"
        made = re.compile(rf"Kubernetes .+ from cluster {name}$")
        made_for = re.compile(rf"Floating IP for Kubernetes .+ from cluster {name}$")
        for balancer in list(store.loadbalancers.values()):
            service = made.match(balancer["description"] or "")
            if not service and balancer["id"] != cluster.get("api_balancer"):
                continue
            for floating in store.floatingips.where(port_id=balancer["vip_port_id"]):
                # One that somebody else allocated is left, as Magnum and the janitor do.
                allocated = made_for.match(floating["description"] or "")
                if allocated or floating["id"] in cluster.get("floatingips", []):
                    await delete_floatingip(store, self.ground, floating)
            await octavia_records.delete_loadbalancer(store, self.ground, balancer)

    async def _clean_volumes(self) -> None:
        """Delete the volumes of its claims, as the janitor does that clouds with Cluster API usually have.

        Source: azimuth-cloud/cluster-api-janitor-openstack.
        """
        for volume in list(self.store.volumes.values()):
            metadata = volume["metadata"]
            tagged = metadata.get("cinder.csi.openstack.org/cluster") == self.cluster["uuid"]
            if tagged and metadata.get("janitor.capi.azimuth-cloud.com/keep") != "true":
                await self.ground.remove_volume(volume["id"])
                del self.store.volumes[volume["id"]]

    def _delete_resources(self, stack: Record) -> None:
        """Delete the remaining resources of the stack and its nested stacks, in an order that Neutron allows.

        Raises ResourceFailed while other ports use the cluster's network, as Heat does.
        """
        store, stacks = self.store, [stack]
        for outer in stacks:
            stacks += store.stacks.where(parent=outer["id"])
        made = {resource["physical_resource_id"] for one in stacks for resource in one["resources"].values()}
        for ident in made & set(store.networks):
            ports = store.ports.where(network_id=ident)
            if any(port["id"] not in made and port["device_id"] not in made for port in ports):
                subnet = store.networks[ident]["subnets"][0]
                why = f"Unable to complete operation on subnet {subnet}: One or more ports have an IP allocation from"
                failure = ResourceFailed("Conflict", f"{why} this subnet.")
                failure.where = "resources.network.resources.private_subnet"
                raise failure
        for ident in made & set(store.routers):
            for port in store.ports.where(device_id=ident):
                del store.ports[port["id"]]
        for table in (store.ports, store.server_groups, store.routers, store.subnets, store.networks):
            for ident in made & set(table):
                del table[ident]
        for ident in made & set(store.security_groups):
            neutron_records.forget(store, "security-groups", ident)
