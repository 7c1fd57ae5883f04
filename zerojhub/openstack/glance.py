"""Glance (image API v2): the images that the project may boot."""

from __future__ import annotations

from typing_extensions import TypedDict

from zerojhub.openstack.session import Cloud


class Image(TypedDict):
    """An image, with the keys that the product reads (Image API reference, "List images")."""

    id: str
    name: str | None


async def images(cloud: Cloud) -> list[Image]:
    return await cloud.image.all("/images", "images", Image)
