"""Neutron's error responses."""

from __future__ import annotations

from starlette.responses import JSONResponse

from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record


def to_response(refusal: Refusal) -> JSONResponse:
    kind = refusal.kind or {404: "HTTPNotFound", 409: "Conflict"}.get(refusal.status, "HTTPBadRequest")
    return JSONResponse({"NeutronError": {"type": kind, "message": refusal.message, "detail": ""}}, refusal.status)


# Type and message of the error for an unknown ID of each kind.
MISSING = {
    "networks": ("NetworkNotFound", "Network {} could not be found."),
    "subnets": ("SubnetNotFound", "Subnet {} could not be found."),
    "subnetpools": ("SubnetPoolNotFound", "Subnet pool {} could not be found."),
    "routers": ("RouterNotFound", "Router {} could not be found"),
    "ports": ("PortNotFound", "Port {} could not be found."),
    "security-groups": ("SecurityGroupNotFound", "Security group {} does not exist"),
    "security-group-rules": ("SecurityGroupRuleNotFound", "Security group rule {} does not exist"),
    "floatingips": ("FloatingIPNotFound", "Floating IP {} could not be found"),
}


def missing(kind: str, ident: str) -> Refusal:
    name, words = MISSING[kind]
    return Refusal(404, words.format(ident), name)


def disallowed(*rules: str) -> Refusal:
    text = " and ".join(f"rule:{rule}" for rule in rules)
    text = f"({text})" if len(rules) > 1 else text
    return Refusal(403, f"{text} is disallowed by policy", "PolicyNotAuthorized")


REQUIRED = {
    "subnets": ("network_id", "ip_version"),
    "subnetpools": ("name", "prefixes"),
    "ports": ("network_id",),
    "security-group-rules": ("direction", "security_group_id"),
}


def require(wanted: Record, *names: str) -> None:
    """Raises Refusal (400) if a required attribute is missing."""
    for name in names:
        if name not in wanted:
            raise Refusal(400, f"Failed to parse request. Required attribute '{name}' not specified")
