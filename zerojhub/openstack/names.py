"""From a name or an ID to the thing itself; UserError naming the nearest when there is none, or the IDs when several."""

from __future__ import annotations

from zerojhub.errors import UserError
from zerojhub.openstack.session import Cloud
from zerojhub.text import nearest


def one(kind: str, wanted: str, items: list[dict]) -> dict:
    """The item whose id or name is `wanted`."""
    found = [item for item in items if item["id"] == wanted] or [item for item in items if item.get("name") == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(
            f"{len(found)} {kind}s are named {wanted!r}",
            hint="name one by its ID: " + ", ".join(x["id"] for x in found),
        )
    known = sorted({item["name"] for item in items if item.get("name")})
    meant = nearest(wanted, known)
    hint = f"did you mean {meant!r}?" if meant else f"there are: {', '.join(known[:12]) or 'none'}"
    raise UserError(f"no {kind} named {wanted!r}", hint=hint)


async def image(cloud: Cloud, wanted: str) -> dict:
    return one("image", wanted, await cloud.image.all("/images", "images"))


async def flavor(cloud: Cloud, wanted: str) -> dict:
    return one("flavor", wanted, await cloud.compute.all("/flavors/detail", "flavors"))


async def network(cloud: Cloud, wanted: str, *, external: bool = False) -> dict:
    query = {"router:external": True} if external else {}
    kind = "external network" if external else "network"
    return one(kind, wanted, await cloud.network.all("/networks", "networks", **query))


async def subnet(cloud: Cloud, wanted: str) -> dict:
    return one("subnet", wanted, await cloud.network.all("/subnets", "subnets"))


async def keypair(cloud: Cloud, wanted: str) -> dict:
    listed = (await cloud.compute.get("/os-keypairs"))["keypairs"]
    return one("keypair", wanted, [{"id": each["keypair"]["name"]} | each["keypair"] for each in listed])
