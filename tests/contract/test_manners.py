"""What all APIs have in common: paging, unknown IDs, request IDs, versions, and the audit log."""

from __future__ import annotations

import json
import re

import httpx
import pytest

from tests.contract.clouds import Site

NOBODY = "99999999-0000-4000-8000-000000000000"
# An unknown id's error, in each service's own shape.
UNKNOWN = {
    f"/compute/v2.1/servers/{NOBODY}": {
        "itemNotFound": {"code": 404, "message": f"Instance {NOBODY} could not be found."}
    },
    f"/compute/v2.1/flavors/{NOBODY}": {
        "itemNotFound": {"code": 404, "message": f"Flavor {NOBODY} could not be found."}
    },
    f"/network/v2.0/networks/{NOBODY}": {
        "NeutronError": {"type": "NetworkNotFound", "message": f"Network {NOBODY} could not be found.", "detail": ""}
    },
    f"/network/v2.0/floatingips/{NOBODY}": {
        "NeutronError": {
            "type": "FloatingIPNotFound",
            "message": f"Floating IP {NOBODY} could not be found",
            "detail": "",
        }
    },
    f"/volume/v3/x/volumes/{NOBODY}": {
        "itemNotFound": {"code": 404, "message": f"Volume {NOBODY} could not be found."}
    },
    f"/load-balancer/v2.0/lbaas/loadbalancers/{NOBODY}": {
        "faultcode": "Client",
        "faultstring": f"Load Balancer {NOBODY} not found.",
        "debuginfo": None,
    },
    f"{{heat}}/stacks/{NOBODY}": {
        "code": 404,
        "title": "Not Found",
        "explanation": "The resource could not be found.",
        "error": {"message": f"The Stack ({NOBODY}) could not be found.", "traceback": None, "type": "EntityNotFound"},
    },
    f"/identity/v3/users/{NOBODY}": {
        "error": {
            "code": 403,
            "message": "You are not authorized to perform the requested action: identity:get_user.",
            "title": "Forbidden",
        }
    },
    f"/container-infra/v1/clusters/{NOBODY}": {
        "errors": [
            {
                "request_id": "",
                "code": "client",
                "status": 404,
                "title": f"Cluster {NOBODY} could not be found",
                "detail": f"Cluster {NOBODY} could not be found.",
                "links": [],
            }
        ]
    },
}
# A collection with at least two records, and the name that it is wrapped in.
COLLECTIONS = {
    "/compute/v2.1/flavors": "flavors",
    "/network/v2.0/security-group-rules": "security_group_rules",
    "/image/v2/images": "images",
    "/volume/v3/x/volumes/detail": "volumes",
    "/load-balancer/v2.0/lbaas/loadbalancers": "loadbalancers",
    "/container-infra/v1/clustertemplates": "clustertemplates",
}


@pytest.fixture(scope="module")
def client(site: Site) -> httpx.Client:
    """A cloud with three of each resource that a new practice cloud does not have."""
    client = site.client()
    subnet = site.store.subnets.named("private-subnet")[0]["id"]
    template = {"coe": "kubernetes", "image_id": "fedora-coreos-38"}
    for number in range(3):
        client.post("/volume/v3/x/volumes", json={"volume": {"size": 1, "name": f"v{number}"}}).raise_for_status()
        balancer = {"vip_subnet_id": subnet, "name": f"b{number}"}
        client.post("/load-balancer/v2.0/lbaas/loadbalancers", json={"loadbalancer": balancer}).raise_for_status()
        client.post("/container-infra/v1/clustertemplates", json={**template, "name": f"t{number}"}).raise_for_status()
    return client


@pytest.mark.parametrize("path", UNKNOWN)
def test_an_unknown_id_is_said_in_the_services_own_words(site: Site, client: httpx.Client, path: str) -> None:
    answer = client.get(path.format(heat=site.heat))
    # Keystone does not say who there is.
    assert answer.status_code == (403 if path.startswith("/identity") else 404)
    assert answer.json() == UNKNOWN[path]


def test_an_unknown_image_is_said_on_a_page(client: httpx.Client) -> None:
    answer = client.get(f"/image/v2/images/{NOBODY}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert f"No image found with ID {NOBODY}" in answer.text


@pytest.mark.parametrize("path", COLLECTIONS)
def test_pages_of_two_make_up_the_whole(client: httpx.Client, path: str) -> None:
    name = COLLECTIONS[path]
    whole = client.get(path).json()[name]
    assert len(whole) >= 2
    pages: list[dict] = []
    url = f"{path}?limit=1"
    while url and len(pages) <= len(whole):
        body = client.get(url).json()
        pages += body[name]
        assert len(body[name]) <= 1
        links = body.get(f"{name}_links", [])
        url = links[0]["href"] if links else body.get("next")
        url = f"/image{url}" if url and url.startswith("/v2/") else url
    assert pages == whole


@pytest.mark.parametrize("path", [path for path in COLLECTIONS if "container-infra" not in path])
def test_a_marker_that_is_none_is_refused(client: httpx.Client, path: str) -> None:
    assert client.get(f"{path}?marker={NOBODY}").status_code == 400


def test_magnum_misses_a_marker_by_name(client: httpx.Client) -> None:
    answer = client.get(f"/container-infra/v1/clustertemplates?marker={NOBODY}")
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["detail"] == f"ClusterTemplate {NOBODY} could not be found."


def test_lists_are_sorted_when_asked(client: httpx.Client) -> None:
    found = client.get("/container-infra/v1/clustertemplates?sort_key=name&sort_dir=desc").json()["clustertemplates"]
    names = [template["name"] for template in found]
    assert names == sorted(names, reverse=True)
    assert client.get("/container-infra/v1/clustertemplates?sort_dir=up").status_code == 400
    assert client.get("/container-infra/v1/clustertemplates?limit=0").status_code == 400


@pytest.mark.parametrize(
    ("path", "identity"),
    [
        ("/identity/v3", "version"),
        ("/compute/v2.1", "version"),
        ("/compute", "versions"),
        ("/network", "versions"),
        ("/image", "versions"),
        ("/volume", "versions"),
        ("/load-balancer", "versions"),
        ("/orchestration", "versions"),
        ("/container-infra", "versions"),
        ("/container-infra/v1", "id"),
    ],
)
def test_versions_are_told_to_anybody(site: Site, path: str, identity: str) -> None:
    answer = httpx.get(site.url + path)
    assert answer.status_code in (200, 300)
    assert identity in answer.json()


@pytest.mark.parametrize(
    ("headers", "spoken"),
    [
        ({}, "2.1"),
        ({"OpenStack-API-Version": "compute 2.90"}, "2.90"),
        ({"X-OpenStack-Nova-API-Version": "latest"}, "2.96"),
    ],
)
def test_nova_says_which_microversion_it_speaks(client: httpx.Client, headers: dict, spoken: str) -> None:
    answer = client.get("/compute/v2.1/servers", headers=headers)
    assert answer.headers["OpenStack-API-Version"] == f"compute {spoken}"
    assert answer.headers["X-OpenStack-Nova-API-Version"] == spoken


def test_nova_refuses_a_microversion_it_does_not_have(client: httpx.Client) -> None:
    answer = client.get("/compute/v2.1/servers", headers={"OpenStack-API-Version": "compute 2.999"})
    assert answer.status_code == 406
    message = "Version 2.999 is not supported by the API. Minimum is 2.1 and maximum is 2.96."
    assert answer.json() == {"computeFault": {"code": 406, "message": message}}


def test_keypairs_are_generated_checked_and_named_once(client: httpx.Client) -> None:
    path = "/compute/v2.1/os-keypairs"
    made = client.post(path, json={"keypair": {"name": "new"}}).json()["keypair"]
    assert made["private_key"].startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert made["public_key"].startswith("ssh-rsa ")
    assert re.fullmatch(r"([0-9a-f]{2}:){15}[0-9a-f]{2}", made["fingerprint"])
    answer = client.post(path, json={"keypair": {"name": "new"}})
    assert answer.json() == {"conflictingRequest": {"code": 409, "message": "Key pair 'new' already exists."}}
    answer = client.post(path, json={"keypair": {"name": "bad", "public_key": "no key"}})
    assert answer.status_code == 400
    assert "private_key" not in client.get(f"{path}/new").json()["keypair"]
    assert client.delete(f"{path}/new").status_code == 202
    recent = {"OpenStack-API-Version": "compute 2.92"}
    assert client.post(path, json={"keypair": {"name": "new"}}, headers=recent).status_code == 400


def test_every_answer_has_a_request_id_that_the_audit_log_knows(site: Site, client: httpx.Client) -> None:
    answer = client.get("/network/v2.0/networks?name=public")
    request_id = answer.headers["x-openstack-request-id"]
    lines = [json.loads(line) for line in site.audit.read_text().splitlines()]
    (line,) = [line for line in lines if line["request_id"] == request_id]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line.pop("time"))
    assert line == {
        "service": "network",
        "method": "GET",
        "path": "/network/v2.0/networks?name=public",
        "status": 200,
        "user": "practice",
        "request_id": request_id,
    }
    refused = httpx.get(f"{site.url}/image/v2/images").headers["x-openstack-request-id"]
    assert f'"status": 401, "user": null, "request_id": "{refused}"' in site.audit.read_text()


def test_a_broken_body_is_the_askers_mistake(client: httpx.Client) -> None:
    headers = {"Content-Type": "application/json"}
    for path in ("/compute/v2.1/os-keypairs", "/container-infra/v1/clusters", "/network/v2.0/ports"):
        assert client.post(path, content=b"{", headers=headers).status_code == 400
        assert client.post(path, content=b"[]", headers=headers).status_code == 400
