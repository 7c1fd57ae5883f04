"""Magnum's API as the kit uses it (container-infra v1, microversions to 1.14).

Magnum takes a second cluster or template of the same name, so everything is found by listing and acted on by UUID.
"""

from __future__ import annotations

from zerojhub.errors import UserError
from zerojhub.openstack.session import Cloud


async def find_one(cloud: Cloud, kind: str, wanted: str) -> dict | None:
    """The cluster or cluster template of this UUID or name, whole; None when there is none.

    `kind` is "clusters" or "clustertemplates". UserError when several have the name.
    """
    items = await cloud.container_infra.all(f"/{kind}", kind)
    found = [item for item in items if wanted in (item["uuid"], item["name"])]
    if len(found) > 1:
        uuids = ", ".join(item["uuid"] for item in found)
        word = {"clusters": "clusters", "clustertemplates": "cluster templates"}[kind]
        raise UserError(f"{len(found)} {word} are named {wanted!r}", hint=f"name one by its UUID: {uuids}")
    if not found or kind == "clustertemplates":
        return found[0] if found else None
    return await cloud.container_infra.find(f"/{kind}/{found[0]['uuid']}")
