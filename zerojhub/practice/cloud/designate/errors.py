"""Designate's error responses."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

from zerojhub.practice.cloud.refusal import Refusal

NOT_FOUND = "resource not found"


class InvalidObject(Refusal):
    """What is sent does not match the schema: where, in which words, and what it should be."""

    def __init__(self, path: list[str | int], message: str, validator: str, value: Any):
        super().__init__(400, message, "invalid_object")
        self.details = {"path": path, "message": message, "validator": validator, "validator_value": value}


def to_response(refusal: Refusal) -> JSONResponse:
    body: dict[str, Any] = {"code": refusal.status, "type": refusal.kind or "unknown"}
    if isinstance(refusal, InvalidObject):
        body["errors"] = {"errors": [refusal.details]}
    elif refusal.status == 404 and not refusal.kind:  # no such path
        body |= {"type": "not_found", "message": NOT_FOUND}
    elif refusal.message:
        body["message"] = refusal.message
    return JSONResponse({**body, "request_id": refusal.request_id}, refusal.status, refusal.headers)


def invalid(message: str) -> Refusal:
    return Refusal(400, message, "invalid_object")


def unfit(kind: str, *keys: str) -> Refusal:
    """Keys that the object does not have, or that cannot be changed."""
    return invalid(f"Provided object does not match schema. Keys {list(keys)} are not valid for {kind}")


def unusable(why: str) -> Refusal:
    """A value of a key that cannot be one."""
    return invalid(f"Provided object is not valid. Got a ValueError error with message {why}")


def misplaced(why: str) -> Refusal:
    """A name at which the recordset cannot be."""
    return Refusal(400, why, "invalid_recordset_location")


def missing(kind: str) -> Refusal:
    """`kind`: Zone or RecordSet."""
    return Refusal(404, f"Could not find {kind}", f"{kind.lower()}_not_found")


def forbidden() -> Refusal:
    """What only administrators may do."""
    return Refusal(403, "", "forbidden")


def not_allowed() -> Refusal:
    """A method that the path does not have."""
    return Refusal(405, "", "method_not_allowed")
