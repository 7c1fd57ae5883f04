"""Heat's versions."""

from __future__ import annotations

from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()


@routes("GET", "", status=300, public=True)
@routes("GET", "/{version}", status=300, public=True)
@routes("GET", "/v1", public=True)
async def versions(call: Call) -> Record:
    links = [{"rel": "self", "href": f"{call.origin}/orchestration/v1/"}]
    return {"versions": [{"id": "v1.0", "status": "CURRENT", "links": links}]}
