"""Faults on purpose: requests that fail as requests to real clouds sometimes do.

A fault selects requests by service, method and path, counts those that match, and lets some of them fail. `inject` does it.
"""

from __future__ import annotations

import json
import socket
import struct
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import TYPE_CHECKING

from zerojhub.errors import UserError
from zerojhub.practice.cloud import services

if TYPE_CHECKING:
    from asyncio import WriteTransport


class What(StrEnum):
    """What happens to a request."""

    error = "500"
    bad_gateway = "502"
    unavailable = "503"
    too_many = "429"
    refused = "refused"
    """The connection is closed without an answer, and the server does not do the work."""
    reset_before = "reset-before"
    """The connection is reset before the server does the work."""
    reset_after = "reset-after"
    """The connection is reset after the server did the work: the answer is lost."""
    truncated_body = "truncated-body"
    """The connection is closed in the middle of the answer."""
    truncated_json = "truncated-json"
    """The JSON in the answer is cut short, but the answer is complete by its length."""
    slow = "slow"
    """The answer comes some seconds late."""
    hang = "hang"
    """No answer at all; the server does not do the work."""
    token_expired = "token-expired"
    """The token of the request has just expired."""
    token_revoked = "token-revoked"
    """The token of the request has just been revoked."""


STATUSES = (What.error, What.bad_gateway, What.unavailable, What.too_many)
TOKENS = (What.token_expired, What.token_revoked)
SLOW = 5.0
PATH = "/practice/faults"
"""Where the practice cloud's process adds, lists and clears faults."""
REASONS = {
    429: "You have sent too many requests in a given amount of time.",
    502: "The server returned an invalid or incomplete response.",
    503: "No server is available to handle this request.",
}
HUB, KUBERNETES = "hub", "kubernetes"
"""Services that are not OpenStack's: the published hub, and the API servers of clusters."""


@dataclass
class Fault:
    """A fault, and how many requests it has met. Raises UserError for what does not exist or does not go together."""

    service: str
    """A type of the service catalog, `kubernetes` or `hub`."""
    what: What
    method: str | None = None
    path: str | None = None
    """Shell pattern for the path without the query; `*` also matches slashes. None: every path."""
    first: int = 1
    """The first matching request that fails."""
    count: int | None = 1
    """How many fail from there on; None: all."""
    retry_after: int | None = None
    """The header Retry-After, in seconds."""
    seconds: float | None = None
    """How late a slow answer is. None: SLOW."""
    id: int = 0
    matched: int = 0
    fired: int = 0

    def __post_init__(self) -> None:
        self.what = What(self.what)
        roots = {**services.roots(), **{root.strip("/"): root for root in services.roots().values()}}
        known = sorted({*roots, HUB, KUBERNETES})
        if self.service not in known:
            raise UserError(f"unknown service {self.service} (known: {', '.join(known)})")
        self.service = roots.get(self.service, self.service).strip("/")
        if self.what in TOKENS and self.service in (HUB, KUBERNETES):
            raise UserError(f"{self.what} is for OpenStack services, not for {self.service}")
        if self.retry_after is not None and self.what not in STATUSES:
            raise UserError(f"--retry-after is for {', '.join(STATUSES)}, not for {self.what}")
        if self.seconds is not None and self.what is not What.slow:
            raise UserError(f"--seconds is for slow, not for {self.what}")

    @property
    def status(self) -> int:
        """The status of the response, for a fault that is one."""
        return int(self.what)

    @property
    def delay(self) -> float:
        """Seconds before a slow answer."""
        return SLOW if self.seconds is None else self.seconds

    def matches(self, service: str, method: str, path: str) -> bool:
        return (
            service == self.service
            and self.method in (None, method)
            and (self.path is None or fnmatchcase(path, self.path))
        )

    @property
    def is_due(self) -> bool:
        """Does the request that was counted last fail?"""
        return self.first <= self.matched and (self.count is None or self.matched < self.first + self.count)


def refusal(service: str, status: int) -> tuple[str, str]:
    """The content type and body of a response with this status.

    An internal error is the service's own (OpenStack's services write theirs themselves); the others come from the load
    balancer in front of it, here HAProxy.
    """
    phrase = HTTPStatus(status).phrase
    if status == 500 and service == HUB:
        return "application/json", json.dumps({"status": status, "message": phrase})
    if status == 500:
        about = {"status": "Failure", "message": "Internal error occurred", "reason": "InternalError", "code": status}
        return "application/json", json.dumps({"kind": "Status", "apiVersion": "v1", "metadata": {}, **about})
    return "text/html", f"<html><body><h1>{status} {phrase}</h1>\n{REASONS[status]}\n</body></html>\n"


def reset(connection: WriteTransport) -> None:
    """Reset the connection: without lingering, the kernel sends RST and drops what was not sent yet."""
    connection.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.abort()


@dataclass
class Faults:
    """The faults of a running practice cloud."""

    active: list[Fault] = field(default_factory=list)
    added: int = 0

    def add(self, fault: Fault) -> Fault:
        """Number the fault and let it act from now on."""
        self.added += 1
        fault.id = self.added
        self.active.append(fault)
        return fault

    def clear(self, *idents: int) -> None:
        """End these faults, or all."""
        self.active = [fault for fault in self.active if idents and fault.id not in idents]

    def meet(self, service: str, method: str, path: str) -> Fault | None:
        """Count a request, and return the first fault that it meets."""
        matching = [fault for fault in self.active if fault.matches(service, method, path)]
        for fault in matching:
            fault.matched += 1
        due = next((fault for fault in matching if fault.is_due), None)
        if due:
            due.fired += 1
        return due
