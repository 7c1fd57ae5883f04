"""What a login depends on besides its section in hub.yaml, and what its provider says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from zerojhub.errors import ZeroJHubError

Values = dict[str, Any]
"""Values of a chart, or a part of them."""


def unslashed(url: str) -> str:
    """The URL without a slash at its end."""
    return url.rstrip("/")


def host_of(url: str) -> str:
    """The URL's host, and its port if it has one."""
    return urlsplit(url).netloc


@dataclass(frozen=True)
class Endpoints:
    """Where a provider has its users log in (`authorize`), and where the hub then asks for a token and who it is."""

    authorize: str
    token: str
    userinfo: str = ""
    basic_auth: bool = False
    """The client authenticates in the header `Authorization`, not in the form."""
    unlisted: tuple[str, ...] = ()
    """Scopes that the hub will ask for, and that are not among those that the provider says it has. It need not list all."""


@dataclass(frozen=True)
class Facts:
    """What the values depend on besides the section in hub.yaml."""

    chart: tuple[int, int]
    """The first two numbers of the version of Zero to JupyterHub's chart."""
    callback: str = ""
    """The URL to which the provider sends its users back."""
    endpoints: Endpoints | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By their names in the section, such as `client_secret`."""
    cacert: str | None = None
    """Certificate authorities (PEM) of the provider, besides those that are trusted anyway."""


@dataclass(frozen=True)
class Answer:
    """What a provider was asked, and what came of it. Each text is part of a sentence without a full stop."""

    problems: list[ZeroJHubError] = field(default_factory=list)
    proven: list[str] = field(default_factory=list)
    untested: list[str] = field(default_factory=list)
    """What cannot be known before a person logs in."""
