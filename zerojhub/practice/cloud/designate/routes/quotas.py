"""Quotas, limits, and what only administrators may ask for."""

from __future__ import annotations

from zerojhub.practice.cloud.designate import errors
from zerojhub.practice.cloud.designate.requests import MOST
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()


@routes("GET", "/v2/quotas")
async def own(call: Call) -> Record:
    return dict(call.store.quotas["dns"])


@routes("GET", "/v2/quotas/{project}")
async def show(call: Call) -> Record:
    if call.path_params["project"] != call.project:
        raise errors.forbidden()
    return dict(call.store.quotas["dns"])


@routes("PATCH DELETE", "/v2/quotas/{project}")
@routes("GET POST", "/v2/pools")
@routes("GET", "/v2/service_statuses")
async def forbidden(call: Call) -> None:
    raise errors.forbidden()


@routes("GET", "/v2/limits")
async def limits(call: Call) -> Record:
    quota = call.store.quotas["dns"]
    names = ("zones", "zone_recordsets", "zone_records", "recordset_records")
    return {
        **{f"max_{name}": quota[name] for name in names},
        "min_ttl": 0,
        "max_zone_name_length": 255,
        "max_recordset_name_length": 255,
        "max_page_limit": MOST,
    }
