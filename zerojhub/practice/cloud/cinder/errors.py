"""Cinder's error responses."""

from __future__ import annotations

from starlette.responses import JSONResponse

from zerojhub.practice.cloud.refusal import Refusal

FAULTS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    413: "overLimit",
    503: "serviceUnavailable",
}


def to_response(refusal: Refusal) -> JSONResponse:
    kind = FAULTS.get(refusal.status, "computeFault")
    return JSONResponse({kind: {"code": refusal.status, "message": refusal.message}}, refusal.status)


def invalid_input(why: str) -> Refusal:
    return Refusal(400, f"Invalid input received: {why}")
