"""What the deployment file says about the hub's certificate, with the files that it names. Not a stage: several of them ask."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from zerojhub import tls
from zerojhub.deployment import is_address
from zerojhub.errors import UserError
from zerojhub.hub import own_certificate
from zerojhub.hub.charts import at
from zerojhub.hub.https import Designate, Https
from zerojhub.stages.host_name import host_of, zone_of

if TYPE_CHECKING:
    from pathlib import Path

    from zerojhub.run import Run

STORE = "proxy-public-tls-acme"
"""The Secret in which the charts keep Traefik's certificates and accounts, under the key below."""
STORE_KEY = "acme.json"
RESERVED = {
    "alt",
    "corp",
    "example",
    "home",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "mail",
    "onion",
    "private",
    "test",
}
"""Top-level domains of which no public authority issues certificates (RFC 2606, 6761, 6762, 9476; ICANN's own decisions)."""


async def https_of(run: Run) -> Https | None:
    """`hub.https` with what its files contain; None without it. Problems with the files. Use it with `run.once`."""
    spec, host = run.deployment.hub.https, await host_of(run)
    if spec is None:
        return None
    place = run.deployment.where("hub", "https", "ca_file")
    authority = tls.read_authority(spec.ca_file, place) if spec.ca_file else None
    own = None
    if spec.certificate and spec.key:
        own = own_certificate.read(spec.certificate, spec.key, host or "", authority)
    return Https(spec, authority, own, await _designate(run) if spec.contact and spec.challenge == "dns" else None)


async def usable(run: Run) -> Https | None:
    """The same; None also if a file is not as it should be, which keeps nobody from looking at a hub, or from deleting it.

    Use it with `run.once`.
    """
    with suppress(UserError):
        return await run.once(https_of, run)
    return None


async def without_public_name(run: Run) -> UserError | None:
    """Why no authority that browsers trust issues a certificate for the hub's name; None if one may."""
    spec, host = run.deployment.hub.https, await host_of(run)
    if not spec or not spec.contact or spec.is_private or host is None or is_address(host):
        return None
    labels = host.rstrip(".").lower().split(".")
    if len(labels) > 1 and labels[-1] not in RESERVED and not labels[-1].isdigit() and labels[-2:] != ["home", "arpa"]:
        return None
    return UserError(
        f"hub.host: nobody on the internet finds {host}, so no public authority issues a certificate for it",
        where=run.deployment.where("hub", "host"),
        hint="use a name in a public domain, or https.server of your own authority",
    )


def store_name(run: Run) -> str:
    """The name of the Secret with Traefik's certificates in the hub's namespace: the charts put `fullnameOverride` before it."""
    from zerojhub.hub.values import UserValues

    prefix = at(UserValues(run.deployment.hub.values).values, "fullnameOverride")
    return f"{prefix}-{STORE}" if prefix and isinstance(prefix, str) else STORE


def saved_store(run: Run) -> Path:
    """The file in which a certificate outlives its cluster. It contains private keys."""
    return run.folder / STORE_KEY


async def _designate(run: Run) -> Designate:
    """Where the record of a challenge is created. UserError if the project has no zone for it."""
    zone = await zone_of(run)
    if zone is None:
        raise UserError(
            f"https.challenge: dns needs a zone of this project for {await host_of(run)}, and there is none",
            where=run.deployment.where("hub", "https", "challenge"),
            hint="see: openstack zone list",
        )
    return Designate(run.cloud.auth_url, run.cloud.region.region_name, zone["name"])
