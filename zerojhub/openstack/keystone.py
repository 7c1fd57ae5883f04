"""Keystone (identity API v3): the application credential that this program logs in with, and trusts.

Types have the keys that the product reads, as the Identity API reference names them.
"""

from __future__ import annotations

import anyio.to_thread
from typing_extensions import TypedDict

from zerojhub.openstack.session import Cloud


class ApplicationCredential(TypedDict):
    """An application credential. `expires_at` in ISO 8601, in UTC, without a zone; None if it never expires."""

    id: str
    name: str
    expires_at: str | None


class Trust(TypedDict):
    """A trust: what lets a cluster act in the project on a user's behalf."""

    id: str


async def own_application_credential(cloud: Cloud) -> ApplicationCredential | None:
    """The application credential that clouds.yaml has; None if it has a password or something else."""
    ident = await anyio.to_thread.run_sync(lambda: cloud.access.application_credential_id)
    return await application_credential(cloud, ident) if ident else None


async def is_restricted(cloud: Cloud) -> bool:
    """May the application credential of clouds.yaml not create others, and no trusts? Keystone says so with each token."""
    used = await anyio.to_thread.run_sync(lambda: cloud.access.application_credential)
    return bool(dict(used).get("restricted"))


async def application_credential(cloud: Cloud, ident: str) -> ApplicationCredential | None:
    """The user's application credential of this ID; None if the user has no such."""
    user = await anyio.to_thread.run_sync(lambda: cloud.access.user_id)
    path = f"/users/{user}/application_credentials/{ident}"
    return await cloud.identity.find(path, ApplicationCredential, within="application_credential")


async def find_trust(cloud: Cloud, ident: str) -> Trust | None:
    """The trust of this ID; None when it is gone. CloudError for one that another user has made."""
    return await cloud.identity.find(f"/OS-TRUST/trusts/{ident}", Trust, within="trust")
