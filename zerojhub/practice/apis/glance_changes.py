"""Images that people bring to Glance or change there.

What is uploaded is measured and let go: whatever image a machine boots from, the practice cloud has the disk for it.
"""

from __future__ import annotations

import hashlib

from starlette.responses import JSONResponse

from zerojhub.practice.apis.cloud import Cloud, Record, now
from zerojhub.practice.apis.glance import an_image, glance, image_record
from zerojhub.practice.apis.wire import Call, Refusal

IMAGE = "/v2/images/{ident}"
READ_ONLY = ("created_at", "updated_at", "status", "checksum", "size", "virtual_size", "self", "file", "schema", "id")
BASIC = (
    "name",
    "visibility",
    "protected",
    "os_hidden",
    "container_format",
    "disk_format",
    "min_disk",
    "min_ram",
    "tags",
)


def own(call: Call, action: str) -> Record:
    """The image, to be changed. Raises Refusal (403) for somebody else's."""
    image = an_image(call)
    if image["owner"] != call.project:
        raise Refusal(403, f"You are not authorized to complete {action} action.")
    return image


def check(name: str, value: object) -> None:
    if name in READ_ONLY:
        raise Refusal(403, f"Attribute '{name}' is read-only.")
    if name == "visibility" and value == "public":
        raise Refusal(403, "You are not authorized to complete publicize_image action.")


@glance.route("POST", "/v2/images")
async def create(call: Call) -> JSONResponse:
    wanted = call.data if isinstance(call.data, dict) else {}
    ident = wanted.pop("id", None)
    for name, value in wanted.items():
        check(name, value)
    if ident in call.cloud.images:
        raise Refusal(409, f"Image ID {ident} already exists!")
    image = call.cloud.images.add(image_record(call.project, **({"id": ident} if ident else {}), **wanted))
    location = f"{call.origin}/image/v2/images/{image['id']}"
    return JSONResponse(image, 201, {"Location": location, "OpenStack-image-import-methods": "glance-direct"})


@glance.route("PUT", IMAGE + "/file", status=204)
async def upload(call: Call) -> None:
    image, digests, size = own(call, "upload_image"), (hashlib.md5(usedforsecurity=False), hashlib.sha512()), 0
    if image["status"] != "queued":
        raise Refusal(409, f"Image status transition from {image['status']} to saving is not allowed")
    image["status"] = "saving"
    async for chunk in call.stream():
        size += len(chunk)
        for digest in digests:
            digest.update(chunk)
    checksum, long = (digest.hexdigest() for digest in digests)
    image |= {"status": "active", "size": size, "updated_at": now()}
    image |= {"checksum": checksum, "os_hash_algo": "sha512", "os_hash_value": long}


@glance.route("PATCH", IMAGE)
async def change(call: Call) -> Record:
    """Additions, replacements and removals of attributes (RFC 6902, or Glance's older form of it)."""
    image = own(call, "modify_image")
    for step in call.data if isinstance(call.data, list) else ():
        kind = step.get("op") or next((word for word in ("add", "replace", "remove") if word in step), "")
        name = (step.get("path") or step.get(kind) or "").lstrip("/")
        check(name, step.get("value"))
        if kind in ("replace", "remove") and name not in image:
            raise Refusal(409, f"Property {name} does not exist.")
        if kind == "remove" and name in BASIC:
            raise Refusal(403, f"Property {name} may not be removed.")
        if kind == "remove":
            del image[name]
        else:
            image[name] = step.get("value")
    image["updated_at"] = now()
    return image


@glance.route("DELETE", IMAGE, status=204)
async def delete(call: Call) -> None:
    image = own(call, "delete_image")
    if image["protected"]:
        raise Refusal(403, f"Image {image['id']} is protected and cannot be deleted.")
    del call.cloud.images[image["id"]]


@glance.route("PUT", IMAGE + "/tags/{tag}", status=204)
async def add_tag(call: Call) -> None:
    image = own(call, "modify_image")
    image["tags"] = [*dict.fromkeys([*image["tags"], call.path_params["tag"]])]


@glance.route("DELETE", IMAGE + "/tags/{tag}", status=204)
async def remove_tag(call: Call) -> None:
    tag, image = call.path_params["tag"], own(call, "modify_image")
    if tag not in image["tags"]:
        raise Refusal(404, f"Failed to find tag {tag} on image {image['id']}")
    image["tags"].remove(tag)


def new_snapshot(cloud: Cloud, project: str, server: Record, name: str, metadata: Record) -> Record:
    """An image of a server's disk, with what the server's own image says of itself."""
    source = {key: value for key, value in cloud.images[server["image"]].items() if key not in (*READ_ONLY, *BASIC)}
    told = {"image_type": "snapshot", "instance_uuid": server["id"], "base_image_ref": server["image"], **metadata}
    formats = {"status": "active", "container_format": "bare", "disk_format": "qcow2", "size": 1_700_000_000}
    return cloud.images.add(image_record(project, **{**source, **told, **formats, "name": name, "owner": project}))
