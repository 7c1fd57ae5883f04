"""Nova's versions."""

from __future__ import annotations

from zerojhub.practice.cloud.store import Record, dotted
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()


def version(call: Call) -> Record:
    oldest, newest = call.store.profile.microversions("compute")
    return {
        "id": "v2.1",
        "status": "CURRENT",
        "version": dotted(newest),
        "min_version": dotted(oldest),
        "updated": "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": f"{call.origin}/compute/v2.1/"}],
    }


@routes("GET", "", public=True)
async def versions(call: Call) -> Record:
    return {"versions": [version(call)]}


@routes("GET", "/v2.1", public=True)
async def version_2_1(call: Call) -> Record:
    return {"version": {**version(call), "media-types": [{"base": "application/json", "type": "application/json"}]}}
