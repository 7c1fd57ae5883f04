"""Requests to OpenStack as sent: endpoints, microversions, paging, retries, errors."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest

from tests.unit.fakecloud import PROJECT, Answer, FakeCloud, clouds_yaml
from zerojhub import retry
from zerojhub.errors import CloudError, Unavailable, UserError
from zerojhub.openstack.glance import Image
from zerojhub.openstack.session import Cloud, Service


@pytest.fixture
def cloud(fake_cloud: FakeCloud) -> Cloud:
    return Cloud("fake")


def call(method: Callable[..., Coroutine[Any, Any, Any]], *args: Any, **keywords: Any) -> Any:
    return anyio.run(lambda: method(*args, **keywords))


NOT_FOUND = Answer(404, {"errors": [{"detail": "Cluster x could not be found."}]})
OTHER_STATUSES = (400, 403, 405, 409, 410, 500)


def test_what_does_not_exist_is_deleted_already(fake_cloud, cloud):
    fake_cloud.answer("DELETE /container-infra/v1/clusters/x", NOT_FOUND)
    call(cloud.container_infra.delete, "/clusters/x")
    assert [request.method for request in fake_cloud.requests] == ["DELETE"]


@pytest.mark.parametrize("status", OTHER_STATUSES)
def test_any_other_refusal_of_a_deletion_is_an_error(fake_cloud, cloud, status):
    fake_cloud.answer("DELETE /container-infra/v1/clusters/x", Answer(status, {"errors": [{"detail": "in use"}]}))
    with pytest.raises(CloudError, match="in use") as refused:
        call(cloud.container_infra.delete, "/clusters/x")
    assert refused.value.status == status


def test_find_gives_none_for_what_does_not_exist(fake_cloud, cloud):
    fake_cloud.answer("GET /container-infra/v1/clusters/x", NOT_FOUND)
    assert call(cloud.container_infra.find, "/clusters/x", object) is None
    with pytest.raises(CloudError, match=r"Cluster x could not be found\.") as refused:
        call(cloud.container_infra.get, "/clusters/x", object)
    assert refused.value.status == 404


@pytest.mark.parametrize("status", OTHER_STATUSES)
def test_find_raises_any_other_refusal(fake_cloud, cloud, status):
    fake_cloud.answer("GET /container-infra/v1/clusters/x", Answer(status, {"errors": [{"detail": "no"}]}))
    with pytest.raises(CloudError) as refused:
        call(cloud.container_infra.find, "/clusters/x", object)
    assert refused.value.status == status


def test_a_body_goes_out_and_comes_back_as_json(fake_cloud, cloud):
    path = "/network/v2.0/floatingips/f1"
    body = {"floatingip": {"port_id": "p1"}}
    for method in ("POST", "PUT", "PATCH"):
        fake_cloud.answer(f"{method} {path}", Answer(200, {"floatingip": {"id": "f1"}}))
    assert call(cloud.network.post, "/floatingips/f1", body, dict) == {"floatingip": {"id": "f1"}}
    for send in (cloud.network.act, cloud.network.put, cloud.network.patch):
        call(send, "/floatingips/f1", body)
    assert [request.method for request in fake_cloud.requests] == ["POST", "POST", "PUT", "PATCH"]
    assert all(request.body == body for request in fake_cloud.requests)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"things": None}, "things: input should be a valid list, not null"),
        ({"things": {}}, "things: input should be a valid list, not an object"),
        ({"things": [{"id": "a", "name": None}, {"id": 7, "name": None}]}, "things.1.id: input should be a valid string, not a number"),
        ({"things": [{"id": "a"}]}, "no things.0.name in it"),
        ({"things": [], "next": 7}, "next: input should be a valid string, not a number"),
        ({"things": [], "things_links": [{"rel": "next"}]}, "no things_links.0.href in it"),
        ({}, "no things in it"),
        ([], "a list"),
        (None, "null"),
    ],
)  # fmt: skip
def test_an_answer_of_another_type_is_one_line_with_the_request_id(fake_cloud, cloud, body, said):
    fake_cloud.answer("GET /image/v2/things", Answer(200, json.dumps(body), {"x-openstack-request-id": "req-7"}))
    with pytest.raises(CloudError) as refused:
        call(cloud.image.all, "/things", "things", Image)
    assert str(refused.value) == f"image req-7: the service answered something unexpected: {said}"


@pytest.mark.parametrize(
    ("service", "listed", "base"),
    [
        ("network", "/network", "/network/v2.0"),
        ("network", "/network/", "/network/v2.0"),
        ("network", "/network/v2.0", "/network/v2.0"),
        ("container-infra", "/v1", "/v1"),
        ("compute", "/compute", "/compute/v2.1"),
        ("compute", f"/compute/v2.1/{PROJECT}", f"/compute/v2.1/{PROJECT}"),
        ("block-storage", f"/volume/v3/{PROJECT}", f"/volume/v3/{PROJECT}"),
    ],
)
def test_the_catalog_may_list_an_endpoint_with_or_without_its_version(fake_cloud, cloud, service, listed, base):
    fake_cloud.catalog[service] = listed
    fake_cloud.answer(f"GET {base}/things", Answer(200, {"things": []}))
    client = {each.type: each for each in vars(cloud).values() if isinstance(each, Service)}[service]
    assert call(client.get, "/things", object) == {"things": []}


def test_a_service_that_the_catalog_does_not_list(fake_cloud, cloud):
    del fake_cloud.catalog["load-balancer"]
    with pytest.raises(CloudError, match="cloud fake has no load-balancer service in its catalog"):
        call(cloud.load_balancer.get, "/lbaas/loadbalancers", object)


def test_microversions(fake_cloud, cloud):
    newest = {"OpenStack-API-Maximum-Version": "container-infrastructure-management 1.12"}
    fake_cloud.answer("GET /container-infra/v1/clusters", Answer(200, {"clusters": []}, newest))
    fake_cloud.answer("GET /compute/v2.1/servers", Answer(200, {"servers": []}))
    fake_cloud.answer("GET /network/v2.0/ports", Answer(200, {"ports": []}))
    call(cloud.container_infra.get, "/clusters", object)
    call(cloud.compute.get, "/servers", object)
    call(cloud.network.get, "/ports", object)
    asked = [request.headers.get("openstack-api-version") for request in fake_cloud.requests]
    assert asked == ["container-infra latest", "compute 2.60", None]
    assert (cloud.container_infra.max_microversion, cloud.compute.max_microversion) == ((1, 12), None)


def test_pages_by_links(fake_cloud, cloud):
    url = f"{fake_cloud.url}/compute/v2.1/servers/detail"
    first = {"servers": [{"id": "a"}], "servers_links": [{"rel": "next", "href": f"{url}?name=x&marker=a"}]}
    last = {"servers": [{"id": "b"}], "servers_links": [{"rel": "previous", "href": url}]}
    fake_cloud.answer("GET /compute/v2.1/servers/detail", Answer(200, first), Answer(200, last))
    listed = call(cloud.compute.all, "/servers/detail", "servers", object, name="x")
    assert [server["id"] for server in listed] == ["a", "b"]
    assert [request.query for request in fake_cloud.requests] == [{"name": "x"}, {"name": "x", "marker": "a"}]


def test_pages_by_a_path(fake_cloud, cloud):
    first = {"images": [{"id": "a"}], "next": "/v2/images?marker=a&limit=1"}
    fake_cloud.answer("GET /image/v2/images", Answer(200, first), Answer(200, {"images": [{"id": "b"}]}))
    assert [image["id"] for image in call(cloud.image.all, "/images", "images", object)] == ["a", "b"]
    assert fake_cloud.requests[-1].query == {"marker": "a", "limit": "1"}


INCOMPLETE = Answer(500, {"errors": [{"detail": "Invalid input for field/attribute master_count. Value: 'None'."}]})


def test_a_cluster_that_is_not_complete_yet_is_requested_again_in_silence(fake_cloud, cloud):
    said: list[str] = []
    fake_cloud.answer("GET /container-infra/v1/clusters/x", INCOMPLETE, INCOMPLETE, Answer(200, {"uuid": "x"}))
    with retry.reported(said.append):
        assert call(cloud.container_infra.get, "/clusters/x", object) == {"uuid": "x"}
    assert (len(fake_cloud.requests), said) == (3, [])


def test_a_cluster_that_never_becomes_complete_is_an_error(fake_cloud, cloud):
    fake_cloud.answer("GET /container-infra/v1/clusters/x", INCOMPLETE)
    with pytest.raises(CloudError, match="master_count") as refused:
        call(cloud.container_infra.find, "/clusters/x", object)
    assert (refused.value.status, len(fake_cloud.requests)) == (500, 5)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"errors": [{"status": 409, "title": "Conflict", "detail": "ClusterTemplate x is\nused."}]}, "ClusterTemplate x is used."),
        ({"errors": [{"status": 409, "title": "Conflict", "detail": ""}]}, "Conflict"),
        ({"faultcode": "Client", "faultstring": "Load balancer x is immutable.", "debuginfo": None}, "Load balancer x is immutable."),
        ({"error": {"code": 403, "title": "Forbidden", "message": "You are not allowed."}}, "You are not allowed."),
        ({"code": 400, "error": {"type": "StackValidationFailed", "message": "bad template"}}, "bad template"),
        ({"NeutronError": {"type": "PortInUse", "message": "Port p is in use.", "detail": ""}}, "Port p is in use."),
        ({"conflictingRequest": {"code": 409, "message": "volume is attached"}}, "volume is attached"),
        ({"message": "too many of them", "code": 413}, "too many of them"),
        ("<html><h1>Bad\nGateway</h1></html>", "Conflict (HTTP 409)"),
        ({}, "Conflict (HTTP 409)"),
        (["odd"], "Conflict (HTTP 409)"),
        (None, "Conflict (HTTP 409)"),
    ],
    ids=["magnum", "magnum without detail", "octavia", "keystone", "heat", "neutron", "cinder", "glance", "html", "empty", "list", "none"],
)  # fmt: skip
def test_a_refusal_has_the_services_own_words(fake_cloud, cloud, body, text):
    headers = {"x-openstack-request-id": "req-7"}
    fake_cloud.answer("POST /network/v2.0/things", Answer(409, body, headers))
    with pytest.raises(CloudError) as refused:
        call(cloud.network.act, "/things", {})
    assert str(refused.value) == f"network req-7: {text}"


def test_a_service_that_does_not_answer(fake_cloud, cloud):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    call(cloud.network.find, "/ports", object)  # signs in
    cloud.network.endpoint = f"http://127.0.0.1:{port}"
    with pytest.raises(CloudError) as failed:
        call(cloud.network.find, "/ports", object)
    assert str(failed.value) == "network: connection refused, after 5 attempts"


def test_wrong_credentials_are_the_users_error(fake_cloud, tmp_path):
    clouds_yaml(tmp_path / "clouds.yaml", f"{fake_cloud.url}/identity", password="wrong")
    with pytest.raises(UserError) as refused:
        call(Cloud("fake").compute.get, "/servers", object)
    assert str(refused.value).startswith("keystone req-1: Keystone refused the credentials of cloud fake: ")
    assert "wrong" not in str(refused.value)
    assert fake_cloud.requests == []


def test_a_keystone_that_does_not_answer(fake_cloud, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/identity"
    clouds_yaml(tmp_path / "clouds.yaml", url)
    with pytest.raises(Unavailable) as failed:
        call(Cloud("fake").authenticate)
    hint = "check auth_url in clouds.yaml, and the network between here and there"
    assert str(failed.value) == f"identity at {url}: connection refused, after 5 attempts ({hint})"


def test_a_password_in_the_address_of_keystone_is_not_shown(fake_cloud, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        address = f"127.0.0.1:{nobody.getsockname()[1]}/identity"
    clouds_yaml(tmp_path / "clouds.yaml", f"http://me:Zq7-unguessable@{address}")
    with pytest.raises(Unavailable) as failed:
        call(Cloud("fake").authenticate)
    assert f"@{address}: connection refused" in str(failed.value)
    assert "Zq7" not in str(failed.value)


def test_a_cloud_that_clouds_yaml_does_not_define(fake_cloud):
    with pytest.raises(UserError, match=r"no cloud named 'fakes' in clouds\.yaml \(known: fake\)"):
        call(Cloud("fakes").compute.get, "/servers", object)


def test_the_names_of_a_cloud(fake_cloud, cloud, monkeypatch):
    assert (cloud.name, cloud.project_id) == ("fake", PROJECT)
    monkeypatch.setenv("OS_CLOUD", "fake")
    assert Cloud().name == "fake"
