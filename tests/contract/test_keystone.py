"""Who gets in, as whom, for how long; and where Keystone says that the services are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.contract.conftest import PASSWORD, Site

TOKENS = "/identity/v3/auth/tokens"
SERVICES = (
    "/container-infra/v1/clusters",
    "/compute/v2.1/servers",
    "/network/v2.0/networks",
    "/image/v2/images",
    "/volume/v3/x/volumes",
    "/load-balancer/v2.0/lbaas/loadbalancers",
    "/orchestration/v1/x/stacks",
    "/identity/v3/users",
)
REFUSED = {
    "error": {"code": 401, "message": "The request you have made requires authentication.", "title": "Unauthorized"}
}


def password(name: str = "practice", secret: str = "wrong") -> dict:
    user = {"name": name, "password": secret, "domain": {"name": "Default"}}
    return {"methods": ["password"], "password": {"user": user}}


def credential(site: Site, **more: object) -> dict:
    """A new application credential."""
    made = site.token().json()["token"]["user"]["id"]
    path = f"/users/{made}/application_credentials"
    client = site.client("/identity/v3")
    return client.post(path, json={"application_credential": {"name": "robot", **more}}).json()[
        "application_credential"
    ]


@pytest.fixture
def robot(site: Site):
    made = credential(site, unrestricted=True)
    yield made
    site.client("/identity/v3").delete(f"/users/{made['user_id']}/application_credentials/{made['id']}")


def by_credential(site: Site, robot: dict, **changed: str) -> httpx.Response:
    given = {"id": robot["id"], "secret": robot["secret"], **changed}
    return site.token(identity={"methods": ["application_credential"], "application_credential": given}, scope=None)


@pytest.mark.parametrize("identity", [password(), password(name="nobody"), {"methods": ["magic"]}])
def test_who_does_not_prove_to_be_someone_is_refused(site: Site, identity: dict) -> None:
    answer = site.token(identity=identity)
    assert answer.status_code == 401
    assert answer.json() == REFUSED


def test_another_project_is_refused(site: Site) -> None:
    other = site.cloud.projects.named("service")[0]["id"]
    assert site.token(scope={"project": {"id": other}}).status_code == 401


def test_a_malformed_request_says_what_is_missing(site: Site) -> None:
    answer = site.token(identity={"methods": ["password"]})
    assert answer.status_code == 400
    assert "Expecting to find password in identity." in answer.json()["error"]["message"]


def test_a_token_has_a_project_roles_and_the_catalog_of_the_address_it_was_asked_at(site: Site) -> None:
    body = httpx.post(
        site.url.replace("127.0.0.1", "localhost") + TOKENS,
        json={
            "auth": {
                "identity": password(secret=PASSWORD),
                "scope": {"project": {"name": "practice", "domain": {"id": "default"}}},
            }
        },
        timeout=10,
    ).json()["token"]
    assert body["project"]["name"] == "practice"
    assert {role["name"] for role in body["roles"]} >= {"member", "reader"}
    urls = {service["type"]: service["endpoints"][0]["url"] for service in body["catalog"]}
    assert set(urls) >= {"identity", "container-infra", "compute", "network", "image", "volumev3", "load-balancer"}
    assert all(url.startswith("http://localhost:") for url in urls.values())
    left = datetime.fromisoformat(body["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=59) < left <= timedelta(hours=1)


def test_an_unscoped_token_lists_projects_and_opens_no_service(site: Site) -> None:
    answer = site.token(scope="unscoped")
    assert "project" not in answer.json()["token"]
    headers = {"X-Auth-Token": answer.headers["X-Subject-Token"]}
    projects = httpx.get(f"{site.url}/identity/v3/auth/projects", headers=headers).json()["projects"]
    assert [project["name"] for project in projects] == ["practice"]
    assert httpx.get(f"{site.url}/compute/v2.1/servers", headers=headers).status_code == 401


def test_a_token_can_be_looked_at_and_revoked(site: Site) -> None:
    client, token = site.client(), site.token().headers["X-Subject-Token"]
    subject = {"X-Subject-Token": token}
    assert client.get(TOKENS, headers=subject).json()["token"]["user"]["name"] == "practice"
    assert client.delete(TOKENS, headers=subject).status_code == 204
    assert client.get(TOKENS, headers=subject).status_code == 404
    assert httpx.get(f"{site.url}/image/v2/images", headers={"X-Auth-Token": token}).status_code == 401


@pytest.mark.parametrize("path", SERVICES)
def test_an_expired_token_opens_nothing(site: Site, path: str) -> None:
    token = site.token().headers["X-Subject-Token"]
    headers = {"X-Auth-Token": token}
    assert httpx.get(site.url + path, headers=headers).status_code == 200
    site.cloud.tokens[token].expires = datetime.now(UTC)
    answer = httpx.get(site.url + path, headers=headers)
    assert answer.status_code == 401
    assert answer.json() == REFUSED
    assert answer.headers["WWW-Authenticate"].startswith("Keystone uri=")


def test_an_application_credential_works_like_its_user_in_its_project(site: Site, robot: dict) -> None:
    body = by_credential(site, robot).json()["token"]
    assert body["project"]["name"] == "practice"
    assert body["application_credential"] == {"id": robot["id"], "name": "robot", "restricted": False}


def test_an_application_credential_is_refused_with_a_wrong_secret_or_when_it_is_gone(site: Site, robot: dict) -> None:
    assert by_credential(site, robot, secret="guess").json() == REFUSED
    answer = by_credential(site, robot, id="0" * 32)
    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == f"Could not find Application Credential: {'0' * 32}."


def test_a_deleted_application_credential_takes_its_tokens_with_it(site: Site) -> None:
    made = credential(site, name="short-lived")
    token = by_credential(site, made).headers["X-Subject-Token"]
    path = f"/users/{made['user_id']}/application_credentials/{made['id']}"
    assert site.client("/identity/v3").delete(path).status_code == 204
    assert httpx.get(f"{site.url}/image/v2/images", headers={"X-Auth-Token": token}).status_code == 401


def test_an_expired_application_credential_is_refused(site: Site) -> None:
    made = credential(site, name="old", expires_at="2020-01-01T00:00:00")
    assert by_credential(site, made).json() == REFUSED


def test_the_secret_of_an_application_credential_is_shown_once(site: Site, robot: dict) -> None:
    path = f"/users/{robot['user_id']}/application_credentials"
    client = site.client("/identity/v3")
    assert "secret" not in client.get(f"{path}/{robot['id']}").json()["application_credential"]
    assert all("secret" not in each for each in client.get(path).json()["application_credentials"])
    assert client.post(path, json={"application_credential": {"name": "robot"}}).status_code == 409


def test_a_restricted_application_credential_makes_no_others(site: Site) -> None:
    made = credential(site, name="restricted")
    headers = {"X-Auth-Token": by_credential(site, made).headers["X-Subject-Token"]}
    path = f"{site.url}/identity/v3/users/{made['user_id']}/application_credentials"
    answer = httpx.post(path, headers=headers, json={"application_credential": {"name": "more"}})
    assert answer.status_code == 403
