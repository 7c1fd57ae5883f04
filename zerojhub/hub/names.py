"""The names that KubeSpawner gives to claims and labels, in both of its schemes.

`escape` (the only one until KubeSpawner 6, charts before 4.0) writes every other character than a-z and 0-9 as `-` and its
bytes in hexadecimal. `safe` (KubeSpawner 7) keeps a name that is valid in Kubernetes, and appends a hash to what it makes of
any other. As in kubespawner/slugs.py of its version 7.0.0.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

HASH = 8
"""Hexadecimal digits of a hash."""
LONGEST = 48
"""Characters of a user and a server together in the scheme `safe`."""
HUB_CLAIM = "hub-db-dir"
"""The claim of the hub's own volume, or what its name ends with."""

OBJECT = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
ESCAPED = re.compile(r"(?:-[0-9a-f]{2})+")


@dataclass(frozen=True)
class Scheme:
    """How a hub names its users' claims."""

    safe: bool
    """The scheme `safe`, not `escape`."""
    template: str
    """Of claims, as in KubeSpawner.pvc_name_template."""

    def claim(self, user: str, server: str = "") -> str:
        """The name of the claim of a user's server; `server` is empty for the default server.

        KeyError or ValueError for a template with fields that depend on more than the two names.
        """
        escaped_user, escaped_server = escape(user), escape(server)
        slug_user, slug_server = slug(user, limit=LONGEST), slug(server, limit=LONGEST) if server else ""
        escaped_both = "--".join(filter(None, (escaped_user, escaped_server)))
        fields = {
            "unescaped_username": user,
            "unescaped_servername": server,
            "username": slug_user if self.safe else escaped_user,
            "servername": slug_server if self.safe else escaped_server,
            "user_server": slug_of_both(user, server) if self.safe else escaped_both,
            "safe_username": slug_user,
            "safe_servername": slug_server,
            "safe_user_server": slug_of_both(user, server),
            "escaped_username": escaped_user,
            "escaped_servername": escaped_server,
            "escaped_user_server": f"{escaped_user}--{escaped_server}",
        }
        name = self.template.format(**fields)
        return name if self.template.endswith("-") else name.rstrip("-")

    def label(self, user: str) -> str:
        """The value of the label `hub.jupyter.org/username`."""
        return slug(user, valid=LABEL) if self.safe else escape(user)


def escape(name: str) -> str:
    """In the scheme `escape`."""
    return re.sub(r"[^a-z0-9]", lambda match: "".join(f"-{byte:02x}" for byte in match[0].encode()), name)


def unescape(name: str) -> str | None:
    """The name that the scheme `escape` writes like this; None if there is none, as for most of the scheme `safe`."""
    try:
        plain = ESCAPED.sub(lambda match: bytes.fromhex(match[0].replace("-", "")).decode(), name)
    except UnicodeDecodeError:
        return None
    return plain if escape(plain) == name else None


def slug(name: str, *, valid: re.Pattern[str] = OBJECT, limit: int | None = None) -> str:
    """In the scheme `safe`: the name itself if it is `valid` and not longer than `limit`."""
    if "--" not in name and valid.fullmatch(name) and (limit is None or len(name) <= limit):
        return name
    return f"{_stripped(name, (limit or 32) - HASH - 3)}---{_hash(name)}"


def slug_of_both(user: str, server: str) -> str:
    """In the scheme `safe`: of a user and a server of theirs."""
    slugs = [slug(each, limit=LONGEST) for each in (user, server) if each]
    if sum(map(len, slugs)) + 2 <= LONGEST:
        return "--".join(slugs)
    room = (LONGEST - HASH - 1) // 2 - 2
    return f"{_stripped(user, room)}--{_stripped(server, room)}---{_hash(user, server)}"


def _stripped(name: str, room: int) -> str:
    kept = re.sub(r"[^a-z0-9]+", "-", name.lower()).lstrip("-")[:room].rstrip("-")
    if kept and not kept[0].isalpha():
        kept = f"x-{kept[: room - 2]}"
    return kept or "x"


def _hash(*names: str) -> str:
    return hashlib.sha256(b"\xff".join(name.encode() for name in names)).hexdigest()[:HASH]
