"""Resources that break on purpose (see `faults.Breakage`), and that are as before when their breakage ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from zerojhub.errors import UserError
from zerojhub.practice.cloud.cinder.records import MICROSECONDS
from zerojhub.practice.cloud.neutron.records import new_network, new_subnet
from zerojhub.practice.cloud.nova.records import mark_failed
from zerojhub.practice.cloud.nova.states import set_state
from zerojhub.practice.cloud.store import COUNTED, Record, Store, Table
from zerojhub.practice.faults import NEXT, Break, Breakage, Faults
from zerojhub.practice.ground import Ground

Undo = Callable[[], Awaitable[None]]

EXTERNAL = ("external-2", "203.0.113.0/24")
"""Name and addresses (for documentation, RFC 5737) of another external network."""
LATE, SOON = timedelta(hours=2), timedelta(days=3, hours=1)


class Breaking:
    """Breaks resources, and repairs them again."""

    def __init__(self, store: Store, ground: Ground, faults: Faults):
        self._store, self._ground, self._faults = store, ground, faults
        self._undo: dict[int, Undo] = {}

    async def begin(self, wanted: Breakage) -> None:
        """Break it now, or let the next ones break. UserError if there is no such resource."""
        if wanted.kind == NEXT or wanted.what is Break.no_addresses:
            self._faults.add(wanted)
            return
        undo = await self._break(wanted)
        self._undo[self._faults.add(wanted).id] = undo

    async def end(self, ident: int) -> None:
        """Repair what the breakage with this number has broken, as far as it still exists."""
        if undo := self._undo.pop(ident, None):
            await undo()

    async def _break(self, wanted: Breakage) -> Undo:
        match wanted.service, wanted.what:
            case _, Break.quota:
                return self._use_up(wanted)
            case "compute", what:
                return await self._break_server(self._find(wanted, self._store.servers), what)
            case "volume", Break.lost:
                return await self._lose(self._find(wanted, self._store.volumes))
            case "volume", what:
                # As if it had been so for hours: nothing that goes on has to be waited for.
                volume = self._find(wanted, self._store.volumes)
                return change(volume, self._store.volumes, status=what, updated_at=_ago(MICROSECONDS))
            case "load-balancer", _:
                return change(
                    self._find(wanted, self._store.loadbalancers),
                    self._store.loadbalancers,
                    provisioning_status="ERROR",
                )
            case "network", Break.twin:
                return self._twin(self._find(wanted, self._store.networks))
            case "network", _:
                return self._another_external()
            case "identity", _:
                credential = self._find(wanted, self._store.application_credentials)
                expires = (datetime.now(UTC) + SOON).strftime("%Y-%m-%dT%H:%M:%S.000000")
                return change(credential, self._store.application_credentials, expires_at=expires)
        cluster = self._find(wanted, self._store.clusters, key="uuid")
        before = _ago("%Y-%m-%dT%H:%M:%S+00:00")
        return change(
            cluster, self._store.clusters, "uuid", status="CREATE_IN_PROGRESS", created_at=before, updated_at=None
        )

    @staticmethod
    def _find(wanted: Breakage, table: Table, key: str = "id") -> Record:
        found = [record for record in table.values() if wanted.name in (record[key], record["name"])]
        if len(found) != 1:
            how_many = f"{len(found)} {wanted.kind}s are" if found else f"no {wanted.kind} is"
            raise UserError(f"{how_many} named {wanted.name}")
        return found[0]

    def _use_up(self, wanted: Breakage) -> Undo:
        """Have no quota left for the resource number `first` from now on."""
        service, name = wanted.service, COUNTED[wanted.service]
        limits = self._store.quotas[service]
        before = limits[name]
        projects = {record["project_id"] for record in self._store.clusters.values()}
        own = self._store.projects.named("practice")[0]["id"]
        used = max(self._store.usage(service, project).get(name, 0) for project in {own, *projects})
        limits[name] = used + wanted.first - 1

        async def undo() -> None:
            limits[name] = before

        return undo

    async def _break_server(self, server: Record, what: Break) -> Undo:
        before = {name: server[name] for name in ("vm_state", "task_state", "fault", "updated")}
        await self._ground.stop(server["id"])
        if what is Break.off:
            set_state(server, "stopped")
        if what is Break.error:
            mark_failed(server, "Connection to libvirt lost: End of file while reading data: Input/output error")

        async def undo() -> None:
            if server["id"] in self._store.servers:
                server.update(before)
                await self._ground.start(server["id"])

        return undo

    async def _lose(self, volume: Record) -> Undo:
        attached = self._store.attachments.where(volume_id=volume["id"])
        if not attached:
            raise UserError(f"volume {volume['name'] or volume['id']} is not attached")
        [attachment] = attached
        await self._ground.detach_volume(volume["id"], attachment["instance"])

        async def undo() -> None:
            if attachment["id"] in self._store.attachments:
                await self._ground.attach_volume(volume["id"], attachment["instance"], attachment["device"])

        return undo

    def _twin(self, network: Record) -> Undo:
        twin = new_network(self._store, network["project_id"], network["name"], external=network["router:external"])
        twin["is_default"] = False
        return self._forget_network(twin)

    def _another_external(self) -> Undo:
        name, addresses = EXTERNAL
        owner = self._store.projects.named("service")[0]["id"]
        network = new_network(self._store, owner, name, external=True)
        network["is_default"] = False
        new_subnet(self._store, owner, network, f"{name}-subnet", addresses, dhcp=False)
        return self._forget_network(network)

    def _forget_network(self, network: Record) -> Undo:
        async def undo() -> None:
            for subnet in network["subnets"]:
                self._store.subnets.pop(subnet, None)
            self._store.networks.pop(network["id"], None)

        return undo


def change(record: Record, table: Table, key: str = "id", **fields: object) -> Undo:
    """Change the record; the result changes back what nobody has changed since."""
    before = {name: record[name] for name in fields}
    record.update(fields)

    async def undo() -> None:
        if record[key] in table:
            record.update({name: value for name, value in before.items() if record[name] == fields[name]})

    return undo


def _ago(form: str) -> str:
    return (datetime.now(UTC) - LATE).strftime(form)
