"""Faults on purpose: requests that fail as requests to real clouds sometimes do, and resources that break as real ones do.

A fault selects requests by service, method and path, counts those that match, and lets some of them fail. `inject` does it.
A breakage is of a resource: of one that exists, or of the next ones. `cloud.breaking` does it.
"""

from __future__ import annotations

import json
import socket
import struct
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

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


class Break(StrEnum):
    """What happens to a resource."""

    no_valid_host = "no-valid-host"
    """A new server goes to ERROR: no hypervisor has room for it."""
    no_boot = "no-boot"
    """A new server is ACTIVE, but its kernel finds no root file system."""
    off = "off"
    """A server is shut off, as by a failure of its hypervisor."""
    crashed = "crashed"
    """The machine of a server has crashed, and Nova does not notice."""
    error = "error"
    """A server, a volume or a load balancer is in an error state."""
    reserved = "reserved"
    """A volume stays reserved for a server that does not get it."""
    attaching = "attaching"
    detaching = "detaching"
    lost = "lost"
    """The disk of an attached volume disappears from its machine."""
    quota = "quota"
    """The quota is used up, now or after some more resources."""
    overtaken = "overtaken"
    """Others use up the quota after it was looked at: a new server, volume, floating IP or load balancer is refused."""
    no_addresses = "no-addresses"
    """The pool of floating IPs is exhausted."""
    twin = "twin"
    """There is a second network of the same name."""
    another_external = "another-external"
    """There is a second external network, to which no router leads."""
    create_failed = "create-failed"
    """The creation of a cluster fails when everything has been created."""
    update_failed = "update-failed"
    """A resize or an upgrade of a cluster fails."""
    delete_failed = "delete-failed"
    """The deletion of a cluster fails."""
    in_progress = "in-progress"
    """Magnum has not noticed for two hours that a cluster is complete."""
    expiring = "expiring"
    """An application credential expires in three days."""


NEXT = "next"
"""A breakage of resources that are created, or of actions that are requested, from now on; not of one that exists."""
BREAKS: dict[str, dict[Break, str]] = {
    "compute": {
        Break.no_valid_host: NEXT,
        Break.no_boot: NEXT,
        Break.off: "server",
        Break.crashed: "server",
        Break.error: "server",
        Break.quota: "",
        Break.overtaken: NEXT,
    },
    "volume": {
        Break.reserved: "volume",
        Break.attaching: "volume",
        Break.detaching: "volume",
        Break.error: "volume",
        Break.lost: "volume",
        Break.quota: "",
        Break.overtaken: NEXT,
    },
    "load-balancer": {Break.error: "load balancer", Break.quota: "", Break.overtaken: NEXT},
    "network": {
        Break.no_addresses: "",
        Break.another_external: "",
        Break.twin: "network",
        Break.quota: "",
        Break.overtaken: NEXT,
    },
    "container-infra": {
        Break.create_failed: NEXT,
        Break.update_failed: NEXT,
        Break.delete_failed: NEXT,
        Break.in_progress: "cluster",
    },
    "identity": {Break.expiring: "application credential"},
}
"""What each service's breakages are of: NEXT, a kind of resource that has to be named, or nothing in particular."""
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
        self.service = root_of(self.service)
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


@dataclass
class Breakage:
    """A resource that breaks. Raises UserError for what does not exist or does not go together."""

    service: str
    what: Break
    name: str | None = None
    """The resource, by name or ID."""
    first: int = 1
    """The first of the next ones that breaks; of a quota, the first resource that has no room."""
    count: int | None = 1
    """How many break from there on; None: all."""
    id: int = 0
    matched: int = 0
    fired: int = 0

    def __post_init__(self) -> None:
        self.what = Break(self.what)
        self.service = root_of(self.service)
        known = BREAKS.get(self.service, {})
        if self.what not in known:
            of = ", ".join(service for service, breaks in BREAKS.items() if self.what in breaks)
            raise UserError(f"{self.what} is for {of}, not for {self.service}")
        if self.kind and not self.name and self.kind != NEXT:
            raise UserError(f"{self.what} is of one {self.kind}: name it")
        if self.name and self.kind in (NEXT, ""):
            raise UserError(f"{self.what} is not of one resource: leave out {self.name}")

    @property
    def kind(self) -> str:
        """What it is of (BREAKS)."""
        return BREAKS[self.service][self.what]

    @property
    def is_due(self) -> bool:
        """Does the resource that was counted last break?"""
        return self.first <= self.matched and (self.count is None or self.matched < self.first + self.count)


def root_of(service: str) -> str:
    """The name of the service, however it was called. UserError for an unknown one."""
    roots = {**services.roots(), **{root.strip("/"): root for root in services.roots().values()}}
    known = sorted({*roots, HUB, KUBERNETES})
    if service not in known:
        raise UserError(f"unknown service {service} (known: {', '.join(known)})")
    return roots.get(service, service).strip("/")


def of(**fields: Any) -> Fault | Breakage:
    """The fault or the breakage with these fields. Raises UserError."""
    return Breakage(**fields) if fields["what"] in list(Break) else Fault(**fields)


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


Added = TypeVar("Added", "Fault", "Breakage")


@dataclass
class Faults:
    """The faults of a running practice cloud."""

    active: list[Fault | Breakage] = field(default_factory=list)
    added: int = 0

    def add(self, fault: Added) -> Added:
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
        faults = [fault for fault in self.active if isinstance(fault, Fault)]
        matching = [fault for fault in faults if fault.matches(service, method, path)]
        for fault in matching:
            fault.matched += 1
        due = next((fault for fault in matching if fault.is_due), None)
        if due:
            due.fired += 1
        return due

    def breaks(self, service: str, what: Break) -> bool:
        """Count a new resource, or an action, and return whether it breaks in this way."""
        matching = [
            each for each in self.active if isinstance(each, Breakage) and (each.service, each.what) == (service, what)
        ]
        for each in matching:
            each.matched += 1
        due = next((each for each in matching if each.is_due), None)
        if due:
            due.fired += 1
        return due is not None
