"""A read-only image registry for the practice machines, in place of the public ones.

It implements the pull part of https://github.com/opencontainers/distribution-spec/blob/main/spec.md. A client that uses
it as a mirror sends the original registry as `?ns=`. Every tag returns the same image: charts pin tags that change with
each release, and the practice cloud has one build of each image.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from zerojhub.practice.images import layout
from zerojhub.practice.images.catalog import IMAGES, REPOSITORIES

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


def image_of(repository: str, registry: str | None) -> str:
    """The image for a repository; without a registry, of any registry.

    Raises RegistryError (404) with the list of available images.
    """
    known = REPOSITORIES
    if registry:
        repository = f"{registry}/{repository}"
    else:
        known = {full.partition("/")[2]: name for full, name in REPOSITORIES.items()}
    if repository not in known:
        has = ", ".join(image.answers[0] for image in IMAGES)
        raise RegistryError(404, "NAME_UNKNOWN", f"the practice cloud has no image {repository}; available: {has}")
    return known[repository]


def manifest(layouts: Path, name: str, reference: str) -> str:
    """The manifest digest for a tag or digest. Raises RegistryError (404)."""
    built = layout.images(layouts).get(name)
    if not built:
        raise RegistryError(404, "MANIFEST_UNKNOWN", f"image {name} is not built yet: run zerojhub practice build")
    newest = built[1]
    if reference == newest or TAG.fullmatch(reference):
        return newest
    raise RegistryError(404, "MANIFEST_UNKNOWN", f"image {name} has no manifest {reference}: it was rebuilt")


def app(layouts: Path) -> Starlette:
    """The registry for an OCI image layout, to mount at /v2."""
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.responses import FileResponse, JSONResponse, Response
    from starlette.routing import Route

    def named(request: Request) -> str:
        return image_of(request.path_params["name"], request.query_params.get("ns"))

    def version(request: Request) -> Response:
        return JSONResponse({}, headers=SPOKEN)

    def tags(request: Request) -> Response:
        named(request)
        return JSONResponse({"name": request.path_params["name"], "tags": ["latest"]}, headers=SPOKEN)

    def manifests(request: Request) -> Response:
        digest = manifest(layouts, named(request), request.path_params["reference"])
        return _file(digest, "application/vnd.oci.image.manifest.v1+json")

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
