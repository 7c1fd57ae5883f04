"""The practice cloud's image registry, with requests like those of containerd and skopeo."""

import hashlib
import json
from unittest.mock import AsyncMock

import anyio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from zerojhub.practice import registry
from zerojhub.practice.ground import GroundError
from zerojhub.practice.images import layout

LAYER = b"a layer of an image, as good as any for a registry"


@pytest.fixture
def layouts(tmp_path):
    return tmp_path


@pytest.fixture
def build_on_demand(layouts):
    """What the registry calls for an older image that is missing. `awaited` counts the calls."""
    return AsyncMock(side_effect=lambda: build(layouts, "k8s-hub-3.3.8", "1", b"layer of an older hub"))


@pytest.fixture
async def client(layouts, build_on_demand):
    transport = httpx.ASGITransport(Starlette(routes=[Mount("/v2", registry.app(layouts, build_on_demand))]))
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
async def test_any_tag_of_a_repository_with_one_image_gets_it(client, layouts):
    digest = build(layouts, "perl", "1")
    for asked in ("5.34?ns=docker.io", "0.1", "latest", f"{digest}?ns=docker.io"):
        answer = await client.get(f"/v2/library/perl/manifests/{asked}")
        assert answer.status_code == 200, answer.text
        assert answer.headers["docker-content-digest"] == digest
        assert answer.headers["content-type"] == "application/vnd.oci.image.manifest.v1+json"
        assert hashlib.sha256(answer.content).hexdigest() == digest.removeprefix("sha256:")


OLDER = ["3.3.8?ns=quay.io", "2.0.0?ns=docker.io", "3.3.9-0.dev.git.6644.h1", "0.8.2", "v0.7"]
PRESENT = ["4.4.0?ns=quay.io", "4.0.0-beta.1", "latest", "main", "40"]
NEXT = ["5.0.0?ns=quay.io", "5.0.0-0.dev.git.7000.h1", "v10.0.0"]


@pytest.mark.anyio
async def test_a_hub_matches_the_chart_that_its_tag_is_for(client, layouts):
    older, present = build(layouts, "k8s-hub-3.3.8", "1", b"older"), build(layouts, "k8s-hub", "1", b"present")
    after = build(layouts, "k8s-hub-5", "1", b"next")
    for tags, digest in ((OLDER, older), (PRESENT, present), (NEXT, after)):
        for asked in (*tags, f"{digest}?ns=quay.io"):
            answer = await client.get(f"/v2/jupyterhub/k8s-hub/manifests/{asked}")
            assert answer.headers["docker-content-digest"] == digest, asked


@pytest.mark.anyio
async def test_an_older_hub_is_built_when_it_is_first_pulled(client, layouts, build_on_demand):
    newer = build(layouts, "k8s-hub", "1")
    build(layouts, "k8s-singleuser-sample", "1")
    for pulled in ("k8s-hub/manifests/4.4.0", "k8s-singleuser-sample/manifests/3.3.8"):
        assert (await client.head(f"/v2/jupyterhub/{pulled}?ns=quay.io")).status_code == 200
    assert build_on_demand.await_count == 0
    for _ in range(2):
        answer = await client.head("/v2/jupyterhub/k8s-hub/manifests/3.3.8?ns=quay.io")
        assert (answer.status_code, build_on_demand.await_count) == (200, 1)
        assert answer.headers["docker-content-digest"] != newer


@pytest.mark.anyio
async def test_other_images_can_be_pulled_while_an_older_hub_is_built(client, layouts, build_on_demand):
    build(layouts, "k8s-hub", "1")
    started, finish = anyio.Event(), anyio.Event()

    async def slowly():
        started.set()
        await finish.wait()
        build(layouts, "k8s-hub-3.3.8", "1", b"older layer")

    build_on_demand.side_effect = slowly
    async with anyio.create_task_group() as pulls:
        pulls.start_soon(client.head, "/v2/jupyterhub/k8s-hub/manifests/3.3.8")
        await started.wait()
        assert (await client.head("/v2/jupyterhub/k8s-hub/manifests/4.4.0")).status_code == 200
        finish.set()


@pytest.mark.anyio
async def test_an_older_hub_that_cannot_be_built_says_why_and_no_other_takes_its_place(
    client, layouts, build_on_demand, capsys
):
    build(layouts, "k8s-hub", "1")
    build_on_demand.side_effect = GroundError("pip failed: no network")
    answer = await client.get("/v2/jupyterhub/k8s-hub/manifests/3.3.8?ns=quay.io")
    assert answer.status_code == 503
    message = "image k8s-hub-3.3.8 could not be built: pip failed: no network"
    assert answer.json()["errors"] == [{"code": "UNAVAILABLE", "message": message}]
    assert message in capsys.readouterr().err


@pytest.mark.anyio
async def test_an_image_that_is_not_built_names_the_command(client, build_on_demand):
    answer = await client.get("/v2/jupyterhub/k8s-hub/manifests/4.4.0?ns=quay.io")
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["message"] == "image k8s-hub is not built yet: run zerojhub practice build"
    assert build_on_demand.await_count == 0


@pytest.mark.anyio
async def test_an_image_that_is_built_on_request_names_the_option(client):
    answer = await client.get("/v2/library/traefik/manifests/v3.6.12?ns=docker.io")
    message = "image traefik is not built yet: run zerojhub practice build --with https"
    assert answer.json()["errors"][0]["message"] == message


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
