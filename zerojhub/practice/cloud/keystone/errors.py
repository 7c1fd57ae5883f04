"""Keystone's error responses."""

from __future__ import annotations

from starlette.responses import JSONResponse

from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.wire import AUTHENTICATION_REQUIRED

TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}


def to_response(refusal: Refusal) -> JSONResponse:
    title = TITLES.get(refusal.status, "Internal Server Error")
    error = {"code": refusal.status, "message": refusal.message, "title": title}
    return JSONResponse({"error": error}, refusal.status)


def unauthorized(why: str = AUTHENTICATION_REQUIRED) -> Refusal:
    return Refusal(401, why)


def forbidden(action: str) -> Refusal:
    return Refusal(403, f"You are not authorized to perform the requested action: identity:{action}.")


def incorrect(what: str) -> Refusal:
    why = "The server could not comply with the request since it is either malformed or otherwise incorrect."
    return Refusal(400, f"{what}. {why} The client is assumed to be in error.")


def malformed(name: str, target: str) -> Refusal:
    return incorrect(f"Expecting to find {name} in {target}")


def missing(what: str, ident: str) -> Refusal:
    return Refusal(404, f"Could not find {what}: {ident}.")
