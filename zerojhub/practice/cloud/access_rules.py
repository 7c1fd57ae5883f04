"""Which requests a token authorizes: all, or those in the access rules of its application credential.

Rules match as in keystonemiddleware (`_path_matches`): in a path, `*` and `{name}` match one segment, and `**` any
number of them. Paths are relative to the service's root.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from zerojhub.practice.cloud.store import Token

METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


def permits(token: Token, services: Iterable[str], method: str, path: str) -> bool:
    """Does the token authorize this request to a service with these catalog types?"""
    rules = (token.application_credential or {}).get("access_rules")
    # Any token may be validated.
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
