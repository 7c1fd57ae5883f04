"""What the project's quotas have room for: each service is asked once, and what is needed is compared with all answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Set
from dataclasses import dataclass
from typing import TypeAlias

from zerojhub.errors import UserError
from zerojhub.openstack import cinder, magnum_quotas, neutron, nova, octavia
from zerojhub.openstack.session import Cloud, if_allowed
from zerojhub.tasks import gather
from zerojhub.text import plural

UNLIMITED = -1

Needs: TypeAlias = Counter[str]
"""How much of each resource is to be created, by the names in `WORDS`. Those of a volume type have it after a slash:
`volumes/ssd`, `gigabytes/ssd`; what is of a type is also counted in `volumes` and `gigabytes`."""

WORDS: Mapping[str, Callable[[int], str]] = {
    "instances": lambda count: plural(count, "instance"),
    "cores": lambda count: plural(count, "core"),
    "ram": lambda megabytes: f"{megabytes} MB of memory",
    "volumes": lambda count: plural(count, "volume"),
    "gigabytes": lambda gigabytes: f"{gigabytes} GB of volumes",
    "networks": lambda count: plural(count, "network"),
    "subnets": lambda count: plural(count, "subnet"),
    "routers": lambda count: plural(count, "router"),
    "ports": lambda count: plural(count, "port"),
    "floating_ips": lambda count: plural(count, "floating IP"),
    "security_groups": lambda count: plural(count, "security group"),
    "load_balancers": lambda count: plural(count, "load balancer"),
    "clusters": lambda count: plural(count, "cluster"),
}
"""A number of each resource in words, in the order in which shortages are reported."""


@dataclass(frozen=True)
class Limit:
    """How much of a resource the project may have (-1 is unlimited), and how much it has."""

    most: int
    used: int


Room: TypeAlias = Mapping[str, Limit]
"""The limits that are known, by the keys of `Needs`: what a project may not see stops nothing."""


async def room(cloud: Cloud, wanted: Set[str] = frozenset(WORDS)) -> Room:
    """The quotas of the services that have any of the wanted resources, each asked once."""
    kinds = {each.partition("/")[0] for each in wanted}
    answers = await gather(*(ask(cloud) for resources, ask in SERVICES if kinds & resources))
    return {name: limit for answer in answers for name, limit in answer.items()}


def shortages(room: Room, needs: Needs) -> list[UserError]:
    """A problem for each resource of which there is too little."""
    found = []
    order = list(WORDS)
    for name in sorted(needs, key=lambda name: (order.index(name.partition("/")[0]), name)):
        limit = room.get(name)
        if limit and limit.most != UNLIMITED and limit.used + needs[name] > limit.most:
            kind, slash, volume_type = name.partition("/")
            what = WORDS[kind](needs[name]) + (f" of type {volume_type}" if slash else "")
            found.append(UserError(f"quota: {what} needed, {max(limit.most - limit.used, 0)} of {limit.most} free"))
    return found


async def lacking(cloud: Cloud, needs: Needs) -> list[UserError]:
    """As `shortages`, with the quotas as they are now."""
    return shortages(await room(cloud, needs.keys()), needs)


async def _compute(cloud: Cloud) -> Room:
    limits = await nova.limits(cloud)
    return {
        "instances": Limit(limits.get("maxTotalInstances", UNLIMITED), limits.get("totalInstancesUsed", 0)),
        "cores": Limit(limits.get("maxTotalCores", UNLIMITED), limits.get("totalCoresUsed", 0)),
        "ram": Limit(limits.get("maxTotalRAMSize", UNLIMITED), limits.get("totalRAMUsed", 0)),
    }


async def _network(cloud: Cloud) -> Room:
    named = {
        "networks": "network",
        "subnets": "subnet",
        "routers": "router",
        "ports": "port",
        "floating_ips": "floatingip",
        "security_groups": "security_group",
    }
    with if_allowed():
        quotas = await neutron.quotas(cloud)
        known = {ours: quotas[theirs] for ours, theirs in named.items() if theirs in quotas}
        return {name: Limit(int(each["limit"]), int(each["used"])) for name, each in known.items()}
    return {}


async def _volumes(cloud: Cloud) -> Room:
    with if_allowed():
        quotas = await cinder.quotas(cloud)
        # Those of a volume type are called `volumes_TYPE` and `gigabytes_TYPE`.
        return {
            name.replace("_", "/", 1): Limit(each["limit"], each["in_use"] + each["reserved"])
            for name, each in quotas.items()
            if name.partition("_")[0] in ("volumes", "gigabytes")
        }
    return {}


async def _load_balancers(cloud: Cloud) -> Room:
    with if_allowed():
        most = await octavia.quota(cloud)
        # Octavia does not say how many there are.
        used = 0 if most == UNLIMITED else len(await octavia.load_balancers(cloud))
        return {"load_balancers": Limit(most, used)}
    return {}


async def _clusters(cloud: Cloud) -> Room:
    with if_allowed():
        project = await magnum_quotas.own_project(cloud)
        quota, stats = await gather(
            magnum_quotas.quota(cloud, project, magnum_quotas.CLUSTER), magnum_quotas.stats(cloud, project)
        )
        return {"clusters": Limit(quota["hard_limit"], stats["clusters"])}
    return {}


SERVICES: tuple[tuple[Set[str], Callable[[Cloud], Awaitable[Room]]], ...] = (
    ({"instances", "cores", "ram"}, _compute),
    ({"networks", "subnets", "routers", "ports", "floating_ips", "security_groups"}, _network),
    ({"volumes", "gigabytes"}, _volumes),
    ({"load_balancers"}, _load_balancers),
    ({"clusters"}, _clusters),
)
"""Resources, and what asks the service that has them."""
