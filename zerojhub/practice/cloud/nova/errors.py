"""Nova's error responses."""

from __future__ import annotations

from starlette.responses import JSONResponse

from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record

FAULTS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    501: "notImplemented",
}


def to_response(refusal: Refusal) -> JSONResponse:
    kind = FAULTS.get(refusal.status, "computeFault")
    body = {kind: {"code": refusal.status, "message": refusal.message}}
    return JSONResponse(body, refusal.status, media_type="application/json; charset=UTF-8")


def require(field: str, value: Record, *names: str) -> None:
    """Raises Refusal (400) if a required key is missing, with the message of Nova's schemas."""
    for name in names:
        if name not in value:
            message = f"Invalid input for field/attribute {field}. Value: {value}. {name!r} is a required property"
            raise Refusal(400, message)
