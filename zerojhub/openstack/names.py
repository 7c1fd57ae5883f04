"""Find one thing by its name or ID; UserError that suggests the nearest name when there is none, or the IDs of several."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from typing_extensions import ReadOnly, TypedDict

from zerojhub.errors import Problems, UserError, ZeroJHubError
from zerojhub.openstack.session import Cloud
from zerojhub.text import nearest

if TYPE_CHECKING:
    from zerojhub.openstack import glance, neutron, nova


class Named(TypedDict):
    """What most services answer has at least these."""

    id: ReadOnly[str]
    name: ReadOnly[str | None]


T = TypeVar("T", bound=Named)
K = TypeVar("K")

MOST = 12
"""Existing names that an error lists."""


def one(kind: str, wanted: str, items: Sequence[T]) -> T:
    """The item whose ID or name is `wanted`."""
    found = [item for item in items if item["id"] == wanted] or [item for item in items if item["name"] == wanted]
    if not found:
        raise unknown(kind, wanted, (item["name"] for item in items))
    refuse_several(kind, wanted, [item["id"] for item in found])
    return found[0]


async def find_each(wanted: Sequence[str], find: Callable[[str], Awaitable[K]]) -> list[K]:
    """What `find` finds for each of the names, in their order, each only once. Problems with the names that are wrong."""
    found: list[K] = []
    problems: list[ZeroJHubError] = []
    for name in dict.fromkeys(wanted):
        try:
            if (item := await find(name)) not in found:
                found.append(item)
        except UserError as error:
            problems.append(error)
    if problems:
        raise Problems(problems)
    return found


def unknown(kind: str, wanted: str, existing: Iterable[str | None], cloud: str | None = None) -> UserError:
    """The error for a name that does not exist (in the cloud of that name); it suggests one that does."""
    names = sorted({name for name in existing if name})
    meant = nearest(wanted, names)
    hint = f"did you mean {meant!r}?" if meant else f"existing {kind}s: {', '.join(names[:MOST]) or 'none'}"
    return UserError(f"no {kind} named {wanted!r}{f' in cloud {cloud}' if cloud else ''}", hint=hint)


def refuse_several(kind: str, wanted: str, ids: Sequence[str]) -> None:
    """UserError when more than one thing has the name."""
    if len(ids) > 1:
        raise UserError(f"{len(ids)} {kind}s are named {wanted!r}", hint=f"use the ID of one: {', '.join(ids)}")


async def image(cloud: Cloud, wanted: str) -> glance.Image:
    from zerojhub.openstack import glance

    return one("image", wanted, await glance.images(cloud))


async def flavor(cloud: Cloud, wanted: str) -> nova.Flavor:
    from zerojhub.openstack import nova

    return one("flavor", wanted, await nova.flavors(cloud))


async def network(cloud: Cloud, wanted: str, *, external: bool = False) -> neutron.Network:
    from zerojhub.openstack import neutron

    kind = "external network" if external else "network"
    return one(kind, wanted, await neutron.networks(cloud, external=external))


async def subnet(cloud: Cloud, wanted: str) -> neutron.Subnet:
    from zerojhub.openstack import neutron

    return one("subnet", wanted, await neutron.subnets(cloud))


async def keypair(cloud: Cloud, wanted: str) -> nova.Keypair:
    """The keypair; a keypair has no ID besides its name."""
    from zerojhub.openstack import nova

    listed = await nova.keypairs(cloud)
    for each in listed:
        if each["name"] == wanted:
            return each
    raise unknown("keypair", wanted, (each["name"] for each in listed))
