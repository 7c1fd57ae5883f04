"""Keypairs."""

from __future__ import annotations

import base64
import binascii
import hashlib

from starlette.responses import JSONResponse, Response

from zerojhub.practice.cloud.nova.errors import require
from zerojhub.practice.cloud.nova.records import get
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, now
from zerojhub.practice.cloud.wire import Call, Routes, paged

routes = Routes()


def fingerprint(public_key: str) -> str:
    """MD5 of the key, as Nova shows it. Raises Refusal (400) if it is not an OpenSSH public key."""
    try:
        blob = base64.b64decode(public_key.split()[1], validate=True)
    except (IndexError, binascii.Error):
        raise Refusal(400, "Keypair data is invalid: failed to generate fingerprint") from None
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, 32, 2))


def generate() -> tuple[str, str]:
    """A new RSA key: private (PEM) and public (OpenSSH)."""
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return private, f"{public} Generated-by-Nova"


def brief(call: Call, keypair: Record) -> Record:
    names = ["name", "public_key", "fingerprint"] + (["type"] if call.state.version >= (2, 2) else [])
    return {name: keypair[name] for name in names}


def requested_keypair(call: Call) -> Record:
    words = f"Keypair {{}} not found for user {call.token.user}"
    return get(call.store.keypairs, call.path_params["name"], words)


@routes("GET", "/v2.1/os-keypairs")
async def list_keypairs(call: Call) -> Record:
    part, following = paged(call, list(call.store.keypairs.values()), key="name")
    body: Record = {"keypairs": [{"keypair": brief(call, keypair)} for keypair in part]}
    if following and call.state.version >= (2, 35):
        body["keypairs_links"] = [{"rel": "next", "href": f"{call.origin}/compute/v2.1/os-keypairs?{following}"}]
    return body


@routes("GET", "/v2.1/os-keypairs/{name}")
async def show_keypair(call: Call) -> Record:
    return {"keypair": requested_keypair(call)}


@routes("POST", "/v2.1/os-keypairs")
async def create_keypair(call: Call) -> JSONResponse:
    wanted, version = call.inner("keypair"), call.state.version
    name, public, private = wanted.get("name"), wanted.get("public_key"), None
    if not isinstance(name, str) or not 0 < len(name) <= 255:
        raise Refusal(400, f"Invalid input for field/attribute name. Value: {name}. {name!r} is too short or too long")
    if wanted.get("type", "ssh") != "ssh":
        raise Refusal(400, "Invalid input for field/attribute type. Only ssh keys are of use here.")
    if name in call.store.keypairs:
        raise Refusal(409, f"Key pair '{name}' already exists.")
    if not public:
        if version >= (2, 92):
            require("keypair", wanted, "public_key")
        private, public = generate()
    keypair = {
        "id": len(call.store.keypairs) + 1,
        "name": name,
        "type": "ssh",
        "public_key": public.strip(),
        "fingerprint": fingerprint(public),
        "user_id": call.token.user,
        "created_at": now("%Y-%m-%dT%H:%M:%S.000000"),
        "updated_at": None,
        "deleted": False,
        "deleted_at": None,
    }
    call.store.keypairs.add(keypair, "name")
    body = {**brief(call, keypair), "user_id": keypair["user_id"]}
    if private:
        body["private_key"] = private
    return JSONResponse({"keypair": body}, 201 if version >= (2, 2) else 200)


@routes("DELETE", "/v2.1/os-keypairs/{name}")
async def delete_keypair(call: Call) -> Response:
    del call.store.keypairs[requested_keypair(call)["name"]]
    return Response(status_code=204 if call.state.version >= (2, 2) else 202)
