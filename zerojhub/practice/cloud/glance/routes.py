"""Glance v2: the images that machines boot from.

Uploaded data is measured and discarded: the practice cloud has its own disk for every image.
"""

from __future__ import annotations

import hashlib

from starlette.responses import JSONResponse

from zerojhub.practice.cloud import glance
from zerojhub.practice.cloud.glance.errors import to_response
from zerojhub.practice.cloud.glance.records import BASIC, READ_ONLY, image_record
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, now
from zerojhub.practice.cloud.wire import Call, Routes, Service, paged

routes = Routes()


@routes("GET", "", status=300, public=True)
@routes("GET", "/versions", public=True)
async def versions(call: Call) -> Record:
    links = [{"rel": "self", "href": f"{call.origin}/image/v2/"}]
    supported = {"id": "v2.16", "status": "CURRENT", "links": links}
    return {"versions": [supported, {"id": "v2.0", "status": "SUPPORTED", "links": links}]}


def is_visible(call: Call, image: Record) -> bool:
    return image["visibility"] == "public" or image["owner"] == call.project


def requested_image(call: Call) -> Record:
    ident = call.path_params["ident"]
    image = call.store.images.get(ident)
    if not image or not is_visible(call, image):
        raise Refusal(404, f"No image found with ID {ident}")
    return image


@routes("GET", "/v2/images")
async def list_images(call: Call) -> Record:
    images = [image for image in call.store.images.values() if is_visible(call, image)]
    # Hidden images are listed only on request.
    hidden = call.query_params.get("os_hidden", "").lower() == "true"
    images = [image for image in images if image["os_hidden"] is hidden]
    images = [image for image in images if set(call.query_params.getlist("tag")) <= set(image["tags"])]
    for key in ("name", "id", "status", "visibility", "owner", "os_distro"):
        if key in call.query_params:
            images = [image for image in images if image.get(key) == call.query_params[key].removeprefix("in:")]
    part, following = paged(call, images)
    body = {"images": part, "first": "/v2/images", "schema": "/v2/schemas/images"}
    return {**body, "next": f"/v2/images?{following}"} if following else body


@routes("GET", "/v2/images/{ident}")
async def show_image(call: Call) -> Record:
    return requested_image(call)


@routes("GET", "/v2/schemas/{kind}")
async def schema(call: Call) -> Record:
    kind = call.path_params["kind"]
    if kind == "images":
        return {"name": "images", "properties": {"images": {"type": "array", "items": {"type": "object"}}}}
    if kind != "image":
        raise Refusal(404, "The resource could not be found.")
    names = next(iter(call.store.images.values()))
    properties = {name: {"type": "array" if name == "tags" else "string"} for name in names}
    return {"name": "image", "properties": properties, "additionalProperties": {"type": "string"}}


IMAGE = "/v2/images/{ident}"


def requested_own_image(call: Call, action: str) -> Record:
    """The project's own image. Raises Refusal (403) for an image of another project."""
    image = requested_image(call)
    if image["owner"] != call.project:
        raise Refusal(403, f"You are not authorized to complete {action} action.")
    return image


def check_attribute(name: str, value: object) -> None:
    if name in READ_ONLY:
        raise Refusal(403, f"Attribute '{name}' is read-only.")
    if name == "visibility" and value == "public":
        raise Refusal(403, "You are not authorized to complete publicize_image action.")


@routes("POST", "/v2/images")
async def create(call: Call) -> JSONResponse:
    wanted = call.data if isinstance(call.data, dict) else {}
    ident = wanted.pop("id", None)
    for name, value in wanted.items():
        check_attribute(name, value)
    if ident in call.store.images:
        raise Refusal(409, f"Image ID {ident} already exists!")
    image = call.store.images.add(image_record(call.project, **({"id": ident} if ident else {}), **wanted))
    location = f"{call.origin}/image/v2/images/{image['id']}"
    return JSONResponse(image, 201, {"Location": location, "OpenStack-image-import-methods": "glance-direct"})


@routes("PUT", IMAGE + "/file", status=204)
async def upload(call: Call) -> None:
    image, digests, size = (
        requested_own_image(call, "upload_image"),
        (hashlib.md5(usedforsecurity=False), hashlib.sha512()),
        0,
    )
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


@routes("PATCH", IMAGE)
async def change(call: Call) -> Record:
    """Apply a JSON patch (RFC 6902, or Glance's older form of it)."""
    image = requested_own_image(call, "modify_image")
    for step in call.data if isinstance(call.data, list) else ():
        kind = step.get("op") or next((word for word in ("add", "replace", "remove") if word in step), "")
        name = (step.get("path") or step.get(kind) or "").lstrip("/")
        check_attribute(name, step.get("value"))
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


@routes("DELETE", IMAGE, status=204)
async def delete(call: Call) -> None:
    image = requested_own_image(call, "delete_image")
    if image["protected"]:
        raise Refusal(403, f"Image {image['id']} is protected and cannot be deleted.")
    del call.store.images[image["id"]]


@routes("PUT", IMAGE + "/tags/{tag}", status=204)
async def add_tag(call: Call) -> None:
    image = requested_own_image(call, "modify_image")
    image["tags"] = [*dict.fromkeys([*image["tags"], call.path_params["tag"]])]


@routes("DELETE", IMAGE + "/tags/{tag}", status=204)
async def remove_tag(call: Call) -> None:
    tag, image = call.path_params["tag"], requested_own_image(call, "modify_image")
    if tag not in image["tags"]:
        raise Refusal(404, f"Failed to find tag {tag} on image {image['id']}")
    image["tags"].remove(tag)


# Requests that only administrators may make, and the policy that forbids them to others.
ADMINISTRATORS = {"GET /v2/tasks": "tasks_api_access", "POST /v2/metadefs/namespaces": "add_metadef_namespace"}
routes.forbid(ADMINISTRATORS, "You are not authorized to complete {} action.")

SERVICE = Service(glance.TYPES, glance.ROOT, to_response, [routes])
