"""The practice cloud's image registry, with requests like those of containerd and skopeo."""

import hashlib
import json

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from zerojhub.practice import registry
from zerojhub.practice.images import layout

LAYER = b"a layer of an image, as good as any for a registry"


@pytest.fixture
def layouts(tmp_path):
    return tmp_path


@pytest.fixture
async def client(layouts):
    transport = httpx.ASGITransport(Starlette(routes=[Mount("/v2", registry.app(layouts))]))
    async with httpx.AsyncClient(transport=transport, base_url="http://registry") as client:
        yield client


def put(layouts, data):
    digest = hashlib.sha256(data).hexdigest()
    (layouts / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
    (layouts / "blobs" / "sha256" / digest).write_bytes(data)
    return f"sha256:{digest}"


def build(layouts, name, recipe, layer=LAYER):
    """Add an image to the layout, as buildah does."""
    config = put(layouts, json.dumps({"built": recipe}).encode())
    manifest = {"config": {"digest": config}, "layers": [{"digest": put(layouts, layer)}]}
    digest = put(layouts, json.dumps(manifest).encode())
    entry = {"digest": digest, "annotations": {layout.REFERENCE: f"{name}:{recipe}"}}
    (layouts / "index.json").write_text(json.dumps({"manifests": [*layout.entries(layouts), entry]}))
    return digest


@pytest.mark.anyio
async def test_any_tag_of_a_repository_that_is_built_gets_the_image(client, layouts):
    digest = build(layouts, "k8s-hub", "1")
    for asked in ("4.4.0?ns=quay.io", "3.3.8?ns=docker.io", "latest", f"{digest}?ns=quay.io"):
        answer = await client.get(f"/v2/jupyterhub/k8s-hub/manifests/{asked}")
        assert answer.status_code == 200, answer.text
        assert answer.headers["docker-content-digest"] == digest
        assert answer.headers["content-type"] == "application/vnd.oci.image.manifest.v1+json"
        assert hashlib.sha256(answer.content).hexdigest() == digest.removeprefix("sha256:")


@pytest.mark.anyio
async def test_head_tells_the_size_without_the_content(client, layouts):
    build(layouts, "perl", "1")
    answer = await client.head("/v2/library/perl/manifests/5.34?ns=docker.io")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


@pytest.mark.anyio
async def test_a_pull_goes_on_where_it_was_interrupted(client, layouts):
    build(layouts, "perl", "1")
    url = f"/v2/library/perl/blobs/{put(layouts, LAYER)}?ns=docker.io"
    start = await client.get(url, headers={"Range": "bytes=0-9"})
    rest = await client.get(url, headers={"Range": "bytes=10-"})
    assert start.status_code == rest.status_code == 206
    assert start.content + rest.content == LAYER


@pytest.mark.anyio
async def test_a_repository_that_is_not_built_is_named(client):
    answer = await client.get("/v2/foo/bar/manifests/1?ns=quay.io")
    assert answer.status_code == 404
    (error,) = answer.json()["errors"]
    assert error["code"] == "NAME_UNKNOWN"
    assert "no image quay.io/foo/bar" in error["message"] and "quay.io/jupyterhub/k8s-hub" in error["message"]


@pytest.mark.anyio
async def test_another_registrys_repository_of_that_name_is_not_ours(client, layouts):
    build(layouts, "k8s-hub", "1")
    answer = await client.get("/v2/jupyterhub/k8s-hub/manifests/1?ns=ghcr.io")
    assert answer.status_code == 404


@pytest.mark.anyio
@pytest.mark.parametrize("digest", ["sha256:" + "0" * 64, "sha256:..", "index.json", "..%2Findex.json"])
async def test_nothing_but_blobs_is_read(client, layouts, digest):
    build(layouts, "perl", "1")
    assert (await client.get(f"/v2/library/perl/blobs/{digest}")).status_code == 404


@pytest.mark.anyio
async def test_it_can_only_be_pulled_from(client, layouts):
    answer = await client.put("/v2/library/perl/manifests/1", content=b"{}")
    assert answer.status_code == 405
    assert answer.json()["errors"][0]["code"] == "UNSUPPORTED"


@pytest.mark.anyio
async def test_an_image_built_anew_takes_the_place_of_the_old_one(client, layouts):
    old = build(layouts, "perl", "1", b"old layer")
    kept = build(layouts, "busybox", "1", b"layer of another")
    new = build(layouts, "perl", "2", b"new layer")
    layout.prune(layouts)
    assert layout.images(layouts) == {"busybox": ("1", kept), "perl": ("2", new)}
    assert (await client.get(f"/v2/library/perl/manifests/{old}")).status_code == 404
    for name, layer, status in (("perl", b"old layer", 404), ("perl", b"new layer", 200), ("busybox", LAYER, 404)):
        digest = "sha256:" + hashlib.sha256(layer).hexdigest()
        assert (await client.get(f"/v2/library/{name}/blobs/{digest}")).status_code == status
