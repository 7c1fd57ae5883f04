"""The versions of the API."""

from __future__ import annotations

from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()

VERSIONS = {
    "v2": "2022-06-29T00:00:00Z",
    "v2.0": "2022-06-29T00:00:00Z",
    "v2.1": "2023-01-25T00:00:00Z",
    "v2.2": "2025-08-25T00:00:00Z",
    "v2.3": "2026-04-06T00:00:00Z",
    "v2.4": "2026-04-13T00:00:00Z",
}


@routes("GET", "", public=True)
async def versions(call: Call) -> Record:
    links = [
        {"href": f"{call.origin}/dns/v2", "rel": "self"},
        {"href": "https://docs.openstack.org/api-ref/dns", "rel": "help"},
    ]
    newest = list(VERSIONS)[-1]
    listed = [
        {"id": name, "links": links, "status": "CURRENT" if name == newest else "SUPPORTED", "updated": updated}
        for name, updated in VERSIONS.items()
    ]
    return {"versions": listed}
