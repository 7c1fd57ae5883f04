"""A read-only image registry for the practice machines, in place of the public ones.

It implements the pull part of https://github.com/opencontainers/distribution-spec/blob/main/spec.md. A client that uses
it as a mirror sends the original registry as `?ns=`. Charts pin tags that change with each release, and the practice cloud
has few builds of an image, mostly one: `images/catalog.py` says which tags each stands in for.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from zerojhub.practice.ground import GroundError
from zerojhub.practice.images import layout
from zerojhub.practice.images.catalog import IMAGES, Image

if TYPE_CHECKING:
    from starlette.applications import Starlette

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
SPOKEN = {"Docker-Distribution-Api-Version": "registry/2.0"}


class RegistryError(Exception):
    """An error response, with a code of the specification."""

    def __init__(self, status: int, code: str, message: str):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class NotBuilt(RegistryError):
    """The image for a tag is not in the layout."""

    def __init__(self, image: Image):
        how = f"zerojhub practice build{f' --with {image.on_request}' if image.on_request else ''}"
        super().__init__(404, "MANIFEST_UNKNOWN", f"image {image.name} is not built yet: run {how}")
        self.image = image


def images_of(repository: str, registry: str | None) -> list[Image]:
    """The images for a repository, those first that take only some tags; without a registry, of any registry.

    Raises RegistryError (404) with the list of available images.
    """
    if registry:
        repository = f"{registry}/{repository}"
        found = [image for image in IMAGES if repository in image.answers]
    else:
        found = [image for image in IMAGES if repository in {name.partition("/")[2] for name in image.answers}]
    if not found:
        has = ", ".join(dict.fromkeys(image.answers[0] for image in IMAGES))
        raise RegistryError(404, "NAME_UNKNOWN", f"the practice cloud has no image {repository}; available: {has}")
    return sorted(found, key=lambda image: not image.on_demand)


def manifest(layouts: Path, images: list[Image], reference: str) -> str:
    """The manifest digest for a tag or digest of a repository with these images. Raises RegistryError (404)."""
    built = {name: digest for name, (_, digest) in layout.images(layouts).items()}
    if reference in (built.get(image.name) for image in images):
        return reference
    if not TAG.fullmatch(reference):
        name = images[-1].name
        raise RegistryError(404, "MANIFEST_UNKNOWN", f"image {name} has no manifest {reference}: it was rebuilt")
    image = next(image for image in images if image.takes(reference))
    if image.name not in built:
        raise NotBuilt(image)
    return built[image.name]


def app(layouts: Path, build_on_demand: Callable[[], Awaitable[None]]) -> Starlette:
    """The registry for an OCI image layout, to mount at /v2.

    `build_on_demand` builds the missing images that are on demand; called when one of them is pulled. Raises GroundError.
    """
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.responses import FileResponse, JSONResponse, Response
    from starlette.routing import Route

    building = asyncio.Lock()

    def named(request: Request) -> list[Image]:
        return images_of(request.path_params["name"], request.query_params.get("ns"))

    def version(request: Request) -> Response:
        return JSONResponse({}, headers=SPOKEN)

    def tags(request: Request) -> Response:
        named(request)
        return JSONResponse({"name": request.path_params["name"], "tags": ["latest"]}, headers=SPOKEN)

    async def manifests(request: Request) -> Response:
        images, reference = named(request), request.path_params["reference"]
        try:
            digest = manifest(layouts, images, reference)
        except NotBuilt as missing:
            if not missing.image.on_demand:
                raise
            await make(missing.image)
            digest = manifest(layouts, images, reference)
        return _file(digest, "application/vnd.oci.image.manifest.v1+json")

    async def make(image: Image) -> None:
        async with building:
            try:
                await build_on_demand()  # does nothing if it was built while this request waited
            except GroundError as error:
                message = f"image {image.name} could not be built: {error}"
                print(message, file=sys.stderr, flush=True)  # containerd passes on only the status
                raise RegistryError(503, "UNAVAILABLE", message) from None

    def blobs(request: Request) -> Response:
        named(request)
        digest = request.path_params["digest"]
        if not DIGEST.fullmatch(digest) or not layout.blob(layouts, digest).is_file():
            raise RegistryError(404, "BLOB_UNKNOWN", f"no blob {digest}")
        return _file(digest, "application/octet-stream")

    def _file(digest: str, media_type: str) -> Response:
        headers = {**SPOKEN, "Docker-Content-Digest": digest, "ETag": f'"{digest}"'}
        return FileResponse(layout.blob(layouts, digest), media_type=media_type, headers=headers)

    def refused(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException):
            error = RegistryError(error.status_code, "UNSUPPORTED", "this registry can only be pulled from")
        assert isinstance(error, RegistryError)
        body = {"errors": [{"code": error.code, "message": error.message}]}
        return JSONResponse(body, status_code=error.status, headers=SPOKEN)

    return Starlette(
        routes=[
            Route("/", version),
            Route("/{name:path}/tags/list", tags),
            Route("/{name:path}/manifests/{reference}", manifests),
            Route("/{name:path}/blobs/{digest}", blobs),
        ],
        exception_handlers={RegistryError: refused, HTTPException: refused},
    )
