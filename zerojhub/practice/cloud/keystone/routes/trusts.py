"""Trusts: one user acts in a project on behalf of another."""

from __future__ import annotations

from zerojhub.practice.cloud.keystone.errors import forbidden, missing
from zerojhub.practice.cloud.keystone.records import new_trust
from zerojhub.practice.cloud.keystone.routes.lookups import listing
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()


@routes("POST", "/v3/OS-TRUST/trusts", status=201)
async def create_trust(call: Call) -> Record:
    wanted = call.inner("trust")
    if wanted.get("trustor_user_id") != call.token.user:
        raise forbidden("create_trust")
    if wanted.get("trustee_user_id") not in call.store.users:
        raise missing("user", str(wanted.get("trustee_user_id")))
    return {"trust": new_trust(call.store, call.token.user, wanted["trustee_user_id"], call.project)}


@routes("GET", "/v3/OS-TRUST/trusts")
async def list_trusts(call: Call) -> Record:
    return listing(call, "trusts", list(call.store.trusts.values()))


def own_trust(call: Call) -> Record:
    trust = call.store.trusts.get(call.path_params["ident"])
    if not trust:
        raise missing("trust", call.path_params["ident"])
    return trust


@routes("GET", "/v3/OS-TRUST/trusts/{ident}")
async def show_trust(call: Call) -> Record:
    return {"trust": own_trust(call)}


@routes("DELETE", "/v3/OS-TRUST/trusts/{ident}", status=204)
async def delete_trust(call: Call) -> None:
    del call.store.trusts[own_trust(call)["id"]]
