"""Heat's error responses."""

from __future__ import annotations

from starlette.responses import JSONResponse

from zerojhub.practice.cloud.refusal import Refusal

TITLES = {400: "Bad Request", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}
EXPLANATIONS = {
    400: "The server could not comply with the request since it is either malformed or otherwise incorrect.",
    404: "The resource could not be found.",
    409: "There was a conflict when trying to complete your request.",
}


def plain_error(title: str, status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """A response of Heat's web framework."""
    return JSONResponse({"message": message, "code": f"{status} {title}", "title": title}, status, headers)


def to_response(no: Refusal) -> JSONResponse:
    status = no.status
    if status == 404 and not no.kind:
        return plain_error("Not Found", status, f"{EXPLANATIONS[404]}<br /><br />\n\n\n")
    body = {
        "code": status,
        "title": TITLES.get(status, "Internal Server Error"),
        "explanation": EXPLANATIONS.get(status, no.message),
        "error": {"message": no.message, "traceback": None, "type": no.kind or "HTTPBadRequest"},
    }
    return JSONResponse(body, status)


def refusal(kind: str, message: str, status: int = 400) -> Refusal:
    return Refusal(status, message, kind)


def bad_value(where: str, why: str) -> Refusal:
    return refusal("StackValidationFailed", f"Property error: : {where}: : {why}")
