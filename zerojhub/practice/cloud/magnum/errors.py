"""Magnum's error responses."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record

MINIMUM, MAXIMUM = "OpenStack-API-Minimum-Version", "OpenStack-API-Maximum-Version"


def to_response(refusal: Refusal) -> JSONResponse:
    error: Record = {
        "request_id": "",
        "code": "client" if refusal.status < 500 else "server",
        "status": refusal.status,
        "title": refusal.message.split(".", 1)[0],
        "detail": refusal.message,
        "links": [],
    }
    if refusal.kind:
        # Errors of Magnum's web library have no code and a fixed title.
        error |= {"code": "", "title": refusal.kind}
    if refusal.headers:
        error = {
            "code": "magnum.microversion-unsupported",
            "title": refusal.kind,
            "description": refusal.message,
            "max_version": refusal.headers[MAXIMUM].split()[-1],
            "min_version": refusal.headers[MINIMUM].split()[-1],
            "links": [{"rel": "help", "href": "http://docs.openstack.org/api-guide/compute/microversions.html"}],
        }
    return JSONResponse({"errors": [error]}, refusal.status)


def not_acceptable(message: str) -> Refusal:
    return Refusal(406, message, "Not Acceptable")


def invalid(name: str, value: Any, why: str) -> Refusal:
    return Refusal(400, f"Invalid input for field/attribute {name}. Value: '{value}'. {why}")
