"""Keystone (identity API v3): the application credential that this program logs in with, and trusts.

Types have the keys that the product reads, as the Identity API reference names them.
"""

from __future__ import annotations

from collections.abc import Sequence

import anyio.to_thread
from typing_extensions import TypedDict

from zerojhub.openstack.session import Cloud


class ApplicationCredential(TypedDict):
    """An application credential. `expires_at` in ISO 8601, in UTC, without a zone; None if it never expires."""

    id: str
    name: str
    expires_at: str | None


class AccessRule(TypedDict):
    """A request that an application credential may be used for. `service`: its type in the catalog."""

    service: str
    method: str
    path: str
    """`*` stands for a part of a path, `**` for any number of them."""


class NewCredential(ApplicationCredential):
    """An application credential that has just been created: its secret is in no later answer."""

    secret: str


class Trust(TypedDict):
    """A trust: what lets a cluster act in the project on a user's behalf."""

    id: str


async def own_application_credential(cloud: Cloud) -> ApplicationCredential | None:
    """The application credential that clouds.yaml has; None if it has a password or something else."""
    ident = await anyio.to_thread.run_sync(lambda: cloud.access.application_credential_id)
    return await application_credential(cloud, ident) if ident else None


async def is_restricted(cloud: Cloud) -> bool:
    """May the application credential of clouds.yaml not create others, and no trusts? Keystone says so with each token.

    False for whoever logs in without one.
    """
    access = await anyio.to_thread.run_sync(lambda: cloud.access)
    return bool(access.application_credential_id and dict(access.application_credential).get("restricted"))


async def application_credential(cloud: Cloud, ident: str) -> ApplicationCredential | None:
    """The user's application credential of this ID; None if the user has no such."""
    path = f"{await _path(cloud)}/{ident}"
    return await cloud.identity.find(path, ApplicationCredential, within="application_credential")


async def find_trust(cloud: Cloud, ident: str) -> Trust | None:
    """The trust of this ID; None when it is gone. CloudError for one that another user has made."""
    return await cloud.identity.find(f"/OS-TRUST/trusts/{ident}", Trust, within="trust")


async def application_credentials(cloud: Cloud, name: str) -> list[ApplicationCredential]:
    """The user's application credentials of that name: one, or none."""
    path = await _path(cloud)
    listed = await cloud.identity.all(path, "application_credentials", ApplicationCredential, name=name)
    return [each for each in listed if each["name"] == name]  # which some clouds do not select by


async def create_application_credential(
    cloud: Cloud, name: str, description: str, rules: Sequence[AccessRule]
) -> NewCredential:
    """Create one with all roles of the user's, which can create no others. Without `rules` it may be used for every request."""
    wanted = {"name": name, "description": description, "unrestricted": False}
    body = {"application_credential": wanted | ({"access_rules": list(rules)} if rules else {})}
    return await cloud.identity.post(await _path(cloud), body, NewCredential, within="application_credential")


async def delete_application_credential(cloud: Cloud, ident: str) -> None:
    await cloud.identity.delete(f"{await _path(cloud)}/{ident}")


async def _path(cloud: Cloud) -> str:
    user = await anyio.to_thread.run_sync(lambda: cloud.access.user_id)
    return f"/users/{user}/application_credentials"
