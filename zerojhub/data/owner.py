"""Whose a volume is, as its metadata in Cinder says: the claim that had it, and the user of that claim."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

from zerojhub.hub import names
from zerojhub.openstack.leftovers import CLAIM_METADATA, CLUSTER_METADATA, NAMESPACE_METADATA

DEPLOYMENT, NAMESPACE, CLAIM = "zerojhub:deployment", "zerojhub:namespace", "zerojhub:claim"
USER, SERVER, NAMES = "zerojhub:user", "zerojhub:server", "zerojhub:names"
FILE_SYSTEM, CLUSTER = "zerojhub:file_system", "zerojhub:cluster"
KEPT = "zerojhub:kept"
"""The last time that a cluster is known to have had the volume: it is there until one has it again."""
GIVEN_BACK = "zerojhub:given_back"
"""When a cluster got the volume again."""
RECORDED = (DEPLOYMENT, NAMESPACE, CLAIM, USER, SERVER, NAMES, FILE_SYSTEM, CLUSTER)
"""What says whose a volume is."""
LONGEST = 255
"""Characters of a value of Cinder's metadata."""
USUAL = re.compile(r"[^\W_A-Z]+(?:[-._][^\W_A-Z]+)*(?:@[^\W_A-Z]+(?:[-.][^\W_A-Z]+)*\.[^\W_A-Z]+)?")
"""How users' names usually look. The hub writes them in lower case."""
PRINTABLE = " !#$&'()*+,-./:;=?@[]_~"


@dataclass(frozen=True)
class Owner:
    """Whose a volume is."""

    namespace: str
    claim: str
    """The name of the claim that had it; empty if somebody has only said whose it is."""
    deployment: str = ""
    """The deployment's name; empty if an earlier version or another tool kept the volume."""
    user: str | None = None
    """The user; None for the hub's own volume and for claims that are nobody's."""
    server: str = ""
    """The name of the user's server; empty for the default server."""
    safe: bool | None = None
    """The hub named claims by KubeSpawner's scheme `safe`; None if that is not known."""
    file_system: str = "ext4"
    cluster: str = ""
    """The UUID of the cluster that it was on last."""

    @property
    def label(self) -> str:
        """For people: `ada`, `ada (server lab)`, or the claim's name."""
        if self.user is None:
            return self.claim
        return f"{self.user} (server {self.server})" if self.server else self.user

    def metadata(self) -> dict[str, str]:
        """For Cinder, whose databases do not hold every character. A value that is too long is left out."""
        items = {
            DEPLOYMENT: self.deployment,
            NAMESPACE: self.namespace,
            CLAIM: self.claim,
            USER: self.user or "",
            SERVER: self.server,
            NAMES: {True: "safe", False: "escape", None: ""}[self.safe],
            FILE_SYSTEM: self.file_system,
            CLUSTER: self.cluster,
        }
        quoted = {key: quote(value, safe=PRINTABLE) for key, value in items.items() if value}
        return {key: value for key, value in quoted.items() if len(value) <= LONGEST}


def recorded(metadata: Mapping[str, str]) -> Owner | None:
    """What `Owner.metadata` has recorded; None for any other volume."""
    found = {key: unquote(value) for key, value in metadata.items()}
    if DEPLOYMENT not in found or NAMESPACE not in found:
        return None
    return Owner(
        namespace=found[NAMESPACE],
        claim=found.get(CLAIM, ""),
        deployment=found[DEPLOYMENT],
        user=found.get(USER),
        server=found.get(SERVER, ""),
        safe={"safe": True, "escape": False}.get(found.get(NAMES, "")),
        file_system=found.get(FILE_SYSTEM, "ext4"),
        cluster=found.get(CLUSTER, ""),
    )


def recovered(metadata: Mapping[str, str]) -> Owner | None:
    """What the CSI driver has recorded when it created the volume for a claim; None for any other volume.

    It has not recorded the user. The name of a default server's claim in the scheme `escape` tells, but only if there is an
    escape in it: another name can be of either scheme, and is the same in both. See `user_of` for those that may be taken
    for the other scheme.
    """
    if CLAIM_METADATA not in metadata or NAMESPACE_METADATA not in metadata:
        return None
    claim = metadata[CLAIM_METADATA]
    user = user_of(claim)
    return Owner(
        namespace=metadata[NAMESPACE_METADATA],
        claim=claim,
        user=user,
        safe=False if user and user != claim.removeprefix("claim-") else None,
        cluster=metadata.get(CLUSTER_METADATA, ""),
    )


def user_of(claim: str) -> str | None:
    """The user whose default server has a claim of this name in the scheme `escape`; None if nothing tells.

    In the scheme `safe`, `claim-group-2b` is of user `group-2b` and not of `group+`. So what is read from escapes has to look
    like a user's name: words with `-`, `.` or `_` between them, or an e-mail address.
    """
    if not claim.startswith("claim-"):
        return None
    name = claim.removeprefix("claim-")
    user = names.unescape(name)
    return user if user is not None and (user == name or USUAL.fullmatch(user)) else None
