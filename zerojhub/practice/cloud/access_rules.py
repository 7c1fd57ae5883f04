"""Which requests a token is good for: all, or those that the access rules of an application credential name.

The rules are read as keystonemiddleware reads them (`_path_matches`): in a path, `*` and `{name}` stand for one part of it,
and `**` for any number of them. Paths begin behind a service's own root.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from zerojhub.practice.cloud.store import Token

METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


def permits(token: Token, services: Iterable[str], method: str, path: str) -> bool:
    """Is the request to a service, which goes by these types, one that the token is good for?"""
    rules = (token.application_credential or {}).get("access_rules")
    # What a token is good for may always be asked.
    return (
        rules is None
        or ("identity" in services and path == "/v3/auth/tokens")
        or any(
            rule["service"] in services and rule["method"] == method and matches(path, rule["path"]) for rule in rules
        )
    )


def matches(path: str, pattern: str) -> bool:
    parts = re.split(r"(\{[^}]*\}|\*+)", pattern)
    wild = (("[^/]+" if part == "*" or part.startswith("{") else ".*") for part in parts[1::2])
    fixed = map(re.escape, parts[::2])
    return re.fullmatch("".join(a + b for a, b in zip(fixed, [*wild, ""], strict=True)), path) is not None
