"""Keystone v3: the catalog of services, and who there is. Who gets a token is in keystone_tokens."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.responses import JSONResponse

from zerojhub.practice.apis.cloud import Record
from zerojhub.practice.apis.wire import UNAUTHENTICATED, Call, Refusal, Service
from zerojhub.practice.profile import SERVED

TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}
MICROSECONDS = "%Y-%m-%dT%H:%M:%S.%fZ"


def say_no(refusal: Refusal) -> JSONResponse:
    title = TITLES.get(refusal.status, "Internal Server Error")
    error = {"code": refusal.status, "message": refusal.message, "title": title}
    return JSONResponse({"error": error}, refusal.status)


keystone = Service("identity", "/identity", say_no, headers={"Vary": "X-Auth-Token"})


def unauthorized(why: str = UNAUTHENTICATED["error"]["message"]) -> Refusal:
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


# -- versions and catalog -----------------------------------------------------------------------------------------------


def version(call: Call) -> Record:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{call.origin}/identity/v3/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }


@keystone.route("GET", "", public=True)
async def versions(call: Call) -> JSONResponse:
    body = {"versions": {"values": [version(call)]}}
    return JSONResponse(body, 300, {"Location": f"{call.origin}/identity/v3/"})


@keystone.route("GET", "/v3", public=True)
async def version_3(call: Call) -> Record:
    return {"version": version(call)}


def catalog(call: Call, project: str | None) -> list[Record]:
    """The services, at the address that the client reached Keystone on."""
    region = call.cloud.region
    return [
        {
            "id": f"{index:032x}",
            "type": service.type,
            "name": service.name,
            "endpoints": [
                {
                    "id": f"{index:016x}{number:016x}",
                    "interface": interface,
                    "region": region,
                    "region_id": region,
                    "url": call.origin + SERVED[service.type] + service.path.replace("{project}", str(project)),
                }
                for number, interface in enumerate(("public", "internal", "admin"))
            ],
        }
        for index, service in enumerate(call.cloud.profile.services, 1)
    ]


@keystone.route("GET", "/v3/auth/catalog")
async def show_catalog(call: Call) -> Record:
    return {"catalog": catalog(call, call.project), "links": {"self": f"{call.origin}/identity/v3/auth/catalog"}}


def moment(text: str) -> datetime:
    """A time as clients write it, with or without a zone (then it is UTC)."""
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise incorrect("Timestamp not in expected format") from None
    return given if given.tzinfo else given.replace(tzinfo=UTC)
