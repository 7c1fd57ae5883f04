"""`login` in hub.yaml, as `plan` and `up` see it before there is a cluster: with a real provider by OpenID Connect."""

from __future__ import annotations

import json
from pathlib import Path

import oidc_provider_mock
import pytest

from tests.contract.test_bad_input import Person, cloud, refused  # noqa: F401 (a fixture)
from tests.contract.test_bad_input import hub_yaml as values_only
from tests.unit.test_login_providers import register, served

CALLBACK = "https://hub.example.org/hub/oauth_callback"


@pytest.fixture(scope="module")
def provider():
    with served(oidc_provider_mock.app(require_client_registration=True)) as url:
        yield url


def hub_yaml(folder: Path, login: str) -> Path:
    path = folder / "hub.yaml"
    path.write_text(
        "name: wrong\ncloud: practice\ncluster: {template: kubernetes-v1.34.4, workers: 1}\n"
        f"hub: {{chart: embedded, host: hub.example.org, https: true}}\nlogin:\n  {login}\n"
    )
    return path


def secret(folder: Path, text: str) -> None:
    (folder / "secret").write_text(text)
    (folder / "secret").chmod(0o600)


@pytest.mark.parametrize("command", ["plan", "up"])
def test_a_wrong_secret_is_one_line_before_anything_is_created(cloud: Person, tmp_path, provider, command):  # noqa: F811 (the fixture)
    client = register(provider)
    secret(tmp_path, "not-the-secret-of-this-client")
    path = hub_yaml(
        tmp_path,
        f"oidc: {{issuer: '{provider}', client_id: {client['client_id']}, client_secret_file: secret, allow: everyone}}",
    )
    error = refused(cloud, path, "hub.yaml:6: OpenID Connect refuses the client ID or its secret", command=command)
    assert "not-the-secret-of-this-client" not in error
    assert len([line for line in error.splitlines() if "hub.yaml:" in line]) == 1


def test_what_was_found_of_the_login_is_in_the_plan(cloud: Person, tmp_path, provider):  # noqa: F811 (the fixture)
    client = register(provider, CALLBACK)
    secret(tmp_path, client["client_secret"])
    path = hub_yaml(
        tmp_path,
        f"oidc: {{issuer: '{provider}', client_id: {client['client_id']}, client_secret_file: secret, allow: everyone}}",
    )
    done = cloud.zerojhub("plan", "-f", path, "-o", "json", code=3)
    stages = {stage["name"]: stage for stage in json.loads(done.stdout)["stages"]}
    assert stages["login"]["state"] == "found"
    assert f"it knows the client and its secret; it sends users back to {CALLBACK}" in stages["login"]["detail"]
    assert stages["values"]["detail"].startswith("chart jupyterhub ")
    assert "and login.oidc" in stages["values"]["detail"]
    assert client["client_secret"] not in done.stdout + done.stderr


def test_a_secret_that_others_may_read(cloud: Person, tmp_path):  # noqa: F811 (the fixture)
    secret(tmp_path, "the-secret")
    (tmp_path / "secret").chmod(0o640)
    path = hub_yaml(tmp_path, "github: {client_id: a, client_secret_file: secret, organization: lab}")
    error = refused(cloud, path, "/secret: others may read it (chmod 600 secret)", command="plan")
    assert len(error.strip().splitlines()) == 1


def test_a_login_that_would_let_nobody_in(cloud: Person, tmp_path, provider):  # noqa: F811 (the fixture)
    client = register(provider)
    secret(tmp_path, client["client_secret"])
    path = hub_yaml(
        tmp_path, f"oidc: {{issuer: '{provider}', client_id: {client['client_id']}, client_secret_file: secret}}"
    )
    refused(
        cloud, path, "hub.yaml:6: nobody could log in", "in login.oidc, set groups, allow or admins", command="plan"
    )


def test_everyone_on_the_internet_is_remarked_on(cloud: Person, tmp_path):  # noqa: F811 (the fixture)
    values = "hub: {config: {JupyterHub: {authenticator_class: google}, GoogleOAuthenticator: {allow_all: true}}}\n"
    done = cloud.zerojhub("plan", "-f", values_only(tmp_path, values), "-o", "json", code=3)
    (detail,) = (stage["detail"] for stage in json.loads(done.stdout)["stages"] if stage["name"] == "values")
    assert "everyone on the internet can have an account of Google, and everyone with one can log in" in detail
