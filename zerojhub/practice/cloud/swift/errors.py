"""Swift's error responses."""

from __future__ import annotations

from starlette.responses import PlainTextResponse

from zerojhub.practice.cloud.refusal import Refusal


def to_response(refusal: Refusal) -> PlainTextResponse:
    return PlainTextResponse(refusal.message, refusal.status)
