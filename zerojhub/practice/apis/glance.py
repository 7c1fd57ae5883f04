"""Glance v2: the images that machines boot from."""

from __future__ import annotations

import html
from typing import Any

from starlette.responses import HTMLResponse

from zerojhub.practice.apis.cloud import Cloud, Record, new_id, now
from zerojhub.practice.apis.wire import Call, Refusal, Service, paged

TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}


def say_no(refusal: Refusal) -> HTMLResponse:
    # Glance's errors are the pages of the web library beneath it, and clients read them as such.
    title = f"{refusal.status} {TITLES.get(refusal.status, 'Internal Server Error')}"
    body = f"<h1>{title}</h1>\n  {html.escape(refusal.message)}<br /><br />"
    page = f"<html>\n <head>\n  <title>{title}</title>\n </head>\n <body>\n  {body}\n\n\n </body>\n</html>"
    return HTMLResponse(page, refusal.status)


glance = Service("image", "/image", say_no)


def image_record(project: str, **fields: Any) -> Record:
    """An image without data, as Glance makes it; `fields` are what it has of its own, or differently."""
    ident = fields.get("id") or new_id()
    return {
        "id": ident,
        "name": None,
        "status": "queued",
        "visibility": "shared",
        "owner": project,
        "protected": False,
        "os_hidden": False,
        "container_format": None,
        "disk_format": None,
        "min_disk": 0,
        "min_ram": 0,
        "size": None,
        "virtual_size": None,
        "checksum": None,
        "os_hash_algo": None,
        "os_hash_value": None,
        "tags": [],
        "created_at": now(),
        "updated_at": now(),
        "self": f"/v2/images/{ident}",
        "file": f"/v2/images/{ident}/file",
        "schema": "/v2/schemas/image",
        **fields,
    }


def new_image(cloud: Cloud, project: str, name: str, **properties: str) -> Record:
    """A public image, with properties such as os_distro and os_admin_user, the user that its machines are entered as."""
    image = image_record(
        project,
        name=name,
        status="active",
        visibility="public",
        protected=True,
        container_format="bare",
        disk_format="qcow2",
        min_disk=10,
        min_ram=1024,
        size=1_700_000_000,
        virtual_size=10_737_418_240,
        **properties,
    )
    return cloud.images.add(image)


@glance.route("GET", "", status=300, public=True)
@glance.route("GET", "/versions", public=True)
async def versions(call: Call) -> Record:
    links = [{"rel": "self", "href": f"{call.origin}/image/v2/"}]
    supported = {"id": "v2.16", "status": "CURRENT", "links": links}
    return {"versions": [supported, {"id": "v2.0", "status": "SUPPORTED", "links": links}]}


def image_is_seen(call: Call, image: Record) -> bool:
    return image["visibility"] == "public" or image["owner"] == call.project


def an_image(call: Call) -> Record:
    ident = call.path_params["ident"]
    image = call.cloud.images.get(ident)
    if not image or not image_is_seen(call, image):
        raise Refusal(404, f"No image found with ID {ident}")
    return image


@glance.route("GET", "/v2/images")
async def list_images(call: Call) -> Record:
    images = [image for image in call.cloud.images.values() if image_is_seen(call, image)]
    # Hidden ones are found by who asks for them.
    hidden = call.query_params.get("os_hidden", "").lower() == "true"
    images = [image for image in images if image["os_hidden"] is hidden]
    images = [image for image in images if set(call.query_params.getlist("tag")) <= set(image["tags"])]
    for key in ("name", "id", "status", "visibility", "owner", "os_distro"):
        if key in call.query_params:
            images = [image for image in images if image.get(key) == call.query_params[key].removeprefix("in:")]
    part, following = paged(call, images)
    body = {"images": part, "first": "/v2/images", "schema": "/v2/schemas/images"}
    return {**body, "next": f"/v2/images?{following}"} if following else body


@glance.route("GET", "/v2/images/{ident}")
async def show_image(call: Call) -> Record:
    return an_image(call)


@glance.route("GET", "/v2/schemas/{kind}")
async def schema(call: Call) -> Record:
    kind = call.path_params["kind"]
    if kind == "images":
        return {"name": "images", "properties": {"images": {"type": "array", "items": {"type": "object"}}}}
    if kind != "image":
        raise Refusal(404, "The resource could not be found.")
    names = next(iter(call.cloud.images.values()))
    properties = {name: {"type": "array" if name == "tags" else "string"} for name in names}
    return {"name": "image", "properties": properties, "additionalProperties": {"type": "string"}}
