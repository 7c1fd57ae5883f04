"""Octavia's error responses."""

from __future__ import annotations

from starlette.responses import JSONResponse

from zerojhub.practice.cloud.refusal import Refusal


def to_response(refusal: Refusal) -> JSONResponse:
    code = "Client" if refusal.status < 500 else "Server"
    return JSONResponse({"faultcode": code, "faultstring": refusal.message, "debuginfo": None}, refusal.status)
