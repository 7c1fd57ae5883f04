"""Magnum's microversions: which one a request gets, and what exists only since a later one."""

from __future__ import annotations

import re

from zerojhub.practice.cloud import magnum
from zerojhub.practice.cloud.magnum.errors import MAXIMUM, MINIMUM, not_acceptable
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import dotted
from zerojhub.practice.cloud.wire import Call

HEADER = "OpenStack-API-Version"
NAMES = ("container-infrastructure-management", "container-infrastructure", "container-infra")


def version_of(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split("."))


def negotiate(call: Call) -> dict[str, str]:
    """Put the requested microversion into `call.state.version`; returns its headers. Raises Refusal (406)."""
    if call.url.path.rstrip("/") == magnum.ROOT:
        return {}
    oldest, newest = (dotted(version) for version in call.store.profile.microversions("container-infra"))
    service = call.store.profile.service("container-infra")
    name = (service and service.microversions and service.microversions.service) or NAMES[0]
    asked = call.headers.get(HEADER, f"{name} {oldest}").split()
    if len(asked) != 2 or (asked[1] != "latest" and asked[0] not in NAMES):
        raise not_acceptable(f"Invalid service type for {HEADER} header")
    wanted = asked[1] if asked[1] != "latest" else newest
    if not re.fullmatch(r"\d+\.\d+", wanted):
        raise not_acceptable(f"Invalid value for {HEADER} header")
    version = version_of(wanted)
    headers = {
        MINIMUM: f"{name} {oldest}",
        MAXIMUM: f"{name} {newest}",
        HEADER: f"{name} {wanted}",
        "Vary": HEADER,
    }
    supported = f"The supported version range is: [{name} {oldest}, {name} {newest}]."
    if version[0] != 1:
        message = (
            f"Mutually exclusive versions requested. Version {wanted} requested but not supported by this service."
        )
        raise Refusal(406, message + supported, "Requested microversion is unsupported", headers)
    if not version_of(oldest) <= version <= version_of(newest):
        message = f"Version {wanted} was requested but the minor version is not supported by this service. "
        raise Refusal(406, message + supported, "Requested microversion is unsupported", headers)
    call.state.version = version
    return headers


def since(call: Call, minor: int, what: str) -> None:
    """Refuse (406) a request that needs a later microversion; 404 if this Magnum has none that supports it."""
    if call.store.profile.microversions("container-infra")[1] < (1, minor):
        raise Refusal(404, "The resource could not be found.")
    version = call.state.version
    if version < (1, minor):
        message = (
            f"Version {dotted(version)} was requested but the requested API {what} is not supported for this version."
        )
        raise not_acceptable(message)
