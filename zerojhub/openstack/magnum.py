"""Magnum's API as the kit uses it (container-infra v1, microversions 1.1 to 1.14).

Magnum takes a second cluster or template of the same name, so everything is found by listing and acted on by UUID.
"""

from __future__ import annotations

from zerojhub.errors import UserError
from zerojhub.openstack.session import Cloud
from zerojhub.text import nearest

WORDS = {"clusters": "cluster", "clustertemplates": "cluster template"}
"""The collections of the API, and what one item is called."""


async def named(cloud: Cloud, kind: str, wanted: str) -> list[dict]:
    """Every cluster or cluster template (`kind` as in the API's paths) of this UUID or name."""
    items = await cloud.container_infra.all(f"/{kind}", kind)
    return [item for item in items if wanted in (item["uuid"], item["name"])]


async def find_one(cloud: Cloud, kind: str, wanted: str) -> dict | None:
    """The one of this UUID or name, whole; None when there is none. UserError when several have the name."""
    found = await named(cloud, kind, wanted)
    if len(found) > 1:
        uuids = ", ".join(item["uuid"] for item in found)
        raise UserError(f"{len(found)} {WORDS[kind]}s are named {wanted!r}", hint=f"name one by its UUID: {uuids}")
    if not found or kind == "clustertemplates":  # a list of templates has them whole
        return found[0] if found else None
    return await cloud.container_infra.find(f"/{kind}/{found[0]['uuid']}")


async def get_one(cloud: Cloud, kind: str, wanted: str) -> dict:
    """Like find_one, but a UserError that names the nearest when there is none."""
    found = await find_one(cloud, kind, wanted)
    if found is None:
        raise await unknown(cloud, kind, wanted)
    return found


async def unknown(cloud: Cloud, kind: str, wanted: str) -> UserError:
    """The error for a name that nothing has."""
    known = sorted({item["name"] for item in await cloud.container_infra.all(f"/{kind}", kind)})
    meant = nearest(wanted, known)
    hint = f"did you mean {meant!r}?" if meant else f"there are: {', '.join(known) or 'none'}"
    return UserError(f"no {WORDS[kind]} named {wanted!r} in cloud {cloud.name}", hint=hint)


def require(cloud: Cloud, minor: int, what: str) -> None:
    """UserError where Magnum, which has been asked something before, ends below the microversion 1.`minor`.

    Magnum's REST API version history: 1.7 resize, 1.8 upgrade, 1.9 node groups, 1.12 credentials.
    """
    newest = cloud.container_infra.newest
    if newest and newest < (1, minor):
        has = ".".join(str(number) for number in newest)
        raise UserError(
            f"the Magnum of cloud {cloud.name} is too old for {what}",
            hint=f"that came with microversion 1.{minor}, and this one has {has}",
        )
