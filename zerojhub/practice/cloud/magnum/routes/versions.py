"""Magnum's versions."""

from __future__ import annotations

from zerojhub.practice.cloud.magnum.pages import links
from zerojhub.practice.cloud.store import Record, dotted
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()


@routes("GET", "", public=True)
async def root(call: Call) -> Record:
    oldest, newest = call.store.profile.microversions("container-infra")
    version = {
        "id": "v1",
        "links": [{"href": f"{call.origin}/container-infra/v1/", "rel": "self"}],
        "status": "CURRENT",
        "max_version": dotted(newest),
        "min_version": dotted(oldest),
    }
    description = "Magnum is an OpenStack project which aims to provide container cluster management."
    return {"name": "OpenStack Magnum API", "description": description, "versions": [version]}


@routes("GET", "/v1", public=True)
async def version_1(call: Call) -> Record:
    base = f"{call.origin}/container-infra"
    described = {
        "href": "http://docs.openstack.org/developer/magnum/dev/api-spec-v1.html",
        "rel": "describedby",
        "type": "text/html",
    }
    body: Record = {
        "id": "v1",
        "media_types": [{"base": "application/json", "type": "application/vnd.openstack.magnum.v1+json"}],
        "links": [{"href": f"{base}/v1/", "rel": "self"}, described],
    }
    for kind in ("clustertemplates", "clusters", "quotas", "certificates", "mservices", "stats", "federations"):
        body[kind] = links(call, f"{kind}/")
    newest = call.store.profile.microversions("container-infra")[1]
    if newest >= (1, 9):
        body["nodegroups"] = links(call, "clusters/{cluster_id}/nodegroups")
    if newest >= (1, 12):
        body["credentials"] = links(call, "credentials/")
    return body
