"""Real JupyterHubs with the values that `login` becomes: who can log in, and what zerojhub says of it."""

from __future__ import annotations

import contextlib
import json
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import flask
import httpx
import oidc_provider_mock
import pytest

from tests.browser.browser import browser, see
from tests.chart import hubs
from tests.command import run as command
from tests.conftest import GIVEN_CHARTS
from tests.unit.test_login_providers import register, served
from zerojhub import deployment
from zerojhub.hub import charts, entrance, values
from zerojhub.hub.client import HubClient, HubError
from zerojhub.hub.login import log_in
from zerojhub.run import Run, Silent
from zerojhub.stages import login

SECRET = "a-secret-of-at-least-thirty-two-characters"


@dataclass(frozen=True)
class Hub:
    """A running hub. `values`: those of its release."""

    url: str
    values: dict

    def entrance(self) -> str | None:
        async def look() -> str | None:
            async with HubClient(self.url, hubs.TOKEN) as client:
                return await entrance.look(client, self.values)

        return anyio.run(look)

    def lets_in(self, name: str, password: str) -> bool:
        try:
            anyio.run(log_in, self.url, name, password)
        except HubError:
            return False
        return True


def translated(folder: Path, text: str, chart: str = "embedded", config: str = "{}") -> values.UserValues:
    """The values of a deployment with this `login` and this config.yaml."""
    (folder / "config.yaml").write_text(config)
    (folder / "hub.yaml").write_text(
        "name: lab\ncluster: {template: t}\nhub: {values: config.yaml, host: hub.example.org, https: true}\n"
        f"login:\n  {text}\n"
    )
    run = Run(deployment.load(folder / "hub.yaml"), Silent())
    archive = anyio.run(charts.find, chart, None, Path())
    return values.UserValues(run.deployment.hub.values, anyio.run(login.underlying, run, archive))


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A running hub with this `login`."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("SECRET", SECRET)
    monkeypatch.setenv("PASSWORD", "of-all-users")

    @contextlib.contextmanager
    def hub(text: str, port: int | None = None, config: str = "{}") -> Iterator[Hub]:
        user = translated(tmp_path, text, config=config)
        with hubs.running(tmp_path, port or hubs.free_port(), user.values) as url:
            yield Hub(url, user.values)

    return hub


# -- OpenID Connect -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def provider():
    with served(oidc_provider_mock.app(require_client_registration=True)) as url:
        yield url


def through_the_provider(hub: str, person: str) -> httpx.Response:
    """Log in as a browser does: from the hub to the provider, its form, and back."""
    with httpx.Client(follow_redirects=True, timeout=60) as browser:
        form = browser.get(f"{hub}/hub/oauth_login")
        assert form.status_code == 200, form.text
        return browser.post(form.url, data={"sub": person})


def test_people_log_in_at_the_provider_and_only_those_who_are_allowed(hub, provider, monkeypatch):
    port = hubs.free_port()
    callback = f"http://localhost:{port}/hub/oauth_callback"
    client = register(provider, callback)
    monkeypatch.setenv("SECRET", client["client_secret"])
    text = (
        f"oidc: {{issuer: '{provider}', client_id: {client['client_id']}, client_secret_env: SECRET, "
        "username_claim: email, allow: [ada@example.org], admins: [root@example.org]}"
    )
    config = f"hub: {{config: {{OAuthenticator: {{oauth_callback_url: '{callback}'}}}}}}"
    with hub(text, port, config) as running:
        said = running.entrance()
        assert said == (
            f"the hub sends users to {provider}/oauth2/authorize as client {client['client_id']}, and back to {callback}; "
            "not tested: logging in, which needs a person with an account"
        )
        for person in ("ada@example.org", "root@example.org"):
            home = through_the_provider(running.url, person)
            assert home.status_code == 200
            assert person in home.text
        assert through_the_provider(running.url, "eve@example.org").status_code == 403
        elsewhere = {**running.values["hub"]["config"], "OAuthenticator": {"oauth_callback_url": "https://other/"}}
        with pytest.raises(HubError, match="has users sent back to http://localhost"):
            Hub(running.url, {"hub": {"config": elsewhere}}).entrance()


def test_a_hub_that_guesses_where_it_is_is_found_out(hub, provider):
    # Without oauth_callback_url, JupyterHub guesses it from the request: behind a proxy, not as people see it.
    client = register(provider, "https://hub.example.org/hub/oauth_callback")
    text = (
        f"oidc: {{issuer: '{provider}', client_id: {client['client_id']}, client_secret_env: SECRET, allow: everyone}}"
    )
    with (
        hub(text) as running,
        pytest.raises(HubError, match=r"https://hub\.example\.org/.* which is not at http://localhost"),
    ):
        running.entrance()


IDP = "https://login.example.org/idp"
ADA: dict[str, Any] = {"login": "ada-at-github", "username": "ada-at-gitlab", "id": 7, "email": "ada@lab.example.org"}
EVE: dict[str, Any] = {"login": "eve", "username": "eve", "id": 8, "email": "eve@example.org"}
ACCOUNTS = [
    oidc_provider_mock.User(
        sub=name, claims={**claims, "hd": claims["email"].partition("@")[2], "verified_email": True, "idp": IDP}
    )
    for name, claims in (("ada", ADA), ("eve", EVE))
]
PATHS = {
    "/login/oauth/authorize": "/oauth2/authorize",
    "/login/oauth/access_token": "/oauth2/token",
    "/oauth/authorize": "/oauth2/authorize",
    "/oauth/token": "/oauth2/token",
    "/api/v4/user": "/userinfo",
}
"""Where GitHub and GitLab have what an OpenID provider has elsewhere."""
USERINFO = "oidc-provider-mock.userinfo"


@pytest.fixture(scope="module")
def well_known():
    """A real provider that answers in the places of GitHub, GitLab, Google and CILogon, with the accounts of ada and eve.

    Only ada is a member of the organization `lab`, of the group `lab`, and of the domain lab.example.org.
    """
    app = oidc_provider_mock.app(user_claims=ACCOUNTS)

    @app.get("/api/v3/user")
    def github_user() -> flask.typing.ResponseReturnValue:
        # GitHub tells of an address even if it does not show it.
        return {"email": None} | flask.make_response(app.view_functions[USERINFO]()).get_json()

    @app.get("/api/v3/orgs/lab/members/<name>")
    def organization(name: str) -> flask.typing.ResponseReturnValue:
        return "", 204 if name == ADA["login"] else 404

    @app.get("/api/v4/version")
    def version() -> flask.typing.ResponseReturnValue:
        return {"version": "17.5.1-ee"}

    @app.get("/api/v4/groups/lab/members/all/<int:number>")
    def group(number: int) -> flask.typing.ResponseReturnValue:
        return {}, 200 if number == ADA["id"] else 404

    provider = app.wsgi_app

    def moved(environ, start_response):
        environ["PATH_INFO"] = PATHS.get(environ["PATH_INFO"], environ["PATH_INFO"])
        return provider(environ, start_response)

    app.wsgi_app = moved
    with served(app) as url:
        yield url


@pytest.mark.parametrize(
    ("login", "settings", "name"),
    [
        ("github: {url: 'PROVIDER', organization: lab, ", None, ADA["login"]),
        ("gitlab: {url: 'PROVIDER', group: lab, ", None, ADA["username"]),
        ("google: {domain: lab.example.org, ", "GoogleOAuthenticator", "ada"),
        (f"cilogon: {{idp: ['{IDP}'], domain: lab.example.org, ", "CILogonOAuthenticator", ADA["email"]),
    ],
    ids=["github", "gitlab", "google", "cilogon"],
)
def test_members_log_in_with_a_browser_at_well_known_providers(hub, well_known, login, settings, name):
    port = hubs.free_port()
    config = {"OAuthenticator": {"oauth_callback_url": f"http://localhost:{port}/hub/oauth_callback"}}
    if settings:  # of an authenticator that knows one provider alone
        pages = {"authorize_url": "oauth2/authorize", "token_url": "oauth2/token", "userdata_url": "userinfo"}
        config[settings] = {key: f"{well_known}/{page}" for key, page in pages.items()}
    text = login.replace("PROVIDER", well_known) + "client_id: hub, client_secret_env: SECRET}"
    with hub(text, port, json.dumps({"hub": {"config": config}})) as running:
        for person, said in (("ada", name), ("eve", "403")):
            with browser() as driver:
                driver.get(f"{running.url}/hub/oauth_login")
                see(driver, f"button[name=sub][value={person}]").click()
                see(driver, "#jupyterhub-logo")
                assert said in see(driver, "body").text


# -- forms --------------------------------------------------------------------------------------------------------------


def test_a_shared_password_and_a_token_for_programs(hub, tmp_path, monkeypatch):
    text = "shared-password: {password_env: PASSWORD, admin_password_env: SECRET, admins: [teacher]}"
    with hub(text) as running:
        assert running.entrance() is None  # zerojhub logs in itself
        assert running.lets_in("ada", "of-all-users")
        assert not running.lets_in("teacher", "of-all-users")
        assert running.lets_in("teacher", SECRET)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        refused = command("hub", "login", f"{running.url}/hub/home", "--as", "ada", stdin="not the password\n", code=1)
        assert "the hub refused the login of ada" in refused.stderr
        done = command("hub", "login", f"{running.url}/hub/home", "--as", "ada", stdin="of-all-users\n", code=0)
        (file,) = (tmp_path / "config" / "zerojhub" / "tokens").iterdir()
        token = file.read_text().strip()
        assert f"wrote {file}: a token of ada at {running.url}" in done.stdout
        assert token not in done.stdout + done.stderr
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        me = httpx.get(f"{running.url}/hub/api/user", headers={"Authorization": f"token {token}"}).json()
        assert (me["name"], me["admin"]) == ("ada", False)


def test_an_administrator_of_accounts_that_need_approval_signs_up_first(hub):
    with hub("native: {admins: [teacher]}") as running:
        assert (running.entrance() or "").startswith(
            f"teacher has not logged in yet: sign up at {running.url}/hub/signup before others know the URL"
        )
        for name in ("teacher", "ada"):
            sign_up(running.url, name)
        assert not running.lets_in("ada", f"the-password-of-{name}")
        see_home(running.url, "teacher")
        assert running.entrance() == (
            "not tested: logging in, for which zerojhub has no account (zerojhub hub check --as NAME)"
        )


def see_home(url: str, name: str) -> None:
    """Log in, and see the page to which that leads."""
    with httpx.Client(timeout=60, follow_redirects=True) as browser:
        form = browser.get(f"{url}/hub/login")
        fields = {"username": name, "password": f"the-password-of-{name}", "_xsrf": browser.cookies["_xsrf"]}
        home = browser.post(form.url, data=fields)
        assert home.url.path == "/hub/home", home.text
        assert name in home.text


def sign_up(url: str, name: str) -> None:
    with httpx.Client(timeout=60) as browser:
        form = browser.get(f"{url}/hub/signup")
        token = re.search(r'name="_xsrf" value="([^"]+)"', form.text)
        password = f"the-password-of-{name}"
        fields = {"username": name, "signup_password": password, "signup_password_confirmation": password}
        answer = browser.post(f"{url}/hub/signup", data=fields | ({"_xsrf": token[1]} if token else {}))
        assert answer.status_code == 200, answer.text


def keystone(asked: list[dict]) -> flask.Flask:
    """Keystone's answers, as its API reference has them. Users are ada and ben; only ada is a member of lab."""
    app = flask.Flask("keystone")
    app.get("/v3")(lambda: {"version": {"id": "v3.14"}})

    @app.post("/v3/auth/tokens")
    def tokens() -> flask.typing.ResponseReturnValue:
        asked.append(flask.request.get_json()["auth"])
        user, scope = asked[-1]["identity"]["password"]["user"], asked[-1]["scope"]
        known = {"ada": "analytical", "ben": "of-ben-alone"}.get(user["name"]) == user["password"]
        if not known or (scope != "unscoped" and user["name"] != "ada"):
            return {"error": {"code": 401, "message": "The request you have made requires authentication."}}, 401
        return {"token": {"user": {"name": user["name"]}}}, 201, {"X-Subject-Token": "gAAAAAB"}

    return app


def test_users_of_the_cloud(hub):
    asked: list[dict] = []
    with (
        served(keystone(asked)) as cloud,
        hub(f"keystone: {{auth_url: '{cloud}/v3', project: lab, domain: users, project_domain: projects}}") as running,
    ):
        assert running.lets_in("ada", "analytical")
        assert asked[-1]["scope"] == {"project": {"name": "lab", "domain": {"name": "projects"}}}
        assert asked[-1]["identity"]["password"]["user"]["domain"] == {"name": "users"}
        assert not running.lets_in("ada", "wrong")
        assert not running.lets_in("ben", "of-ben-alone")
        assert "not tested: logging in" in (running.entrance() or "")


def test_a_cloud_without_a_project_lets_in_whom_allow_names(hub):
    with served(keystone([])) as cloud, hub(f"keystone: {{auth_url: '{cloud}', allow: [ben]}}") as running:
        assert running.lets_in("ben", "of-ben-alone")
        assert not running.lets_in("ada", "analytical")


def test_a_learning_platform_is_told_where_the_hub_is(hub):
    text = "lti: {issuer: https://m.example.org, client_id: a, authorize_url: https://m.example.org/a, jwks_url: https://m.example.org/k}"
    with (
        hub(text) as running,
        pytest.raises(HubError, match=r"tells platforms to open https://localhost.*, which is not at"),
    ):
        running.entrance()  # it is HTTPS, by hub.yaml
    with hub(text, config="hub: {config: {LTI13Authenticator: {uri_scheme: http}}}") as running:
        assert (running.entrance() or "").startswith(
            f"{running.url}/hub/lti13/config tells the platform how to open the hub"
        )


# -- the values of each -------------------------------------------------------------------------------------------------

OAUTH = "client_id: a, client_secret_env: SECRET"
EACH = {
    "github": f"{{{OAUTH}, organization: lab, admins: me}}",
    "gitlab": f"{{{OAUTH}, group: lab, project: [7]}}",
    "google": f"{{{OAUTH}, domain: example.org}}",
    "cilogon": f"{{{OAUTH}, idp: ['https://idp.example.org'], domain: example.org}}",
    "keystone": "{auth_url: https://cloud.example.org, project: lab}",
    "ldap": "{server: a, search_base: b, bind_dn: c, bind_password_env: SECRET, groups: 'cn=lab'}",
    "native": "{admins: teacher}",
    "shared-password": "{password_env: PASSWORD}",
    "lti": "{issuer: https://a, client_id: a, authorize_url: https://a, jwks_url: https://a}",
}
CLASSES = {
    "github": ("oauthenticator.github", "GitHubOAuthenticator"),
    "gitlab": ("oauthenticator.gitlab", "GitLabOAuthenticator"),
    "google": ("oauthenticator.google", "GoogleOAuthenticator"),
    "cilogon": ("oauthenticator.cilogon", "CILogonOAuthenticator"),
    "oidc": ("oauthenticator.generic", "GenericOAuthenticator"),
    "ldap": ("ldapauthenticator", "LDAPAuthenticator"),
    "native": ("nativeauthenticator", "NativeAuthenticator"),
    "shared-password": ("jupyterhub.authenticators.shared", "SharedPasswordAuthenticator"),
    "lti": ("ltiauthenticator.lti13.auth", "LTI13Authenticator"),
}


@pytest.fixture
def each(tmp_path, monkeypatch, provider):
    """The values of that kind."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("SECRET", SECRET)
    monkeypatch.setenv("PASSWORD", "of-all-users")
    oidc = f"{{{OAUTH}, issuer: '{provider}', groups: staff, admin_groups: [root]}}"
    return lambda key, chart="embedded": translated(tmp_path, f"{key}: {({**EACH, 'oidc': oidc})[key]}", chart)


@pytest.mark.parametrize("key", CLASSES)
def test_the_authenticator_knows_all_settings_and_accepts_them(each, key, caplog):
    import importlib
    import logging

    from jupyterhub.orm import new_session_factory
    from traitlets.config import Config

    module, name = CLASSES[key]
    config = each(key).values["hub"]["config"]
    logger = logging.getLogger("authenticator")
    with caplog.at_level(logging.WARNING):
        database = new_session_factory("sqlite:///:memory:")()
        made = getattr(importlib.import_module(module), name)(config=Config(config), log=logger, db=database)
    assert [each.getMessage() for each in caplog.records if "not recognized" in each.getMessage()] == []
    for section in (name, "Authenticator"):
        for setting in config.get(section, {}):
            assert setting in made.traits(config=True)


@pytest.mark.parametrize("chart", ["embedded", *GIVEN_CHARTS])
@pytest.mark.parametrize("key", [*EACH, "oidc"])
def test_charts_accept_the_values(each, key, chart):
    archive = anyio.run(charts.find, chart, None, Path())
    if key == "shared-password" and archive.version.startswith("3."):
        pytest.skip("which it refuses")
    user = each(key, chart)
    user.document = user.values  # as if the user had written them
    assert [str(each) for each in values.problems(user, archive)] == []
