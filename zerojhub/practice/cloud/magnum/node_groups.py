"""Changes to a cluster's node groups: scale them, upgrade their nodes."""

from __future__ import annotations

from itertools import count

from zerojhub.practice.cloud.heat import records as heat_records
from zerojhub.practice.cloud.heat.records import nesting, set_stack
from zerojhub.practice.cloud.magnum.drivers import is_cluster_api
from zerojhub.practice.cloud.magnum.machines import MASTER, Machines, Part, part_of, run_all, stack_name
from zerojhub.practice.cloud.neutron.floatingips import delete_floatingip, delete_port
from zerojhub.practice.cloud.nova import records as nova_records
from zerojhub.practice.cloud.store import Record


class NodeGroups(Machines):
    """Works on the node groups of a running cluster. Raises ResourceFailed."""

    async def reconcile(self, group: Record, action: str, remove: list[str]) -> None:
        """Scale the group to its node_count.

        Removes the machines in `remove` (UUIDs or numbers) and those that failed first, then the newest.
        """
        self.api_up.set()
        stack = self._stack_of(group)
        if action != "CREATE":
            set_stack(stack, action, "IN_PROGRESS")
        # The user may have deleted some.
        group["servers"] = [ident for ident in group["servers"] if ident in self.store.servers]
        numbers = {ident: self._number(ident) for ident in group["servers"]}
        going = [
            ident
            for ident, number in numbers.items()
            if ident in remove or str(number) in remove or self.store.servers[ident]["vm_state"] == "error"
        ]
        staying = [ident for ident in numbers if ident not in going]
        for ident in [*going, *staying[group["node_count"] :]]:
            await self._take_out(group, self.store.servers[ident])
        await self._forget_members(stack, group)
        fresh = count(max(numbers.values(), default=-1) + 1)
        missing = group["node_count"] - len(group["servers"])
        await self.boot(stack, group, [next(fresh) for _ in range(missing)], action)
        if action == "DELETE":
            heat_records.forget(self.store, stack)

    async def upgrade(self, groups: list[Record], version: str, batch: int) -> None:
        """Upgrade the groups' nodes: masters one by one, then `batch` workers at a time."""
        for group in groups:
            stack, part = self._stack_of(group), part_of(group)
            if stack["status"] != "IN_PROGRESS":
                set_stack(stack, "UPDATE", "IN_PROGRESS")
            servers = [self.store.servers[ident] for ident in group["servers"] if ident in self.store.servers]
            at_once = 1 if part is MASTER else batch
            with nesting(self.store, stack, part.group, "OS::Heat::ResourceGroup", "UPDATE") as members:
                for some in (servers[start : start + at_once] for start in range(0, len(servers), at_once)):
                    await run_all(*(self._upgrade_one(members, part, server, version) for server in some))

    async def _upgrade_one(self, members: Record, part: Part, server: Record, version: str) -> None:
        number, kind = str(self._number(server["id"])), f"file:///templates/{part.template}"
        with (
            nesting(self.store, members, number, kind, "UPDATE") as own,
            self.step(own, part.deployment, "OS::Heat::SoftwareDeployment", "UPDATE"),
        ):
            await self.ground.upgrade(self.cluster["uuid"], self.spec(server), version)

    def _stack_of(self, group: Record) -> Record:
        """The stack of the group's machines: the cluster's, or a new one for a group added later."""
        if not group["stack_id"]:
            name = stack_name(self.cluster["name"][:20], group["name"][:9])
            timeout = self.cluster["create_timeout"] or None
            hidden = is_cluster_api(self.store, self.cluster)
            stack = heat_records.new_stack(self.store, self.project, name, timeout, hidden=hidden)
            group["stack_id"] = stack["id"]
        return self.store.stacks[group["stack_id"]]

    async def _take_out(self, group: Record, server: Record) -> None:
        """Remove the node from Kubernetes and delete its machine."""
        if server["launched"] and server["id"] not in self.store.consoles:
            await self.ground.leave(self.cluster["uuid"], self.spec(server))
        await self.remove_server(group, server)

    async def _forget_members(self, stack: Record, group: Record) -> None:
        """Delete members of the stack that have no server, and their ports."""
        store, part = self.store, part_of(group)
        resource = stack["resources"].get(part.group)
        members = store.stacks[resource["nested"]]["resources"] if resource else {}
        for number, member in list(members.items()):
            inner = store.stacks[member["nested"]]
            made = {name: each["physical_resource_id"] for name, each in inner["resources"].items()}
            if made.get(part.server) in group["servers"]:
                continue
            if port := store.ports.get(made.get(f"{part.prefix}_eth0", "")):
                await delete_port(store, self.ground, port)
            heat_records.forget(store, inner)
            del members[number]

    async def remove_server(self, group: Record, server: Record) -> None:
        """Delete the machine and its floating IP from the cluster; one that the user associated stays."""
        store = self.store
        for port in store.ports.where(device_id=server["id"]):
            for floating in store.floatingips.where(port_id=port["id"]):
                if floating["id"] in self.cluster.get("floatingips", []):
                    await delete_floatingip(store, self.ground, floating)
        ports = store.ports.where(device_id=server["id"])
        await nova_records.delete_server(store, self.ground, server)
        for port in ports:
            await delete_port(store, self.ground, port)
        group["servers"].remove(server["id"])
        self._update_addresses(group)
