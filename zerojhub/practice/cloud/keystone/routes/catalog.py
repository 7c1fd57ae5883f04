"""Keystone's versions and its catalog of services."""

from __future__ import annotations

from starlette.responses import JSONResponse

from zerojhub.practice.cloud import services
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()


def version(call: Call) -> Record:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{call.origin}/identity/v3/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }


@routes("GET", "", public=True)
async def versions(call: Call) -> JSONResponse:
    body = {"versions": {"values": [version(call)]}}
    return JSONResponse(body, 300, {"Location": f"{call.origin}/identity/v3/"})


@routes("GET", "/v3", public=True)
async def version_3(call: Call) -> Record:
    return {"version": version(call)}


def catalog(call: Call, project: str | None) -> list[Record]:
    """The services, with URLs at the address that the client used for Keystone."""
    region = call.store.region
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
                    "url": call.origin
                    + services.roots()[service.type]
                    + service.path.replace("{project}", str(project)),
                }
                for number, interface in enumerate(("public", "internal", "admin"))
            ],
        }
        for index, service in enumerate(call.store.profile.services, 1)
    ]


@routes("GET", "/v3/auth/catalog")
async def show_catalog(call: Call) -> Record:
    return {"catalog": catalog(call, call.project), "links": {"self": f"{call.origin}/identity/v3/auth/catalog"}}
