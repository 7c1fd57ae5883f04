"""Workshop 9."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from zerojhub.hub.charts import at
from zerojhub.hub.values import authenticator
from zerojhub.kube import kinds
from zerojhub.kube.labels import USERNAME
from zerojhub.openstack import designate
from zerojhub.workshops.base import NotDone, Workshop, exercise
from zerojhub.workshops.world import NAME, World

if TYPE_CHECKING:
    from zerojhub.openstack.designate import Zone

ZONE, OTHER = "class.example.", "lab.class.example"
OURS = f"zerojhub:{NAME}"
"""The description of the deployment's records."""
STORE = "proxy-public-tls-acme"
"""The Secret with the certificates that the hub has requested."""


@exercise
async def zone(world: World) -> None:
    """Create the zone class.example."""
    await _zone(world)


@exercise
async def name(world: World) -> None:
    """Give the hub a name in it."""
    await _names(world)


@exercise
async def certificate(world: World) -> None:
    """Get a certificate for the name, after a repair."""
    await _require_certificate(world, await _host(world))


@exercise
async def login(world: World) -> None:
    """Have users log in with their accounts at a provider."""
    if authenticator(await world.values()) != "genericoauth":
        raise NotDone("users log in with the hub's own password")
    if all(each["metadata"].get("annotations", {}).get(USERNAME) != "ada" for each in await world.claims()):
        raise NotDone("ada has not started a server")


@exercise
async def renamed(world: World) -> None:
    """Change the hub's name to lab.class.example."""
    if await _host(world) != OTHER or f"{OTHER}." not in await _names(world):
        raise NotDone(f"the hub is not at {OTHER}")
    await _require_certificate(world, OTHER)
    callback = at(await world.values(), "hub", "config", "GenericOAuthenticator", "oauth_callback_url")
    if callback != f"https://{OTHER}/hub/oauth_callback":
        raise NotDone(f"the provider sends users back to {callback}")


class AHubWithAName(Workshop):
    """A hub with a name."""

    number, slug, minutes = 9, "9-a-hub-with-a-name", 60
    https = True
    exercises = (zone, name, certificate, login, renamed)


async def _zone(world: World) -> Zone:
    for each in await designate.zones(world.cloud):
        if each["name"] == ZONE:
            return each
    raise NotDone(f"the project has no zone {ZONE}")


async def _names(world: World) -> list[str]:
    """The names of the hub's records."""
    found = await designate.recordsets(world.cloud, (await _zone(world))["id"], description=OURS)
    if not found:
        raise NotDone("the hub has no record in the zone")
    return [each["name"] for each in found]


async def _host(world: World) -> str:
    """The name for which the hub requests a certificate."""
    https = at(await world.values(), "proxy", "https") or {}
    if not https.get("enabled") or not https.get("hosts"):
        raise NotDone("the hub requests no certificate")
    return str(https["hosts"][0])


async def _require_certificate(world: World, host: str) -> None:
    for secret in await world.objects(kinds.SECRET):
        if secret["metadata"]["name"] == STORE:
            store = json.loads(base64.b64decode(secret.get("data", {})["acme.json"]))
            issued = [each for resolver in store.values() for each in resolver.get("Certificates") or ()]
            if any(each["domain"]["main"] == host for each in issued):
                return
    raise NotDone(f"there is no certificate for {host} in the Secret {STORE}")
