"""EC2 credentials: access keys for the S3 API, and the check of what is signed with them, for the object store alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime

from zerojhub.practice.cloud.keystone.errors import forbidden, incorrect, missing, unauthorized
from zerojhub.practice.cloud.keystone.routes.tokens import token_body
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import TOKEN_LIFE, Record, Token, hex_id
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()
PATH = "/v3/users/{user}/credentials/OS-EC2"


def is_store(call: Call) -> bool:
    """Does the request come from the object store? Services have a project of their own."""
    return call.project == call.store.projects.named("service")[0]["id"]


def check_own(call: Call, action: str) -> None:
    """Users manage their own credentials, and do so themselves: no trust or application credential may."""
    if call.path_params["user"] != call.token.user:
        raise forbidden(action)
    if call.token.trust or call.token.application_credential:
        message = "You are not authorized to perform the requested action: Delegated tokens cannot access credentials directly."
        raise Refusal(403, message)


def with_link(call: Call, credential: Record) -> Record:
    path = PATH.format(user=credential["user_id"])
    return {**credential, "links": {"self": f"{call.origin}/identity{path}/{credential['access']}"}}


def own_credential(call: Call, action: str) -> Record:
    credential = call.store.ec2_credentials.get(call.path_params["access"])
    if not credential:
        raise missing("credential", hashlib.sha256(call.path_params["access"].encode()).hexdigest())
    if not is_store(call):
        check_own(call, action)
    return credential


@routes("POST", PATH, status=201)
async def create_credential(call: Call) -> Record:
    check_own(call, "ec2_create_credential")
    project = (call.data or {}).get("tenant_id")
    if project not in call.store.projects:
        raise missing("project", str(project))
    credential = {
        "user_id": call.token.user,
        "tenant_id": project,
        "access": hex_id(),
        "secret": hex_id(),
        "trust_id": None,
    }
    return {"credential": with_link(call, call.store.ec2_credentials.add(credential, "access"))}


@routes("GET", PATH)
async def list_credentials(call: Call) -> Record:
    check_own(call, "ec2_list_credentials")
    mine = call.store.ec2_credentials.where(user_id=call.token.user)
    links = {"self": f"{call.origin}{call.url.path}", "previous": None, "next": None}
    return {"credentials": [with_link(call, credential) for credential in mine], "links": links}


@routes("GET", PATH + "/{access}")
async def show_credential(call: Call) -> Record:
    return {"credential": with_link(call, own_credential(call, "ec2_get_credential"))}


@routes("DELETE", PATH + "/{access}", status=204)
async def delete_credential(call: Call) -> None:
    del call.store.ec2_credentials[own_credential(call, "ec2_delete_credential")["access"]]


@routes("POST", "/v3/s3tokens")
async def check_signature(call: Call) -> Record:
    """Who has signed a request to the S3 API. The store then looks the secret up and checks further requests itself."""
    if not is_store(call):
        raise forbidden("s3tokens_validate")
    if not call.data:
        raise incorrect("request must include a request body")
    given = call.data.get("credentials") or {}
    if "access" not in given:
        raise unauthorized("EC2 Signature not supplied")
    credential = call.store.ec2_credentials.get(given["access"])
    if not credential:
        raise Refusal(404, "EC2 access key not found.")
    signed = signature(base64.urlsafe_b64decode(given["token"]), credential["secret"])
    if not hmac.compare_digest(signed, str(given["signature"])):
        raise unauthorized("Credential signature mismatch")
    now = datetime.now(UTC)
    return token_body(
        call, Token("", credential["user_id"], ["ec2credential"], now + TOKEN_LIFE, now, credential["tenant_id"])
    )


def signature(text: bytes, secret: str) -> str:
    """The signature of the text, in version 4 of AWS's signatures or in the first."""
    if not text.startswith(b"AWS4"):
        return base64.b64encode(hmac.digest(secret.encode(), text, "sha1")).decode()
    lines = text.split(b"\n")
    key = f"AWS4{secret}".encode()
    for part in lines[2].split(b"/") if len(lines) == 4 else ():
        key = hmac.digest(key, part, "sha256")
    return hmac.digest(key, text, "sha256").hex()
