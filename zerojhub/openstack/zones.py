"""Availability zones: where servers can be, and where volumes can be.

Kubernetes attaches a volume only to a server in its zone. Many clouds name the zones of Nova and of Cinder differently, and
then attach volumes anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zerojhub.errors import UserError
from zerojhub.openstack import cinder, nova
from zerojhub.openstack.session import Cloud, if_allowed
from zerojhub.tasks import gather

LABEL = "availability_zone"
"""The label of a cluster with the zone of its servers and volumes."""


@dataclass(frozen=True)
class Zones:
    """The names of the zones; empty where the project may not see them."""

    servers: frozenset[str]
    volumes: frozenset[str]

    @property
    def correspond(self) -> bool:
        """Whether a zone of Cinder's is the zone of Nova's that has its name."""
        return bool(self.servers & self.volumes)

    def without_servers(self, zone: str | None) -> bool:
        """Can no server use the volumes that are in the zone?"""
        return self.correspond and zone in self.volumes - self.servers

    def problems(self, wanted: str | None) -> list[UserError]:
        """What would keep the servers of a cluster from being in the wanted zone, or its volumes."""
        if not wanted:
            return []
        found = []
        for what, there in (("servers", self.servers), ("volumes", self.volumes)):
            if there and wanted not in there and (what == "servers" or self.correspond):
                message = f"the label {LABEL} names zone {wanted!r}, which has no {what}"
                found.append(UserError(message, hint=f"zones of {what}: {_listed(there)}"))
        return found

    def warning(self, wanted: str | None) -> str | None:
        """What is wrong with volumes on servers in zones without any, unless a cluster's own zone was chosen."""
        bare = self.servers - self.volumes
        if wanted or not self.correspond or not bare:
            return None
        return (
            f"servers in {_listed(bare)} cannot have volumes, which are in {_listed(self.volumes)}: "
            f"set the label {LABEL} if the cluster's servers might be there"
        )


async def zones(cloud: Cloud) -> Zones:
    """The zones of Nova and Cinder."""
    return Zones(*await gather(_of_servers(cloud), _of_volumes(cloud)))


async def _of_servers(cloud: Cloud) -> frozenset[str]:
    with if_allowed():
        return frozenset(await nova.zones(cloud))
    return frozenset()


async def _of_volumes(cloud: Cloud) -> frozenset[str]:
    with if_allowed():
        return frozenset(await cinder.zones(cloud))
    return frozenset()


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
