"""The life of tokens and application credentials, on the practice cloud and with a real Keystone.

questions.yaml covers the individual requests and the wording of errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.contract.clouds import PASSWORD, Cloud, Site, until

TOKENS = "/identity/v3/auth/tokens"
SERVICES = (
    "/container-infra/v1/clusters",
    "/compute/v2.1/servers",
    "/network/v2.0/networks",
    "/image/v2/images",
    "/volume/v3/x/volumes",
    "/load-balancer/v2.0/lbaas/loadbalancers",
    "{heat}/stacks",
    "/identity/v3/auth/projects",
)
REFUSED = {
    "error": {"code": 401, "message": "The request you have made requires authentication.", "title": "Unauthorized"}
}


@pytest.fixture(scope="module")
def client(either: Cloud) -> httpx.Client:
    return either.client("/identity/v3")


@pytest.fixture(scope="module")
def credentials(either: Cloud) -> str:
    """The path of the user's own application credentials."""
    return f"/users/{either.token().json()['token']['user']['id']}/application_credentials"


@pytest.fixture
def robot(client: httpx.Client, credentials: str) -> Iterator[dict]:
    """Create an application credential, and return it with its secret."""
    made = client.post(credentials, json={"application_credential": {"name": "robot"}}).json()["application_credential"]
    yield made
    client.delete(f"{credentials}/{made['id']}")


def by(cloud: Cloud, robot: dict) -> httpx.Response:
    given = {"id": robot["id"], "secret": robot["secret"]}
    return cloud.token(identity={"methods": ["application_credential"], "application_credential": given}, scope=None)


def opens(cloud: Cloud, token: str, path: str = "/identity/v3/auth/projects") -> bool:
    return httpx.get(cloud.at(path), headers={"X-Auth-Token": token}, timeout=60).is_success


def test_a_token_has_a_project_roles_a_catalog_and_an_hour(either: Cloud) -> None:
    body = either.token().json()["token"]
    assert body["project"]["name"] == "practice"
    assert {role["name"] for role in body["roles"]} == {"member", "reader", "load-balancer_member"}
    urls = {service["type"]: service["endpoints"][0]["url"] for service in body["catalog"]}
    assert set(urls) >= {"identity", "container-infra", "compute", "network", "image", "volumev3", "load-balancer"}
    left = datetime.fromisoformat(body["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=55) < left <= timedelta(hours=1)


def test_the_catalog_is_of_the_address_that_it_was_asked_at(site: Site) -> None:
    user = {"name": "practice", "password": PASSWORD, "domain": {"name": "Default"}}
    scope = {"project": {"name": "practice", "domain": {"id": "default"}}}
    auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
    url = site.at(TOKENS).replace("127.0.0.1", "localhost")
    body = httpx.post(url, json={"auth": auth}, timeout=10).json()["token"]
    assert all(each["endpoints"][0]["url"].startswith("http://localhost:") for each in body["catalog"])


def test_an_unscoped_token_lists_projects_and_opens_no_service(either: Cloud) -> None:
    answer = either.token(scope="unscoped")
    assert "project" not in answer.json()["token"]
    token = answer.headers["X-Subject-Token"]
    projects = httpx.get(either.at("/identity/v3/auth/projects"), headers={"X-Auth-Token": token}).json()["projects"]
    assert [project["name"] for project in projects] == ["practice"]
    assert not opens(either, token, "/container-infra/v1/clusters")


def test_a_token_can_be_looked_at_and_revoked(either: Cloud, client: httpx.Client) -> None:
    token = either.token().headers["X-Subject-Token"]
    subject = {"X-Subject-Token": token}
    assert client.get("/auth/tokens", headers=subject).json()["token"]["user"]["name"] == "practice"
    assert client.delete("/auth/tokens", headers=subject).status_code == 204
    assert client.get("/auth/tokens", headers=subject).status_code == 404
    assert not opens(either, token)
    assert not opens(either, token, "/container-infra/v1/clusters")


def test_a_token_gives_another_of_the_same_life(either: Cloud) -> None:
    first = either.token()
    identity = {"methods": ["token"], "token": {"id": first.headers["X-Subject-Token"]}}
    second = either.token(identity=identity)
    assert second.json()["token"]["expires_at"] == first.json()["token"]["expires_at"]


@pytest.mark.parametrize("path", SERVICES)
def test_an_expired_token_opens_nothing(site: Site, path: str) -> None:
    token, url = site.token().headers["X-Subject-Token"], site.url + path.format(heat=site.heat)
    headers = {"X-Auth-Token": token}
    assert httpx.get(url, headers=headers).status_code == 200
    site.store.tokens[token].expires = datetime.now(UTC)
    answer = httpx.get(url, headers=headers)
    assert answer.status_code == 401
    assert answer.json() == REFUSED
    assert answer.headers["WWW-Authenticate"].startswith("Keystone uri=")


def test_an_application_credential_works_like_its_user_in_its_project(either: Cloud, robot: dict) -> None:
    answer = by(either, robot)
    body = answer.json()["token"]
    assert body["project"]["name"] == "practice"
    assert body["application_credential"] == {"id": robot["id"], "name": "robot", "restricted": True}
    assert opens(either, answer.headers["X-Subject-Token"], "/container-infra/v1/clusters")


def test_a_deleted_application_credential_takes_its_tokens_with_it(
    either: Cloud, client: httpx.Client, credentials: str, robot: dict
) -> None:
    token = by(either, robot).headers["X-Subject-Token"]
    assert opens(either, token)
    assert client.delete(f"{credentials}/{robot['id']}").status_code == 204
    assert not opens(either, token)
    assert by(either, robot).status_code == 404


def test_an_expired_application_credential_is_refused(either: Cloud, client: httpx.Client, credentials: str) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=4)).isoformat(timespec="microseconds").replace("+00:00", "Z")
    body = {"application_credential": {"name": "soon over", "expires_at": soon}}
    made = client.post(credentials, json=body).json()["application_credential"]
    until(lambda: by(either, made).status_code == 401)
    client.delete(f"{credentials}/{made['id']}").raise_for_status()


def test_the_secret_of_an_application_credential_is_shown_once(
    client: httpx.Client, credentials: str, robot: dict
) -> None:
    assert len(robot["secret"]) > 60
    assert "secret" not in client.get(f"{credentials}/{robot['id']}").json()["application_credential"]
    assert all("secret" not in each for each in client.get(credentials).json()["application_credentials"])


@pytest.mark.parametrize(("unrestricted", "status"), [(False, 403), (True, 201)])
def test_a_restricted_application_credential_makes_no_others(
    either: Cloud, client: httpx.Client, credentials: str, unrestricted: bool, status: int
) -> None:
    body = {"application_credential": {"name": "maker", "unrestricted": unrestricted}}
    maker = client.post(credentials, json=body).json()["application_credential"]
    headers = {"X-Auth-Token": by(either, maker).headers["X-Subject-Token"]}
    more = {"application_credential": {"name": "more"}}
    assert client.post(credentials, json=more, headers=headers).status_code == status
    for each in client.get(credentials).json()["application_credentials"]:
        client.delete(f"{credentials}/{each['id']}").raise_for_status()
