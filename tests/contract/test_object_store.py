"""The object store: a real Swift behind the practice cloud's APIs, and restic with both of its protocols."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.contract.clouds import PASSWORD, Cloud, Site, until
from tests.contract.conftest import RESTIC
from zerojhub.practice.faults import Fault, What


def account(cloud: Cloud) -> str:
    """The path of the project's account."""
    (service,) = (each for each in cloud.token().json()["token"]["catalog"] if each["type"] == "object-store")
    return httpx.URL(service["endpoints"][0]["url"]).path


@pytest.fixture(scope="module")
def swift(object_store: Site) -> httpx.Client:
    return object_store.client(account(object_store))


def test_without_one_the_answer_says_how_to_get_it(site: Site) -> None:
    answer = site.client(account(site)).get("")
    assert (answer.status_code, answer.text) == (503, "object storage is not built")


def test_objects_come_back_as_they_were_sent(swift: httpx.Client) -> None:
    assert swift.put("/box").status_code == 201
    for name in ("a b/ü.txt", "a/", "100%25", "x?y"):
        url = "/box/" + "".join(f"%{byte:02X}" for byte in name.encode())
        assert swift.put(url, content=name.encode(), headers={"X-Object-Meta-Of": "me"}).status_code == 201
        back = swift.get(url)
        assert (back.content, back.headers["x-object-meta-of"]) == (name.encode(), "me")
    assert swift.get("/box").text.splitlines() == ["100%25", "a b/ü.txt", "a/", "x?y"]


def test_json_that_is_none_is_an_object_like_any_other(swift: httpx.Client) -> None:
    swift.put("/box")
    headers = {"Content-Type": "application/json"}
    assert swift.put("/box/broken.json", content=b"{", headers=headers).status_code == 201
    assert swift.get("/box/broken.json").text == "{"


def test_an_upload_that_breaks_off_leaves_nothing(object_store: Site, swift: httpx.Client, caplog) -> None:
    swift.put("/box")
    url = httpx.URL(str(swift.base_url) + "box/half")
    head = f"PUT {url.path} HTTP/1.1\r\nHost: {url.host}\r\nX-Auth-Token: {swift.headers['X-Auth-Token']}\r\n"
    with socket.create_connection((url.host, url.port)) as connection:
        connection.sendall(f"{head}Content-Length: 10\r\n\r\nhalf".encode())
    until(lambda: "box/half" in object_store.audit.read_text())
    assert swift.get("/box/half").status_code == 404
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "request_line",
    [
        "GET /",
        "GET /none",
        "GET /seen/none",
        "HEAD /seen/an%20object",
        "GET /seen?format=json",
        "DELETE /seen",
        "PUT /a/b/c",
    ],
)
def test_answers_are_those_of_swift_itself(object_store: Site, swift: httpx.Client, request_line: str) -> None:
    swift.put("/seen")
    swift.put("/seen/an%20object", content=b"something", headers={"X-Object-Meta-Of": "me"})
    method, path = request_line.split()
    direct = httpx.Client(base_url=str(swift.base_url).replace(*urls(object_store)), headers=swift.headers)
    ours, theirs = (compared(client.request(method, path)) for client in (swift, direct))
    assert ours == theirs


def urls(site: Site) -> tuple[str, str]:
    """Where the practice cloud has Swift, and where it really is."""
    assert site.ground.swift
    return f"{site.url}/object-store", site.ground.swift.url


def compared(answer: httpx.Response) -> tuple[int, dict[str, str], bytes]:
    """All but what differs from request to request, and the names of the servers."""
    free = {"date", "server", "x-trans-id", "x-openstack-request-id", "connection", "transfer-encoding"}
    return answer.status_code, {name: answer.headers[name] for name in answer.headers.keys() - free}, answer.content


def test_an_account_is_for_those_with_a_token_of_its_project(object_store: Site, swift: httpx.Client) -> None:
    path = object_store.at(account(object_store))
    assert httpx.get(path).status_code == 401
    assert httpx.get(path, headers={"X-Auth-Token": "gAAAAAnone"}).status_code == 401
    assert httpx.get(path, headers={"X-Identity-Status": "Confirmed", "X-Roles": "member"}).status_code == 401
    assert swift.get(f"{path}1").status_code == 403
    assert swift.get(path).is_success


def test_access_rules_hold_here_too(object_store: Site) -> None:
    user = object_store.token().json()["token"]["user"]["id"]
    rules = [{"service": "object-store", "method": "GET", "path": "/v1/**"}]
    made = object_store.client(f"/identity/v3/users/{user}").post(
        "/application_credentials", json={"application_credential": {"name": "reader", "access_rules": rules}}
    )
    robot = made.json()["application_credential"]
    identity = {
        "methods": ["application_credential"],
        "application_credential": {k: robot[k] for k in ("id", "secret")},
    }
    token = object_store.token(identity=identity, scope=None).headers["X-Subject-Token"]
    path, headers = object_store.at(account(object_store)), {"X-Auth-Token": token}
    assert httpx.get(path, headers=headers).is_success
    assert httpx.put(f"{path}/box", headers=headers).status_code == 401


# -- restic -------------------------------------------------------------------------------------------------------------


class Restic:
    """Runs restic with one repository."""

    def __init__(self, folder: Path, repository: str, **environment: str):
        cache = {"RESTIC_CACHE_DIR": str(folder / "cache"), "HOME": str(folder)}
        self.environment = {"RESTIC_REPOSITORY": repository, "RESTIC_PASSWORD": "open sesame", **cache, **environment}

    def __call__(self, *words: str | Path, code: int = 0) -> str:
        done = subprocess.run([RESTIC, *words], env=self.environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == code, done.stderr
        return done.stdout


@pytest.fixture(params=["swift", "s3"])
def restic(request: pytest.FixtureRequest, object_store: Site, access_key: dict[str, str], tmp_path: Path) -> Restic:
    """A repository on each protocol. The bucket is named like a service, which has the same path."""
    if request.param == "s3":
        keys = {"AWS_ACCESS_KEY_ID": access_key["access"], "AWS_SECRET_ACCESS_KEY": access_key["secret"]}
        return Restic(tmp_path, f"s3:{object_store.url}/object-store/{tmp_path.name}", **keys)
    login = {
        "OS_AUTH_URL": object_store.at("/identity/v3"),
        "OS_USERNAME": "practice",
        "OS_PASSWORD": PASSWORD,
        "OS_PROJECT_NAME": "practice",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_REGION_NAME": "practice",
    }
    return Restic(tmp_path, f"swift:backups:/{tmp_path.name}", **login)


def digests(folder: Path) -> dict[Path, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_backup_is_incremental_and_comes_back(restic: Restic, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "deep" / "er").mkdir(parents=True)
    (home / "thesis.txt").write_text("a thesis")
    (home / "deep" / "er" / "data").write_bytes(os.urandom(3_000_000))
    restic("init")
    restic("backup", "--host=ada", home)
    (home / "new.txt").write_text("new")
    assert "Files:           1 new,     0 changed,     2 unmodified" in restic("backup", "--host=ada", home)
    restic("forget", "--host=ada", "--keep-last=1", "--prune")
    assert "1 snapshots" in restic("snapshots")
    restic("check", "--read-data")
    restic("restore", f"latest:{home}", f"--target={tmp_path / 'back'}")
    assert digests(tmp_path / "back") == digests(home)


@pytest.mark.parametrize("restic", ["s3"], indirect=True)
def test_a_backup_survives_an_object_store_that_is_away_for_a_moment(
    restic: Restic, object_store: Site, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    restic("init")
    fault = object_store.faults.add(Fault("object-store", What.unavailable, method="PUT", path="*/data/*", count=1))
    restic("backup", tmp_path / "file")
    assert fault.fired == 1
    assert "1 snapshots" in restic("snapshots")


@pytest.mark.parametrize("restic", ["swift"], indirect=True)
def test_a_wrong_password_is_told_from_a_repository_that_is_not_there(restic: Restic) -> None:
    restic("snapshots", code=10)
    restic("init")
    restic.environment["RESTIC_PASSWORD"] = "something else"
    restic("snapshots", code=12)


def test_a_request_that_is_signed_with_a_wrong_secret_is_refused(
    object_store: Site, access_key: dict[str, str], tmp_path: Path
) -> None:
    keys = {"AWS_ACCESS_KEY_ID": access_key["access"], "AWS_SECRET_ACCESS_KEY": "guessed"}
    environment = Restic(tmp_path, f"s3:{object_store.url}/volume", **keys).environment
    # It would try again for minutes.
    with subprocess.Popen([RESTIC, "snapshots"], env=environment, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr
        assert "signature" in running.stderr.readline()
        running.kill()
