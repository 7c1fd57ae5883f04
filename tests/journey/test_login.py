"""A hub to which people log in at a provider. Each test continues where the one before ended."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import oidc_provider_mock
import pytest
from selenium import webdriver

from tests.browser.browser import Place, browser, log_in, open_lab, run_cell, see
from tests.conftest import Shell
from tests.journey.learning import CLIENT, Platform
from tests.journey.outside import gateway, reachable
from tests.unit.authority import Authority
from tests.unit.slapd import GROUP, HUB, PASSWORD, PEOPLE, Slapd
from tests.unit.test_login_providers import register, served
from tests.waiting import until
from zerojhub.practice.daemon import PORT

VALUES = """
singleuser:
  memory: {guarantee: 64M, limit: 1G}
  cpu: {guarantee: 0.01}
  storage: {type: none}
scheduling: {userScheduler: {enabled: false}}
prePuller: {hook: {enabled: false}, continuous: {enabled: false}}
"""
FILE = """
name: keep
cloud: practice
cluster: {{template: kubernetes-v1.34.4-capi, workers: 1}}
hub: {{chart: embedded, values: values.yaml, host: {address}, address: {address}}}
login:
  {login}
"""
ACCOUNTS = [
    oidc_provider_mock.User(sub=name, claims={"preferred_username": name, "groups": groups})
    for name, groups in (("ada", ["staff"]), ("root", ["operators"]), ("eve", ["guests"]))
]


@pytest.fixture(scope="module")
def site(cloud: Shell) -> Shell:
    (cloud.folder / "values.yaml").write_text(VALUES)
    return cloud


@pytest.fixture(scope="module")
def address(site: Shell) -> str:
    """The floating IP of the hub, which providers have to know before there is a hub."""
    made = json.loads(site.openstack("floating", "ip", "create", "public", "-f", "json"))
    return str(made["floating_ip_address"])


@pytest.fixture(scope="module")
def url(address: str) -> str:
    return f"http://{address}"


def write(site: Shell, address: str, login: str, **secrets: str) -> None:
    """The deployment file with this login, and files with its secrets."""
    (site.folder / "hub.yaml").write_text(FILE.format(address=address, login=login))
    for name, secret in secrets.items():
        (site.folder / name).write_text(f"{secret}\n")
        (site.folder / name).chmod(0o600)


def detail(up: dict[str, Any], stage: str) -> str:
    return next(str(each["detail"]) for each in up["stages"] if each["name"] == stage)


@pytest.fixture(scope="module")
def trusted(cloud: Shell, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The certificate of an authority of one's own, and the provider's certificate with its key."""
    folder, authority = tmp_path_factory.mktemp("authority"), Authority()
    (folder / "ca.pem").write_text(authority.pem)
    (folder / "pair.pem").write_text("".join(authority.issue(gateway())))
    return folder / "ca.pem", folder / "pair.pem"


@pytest.fixture(scope="module")
def provider(cloud: Shell, trusted: tuple[Path, Path]) -> Iterator[str]:
    app = oidc_provider_mock.app(require_client_registration=True, user_claims=ACCOUNTS)
    with served(app, trusted[1], gateway()) as url, reachable(int(url.rpartition(":")[2])):
        yield url


@pytest.fixture(scope="module")
def client(provider: str, url: str, trusted: tuple[Path, Path]) -> dict[str, str]:
    context = ssl.create_default_context(cafile=str(trusted[0]))
    found: dict[str, str] = register(provider, f"{url}/hub/oauth_callback", verify=context)
    return found | {"ca": str(trusted[0])}


def oidc(provider: str, client: dict[str, str]) -> str:
    return (
        f"oidc: {{issuer: '{provider}', client_id: {client['client_id']}, client_secret_file: client-secret, "
        f"ca_file: {client['ca']}, groups: staff, admin_groups: operators}}"
    )


def works_in_lab(driver: webdriver.Chrome, url: str, person: str) -> None:
    """Whoever has logged in opens JupyterLab, and runs a cell."""
    open_lab(driver, url, person)
    assert run_cell(driver, "print(6 * 7)") == "42"


@pytest.fixture(scope="module")
def at_a_provider(site: Shell, address: str, provider: str, client: dict[str, str]) -> dict[str, Any]:
    """The hub with OpenID Connect: the output of `up`."""
    write(site, address, oidc(provider, client), **{"client-secret": client["client_secret"]})
    up: dict[str, Any] = site.json("up")
    return up


def test_what_was_found_of_the_login_is_said(at_a_provider, url, provider, client):
    assert at_a_provider["url"] == f"{url}/"
    assert detail(at_a_provider, "login").startswith(
        f"OpenID Connect: it knows the client and its secret; it sends users back to {url}/hub/oauth_callback"
    )
    assert f"the hub sends users to {provider}/oauth2/authorize as client {client['client_id']}" in detail(
        at_a_provider, "check"
    )


def test_a_person_logs_in_at_the_provider_with_a_browser_and_runs_a_cell(at_a_provider, url, trusted):
    with browser(Place(authorities=trusted[0])) as driver:
        driver.get(f"{url}/hub/login")
        see(driver, "a[href*=oauth_login]").click()
        see(driver, "button[name=sub][value=ada]").click()
        until(lambda: "/ada" in driver.current_url)  # to their server
        works_in_lab(driver, url, "ada")


def test_groups_decide_who_is_let_in_and_who_is_an_administrator(at_a_provider, url, trusted):
    context = ssl.create_default_context(cafile=str(trusted[0]))
    for person, home, admin in (("ada", 200, 403), ("root", 200, 200), ("eve", 403, 302)):
        with httpx.Client(follow_redirects=True, timeout=60, base_url=url, verify=context) as visitor:
            form = visitor.get("/hub/oauth_login", params={"next": "/hub/home"})
            assert visitor.post(form.url, data={"sub": person}).status_code == home, person
            assert visitor.get("/hub/admin", follow_redirects=False).status_code == admin, person


def test_a_wrong_secret_is_one_line_and_leaves_the_running_hub_alone(site, at_a_provider, address, provider, client):
    revisions = site.zerojhub("helm", "history", "keep", "-o", "json").stdout
    write(site, address, oidc(provider, client), **{"client-secret": "not-the-secret-of-this-client"})
    refused = site.zerojhub("up", "-q", code=2).stderr
    assert "hub.yaml:7: OpenID Connect refuses the client ID or its secret: invalid_client" in refused
    assert refused.count("hub.yaml:") == 1
    assert "not-the-secret" not in refused
    # Other commands go on with what is installed.
    assert any("the client ID or its secret" in line for line in site.json("status", code=3)["drift"])
    assert site.zerojhub("helm", "history", "keep", "-o", "json").stdout == revisions


# -- other ways to log in, one after the other on the same hub ----------------------------------------------------------


def has_a_server(url: str, person: str, password: str) -> None:
    """Log in with a browser at the hub's form, and run a cell."""
    with browser() as driver:
        log_in(driver, url, person, password)
        works_in_lab(driver, url, person)


def is_refused(url: str, person: str, password: str) -> None:
    with browser() as driver, pytest.raises(AssertionError, match="Invalid username or password"):
        log_in(driver, url, person, password)


def test_people_of_a_group_in_a_directory(site, address, url, tmp_path):
    authority = Authority()
    with Slapd(tmp_path, authority, name=gateway(), listen=gateway()).running() as slapd, reachable(slapd.port):
        directory = (
            f"ldap: {{server: {gateway()}, port: {slapd.port}, ca_file: {tmp_path / 'ca.pem'}, "
            f"search_base: '{PEOPLE}', bind_dn: '{HUB}', bind_password_file: bind-password, groups: '{GROUP}', "
            "group_attributes: [member, uniqueMember]}"
        )
        write(site, address, directory, **{"bind-password": "not-the-password-of-the-account"})
        refused = site.zerojhub("up", "-q", code=2).stderr
        assert refused.count("hub.yaml:") == 1
        assert "not-the-password" not in refused
        write(site, address, directory, **{"bind-password": PASSWORD})
        assert "LDAP" in detail(site.json("up"), "login")
        has_a_server(url, "ada", "analytical")
        is_refused(url, "ada", "wrong")
        is_refused(url, "ben", "of-ben-alone")  # of another group


def test_users_of_the_cloud(site, address, url):
    cloud = json.loads(site.openstack("configuration", "show", "--unmask", "-f", "json"))
    user, password, project = (cloud[f"auth.{key}"] for key in ("username", "password", "project_name"))
    auth_url = f"http://{gateway()}:{PORT}/identity/v3"
    write(site, address, f"keystone: {{auth_url: '{auth_url}', project: {project}}}")
    site.json("up")
    has_a_server(url, user, password)
    is_refused(url, user, "wrong")


def test_accounts_that_people_make_on_the_hub(site, address, url):
    write(site, address, "native: {admins: [teacher]}")
    site.json("up")
    assert "teacher has not logged in yet" in site.zerojhub("hub", "check", "-q").stdout
    for person in ("teacher", "zoe"):
        with browser() as driver:
            driver.get(f"{url}/hub/signup")
            see(driver, "input[name=username]").send_keys(person)
            for field in ("signup_password", "signup_password_confirmation"):
                see(driver, f"input[name={field}]").send_keys(f"the-password-of-{person}")
            see(driver, "[type=submit]").click()
            see(driver, ".alert")
    with browser() as driver, pytest.raises(AssertionError):  # not approved yet
        log_in(driver, url, "zoe", "the-password-of-zoe")
    with browser() as driver:
        log_in(driver, url, "teacher", "the-password-of-teacher")
        driver.get(f"{url}/hub/authorize/zoe")
    has_a_server(url, "zoe", "the-password-of-zoe")


def test_a_password_that_all_share(site, address, url):
    shared = "shared-password: {password_file: password, admin_password_file: admin-password, admins: [teacher]}"
    both = {"password": "of-all-users", "admin-password": "a-secret-of-at-least-thirty-two-characters"}
    write(site, address, shared, **both)
    site.json("up")
    has_a_server(url, "anyone", both["password"])
    is_refused(url, "teacher", both["password"])
    with browser() as driver:
        log_in(driver, url, "teacher", both["admin-password"])
        driver.get(f"{url}/hub/admin")
        see(driver, "[data-testid=user-row-teacher], #react-admin-hook table")


def test_a_link_in_a_course_of_a_learning_platform(site, address, url):
    platform = Platform(hub=url)
    with served(platform.app, None, gateway()) as platform.issuer, reachable(int(platform.issuer.rpartition(":")[2])):
        keys, asked = f"{platform.issuer}/keys", f"{platform.issuer}/authorize"
        registered = f"issuer: '{platform.issuer}', client_id: {CLIENT}, authorize_url: '{asked}', jwks_url: '{keys}'"
        write(site, address, f"lti: {{{registered}, username_claim: sub}}")
        assert "/hub/lti13/config tells the platform how to open the hub" in detail(site.json("up"), "check")
        with browser() as driver:
            driver.get(f"{platform.issuer}/course/lea")
            see(driver, "#open").click()
            until(lambda: "/number-of-lea" in driver.current_url)  # to their server
            works_in_lab(driver, url, "number-of-lea")
