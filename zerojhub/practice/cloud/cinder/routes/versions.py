"""Cinder's versions."""

from __future__ import annotations

from zerojhub.practice.cloud.store import Record, dotted
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()


@routes("GET", "", status=300, public=True)
@routes("GET", "/v3", public=True)
async def versions(call: Call) -> Record:
    oldest, newest = call.store.profile.microversions("volumev3")
    version = {
        "id": "v3.0",
        "status": "CURRENT",
        "version": dotted(newest),
        "min_version": dotted(oldest),
        "updated": "2023-08-31T00:00:00Z",
        "links": [{"rel": "self", "href": f"{call.origin}/volume/v3/"}],
        "media-types": [],
    }
    return {"versions": [version]}
