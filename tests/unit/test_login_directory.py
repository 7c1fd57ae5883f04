"""What is asked of an LDAP server before there is a hub, and that the hub's authenticator then works with it."""

from __future__ import annotations

import shutil

import anyio
import pytest

from tests.unit.authority import Authority
from tests.unit.slapd import BASE, GROUP, HUB, PASSWORD, PEOPLE, Slapd
from zerojhub import deployment
from zerojhub.logins.facts import Facts
from zerojhub.run import Run, Silent
from zerojhub.stages import login

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture(scope="module")
def server(tmp_path_factory, authority):
    with Slapd(tmp_path_factory.mktemp("slapd"), authority).running() as running:
        yield running


@pytest.fixture
def run(tmp_path, monkeypatch, server):
    """A run with these keys of login.ldap, to that server, or else to the module's; `ca_file` unless there is None."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PASSWORD", PASSWORD)

    def run(keys: str, to: Slapd = server, port: int | None = None, name: str = "localhost", ca: bool = True) -> Run:
        shutil.copy(to.folder / "ca.pem", tmp_path)
        (tmp_path / "hub.yaml").write_text(
            "name: lab\ncluster: {template: t}\nlogin:\n  ldap:\n"
            f"    server: {name}\n    port: {port or to.port}\n"
            + ("    ca_file: ca.pem\n" if ca else "")
            + "".join(f"    {line}\n" for line in keys.splitlines())
        )
        return Run(deployment.load(tmp_path / "hub.yaml"), Silent())

    return run


SEARCHED = f"search_base: {PEOPLE}\nbind_dn: {HUB}\nbind_password_env: PASSWORD\nallow: everyone"
BOUND = f"user_dn: 'uid={{username}},{PEOPLE}'\nallow: everyone"


def problem(run: Run) -> str:
    answer = anyio.run(login.ask, run)
    (found,) = answer.problems
    (line,) = found.lines
    return line.rpartition("/hub.yaml")[2]


def test_a_server_that_is_as_it_should_be(run):
    answer = anyio.run(
        login.ask, run(f"{SEARCHED.replace('allow: everyone', '')}\ngroups: '{GROUP}'\ngroup_attributes: [member]")
    )
    assert answer.problems == []
    assert answer.proven == ["it answers, encrypted", "it has users", "it has the groups"]
    assert answer.untested == ["a user's password"]


def test_tls_from_the_beginning(run, server):
    answer = anyio.run(login.ask, run(f"{SEARCHED}\ntls: ldaps", port=server.secure))
    assert (answer.problems, answer.proven[0]) == ([], "it answers, encrypted")


def test_no_tls(run):
    assert anyio.run(login.ask, run(f"{SEARCHED}\ntls: none", ca=False)).proven[0] == "it answers"


def test_nobody_can_look_for_users_without_an_account(run):
    answer = anyio.run(login.ask, run(BOUND))
    assert (answer.problems, answer.proven) == ([], ["it answers, encrypted"])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "PASSWORD",
            "PATH",
            "refuses the login of cn=hub,dc=example,dc=org: invalidCredentials (check bind_dn and its password)",
        ),
        (HUB, f"cn=nobody,{BASE}", "refuses the login of cn=nobody,dc=example,dc=org: invalidCredentials"),
        (PEOPLE, f"ou=persons,{BASE}", "there is no ou=persons,dc=example,dc=org (check search_base"),
        (
            "allow",
            "search_attribute: sAMAccountName\nallow",
            "nobody below ou=people,dc=example,dc=org has the attribute sAMAccountName",
        ),
        (
            "allow: everyone",
            f"group_attributes: [member]\ngroups: 'cn=staff,{BASE}'",
            "there is no group cn=staff,dc=example,dc=org: noSuchObject",
        ),
    ],
)
def test_what_the_directory_does_not_have(run, old, new, said):
    line = problem(run(SEARCHED.replace(old, new)))
    assert line.startswith(":4: ")
    assert said in line


def test_an_attribute_that_the_server_does_not_know_would_stop_the_hub(run, logs_in):
    keys = f"{SEARCHED.replace('allow: everyone', '')}\ngroups: '{GROUP}'"
    said = problem(run(keys))
    assert "localhost knows no attribute memberUid" in said  # which is in the schema nis
    assert "(set group_attributes: [member, uniqueMember])" in said
    with pytest.raises(Exception, match="invalid attribute type memberUid"):
        logs_in(keys, "ada", "analytical")
    assert logs_in(f"{keys}\ngroup_attributes: [member, uniqueMember]", "ada", "analytical")


def test_a_certificate_of_an_authority_that_nobody_trusts(run, server):
    said = problem(run(SEARCHED, ca=False))
    assert f":4: localhost:{server.port}: its certificate is not trusted: " in said
    assert "(set ca_file to the authority" in said
    assert "its certificate is not trusted" in problem(run(f"{SEARCHED}\ntls: ldaps", port=server.secure, ca=False))


def test_a_certificate_of_another_name(run, server):
    assert "its certificate is not trusted for this name" in problem(run(SEARCHED, name="127.0.0.1"))


@pytest.mark.parametrize("tls", ["start-tls", "ldaps"])
def test_a_certificate_that_has_expired(run, tmp_path_factory, authority, tls):
    with Slapd(tmp_path_factory.mktemp("slapd"), authority, expired=True).running() as old:
        port = old.secure if tls == "ldaps" else old.port
        assert (
            problem(run(f"{SEARCHED}\ntls: {tls}", old, port)) == f":4: localhost:{port}: its certificate has expired"
        )


# The hub's own authenticator, with the values that zerojhub makes.


@pytest.fixture
def logs_in(run):
    """Does this user log in, with the values of `login` for this run?"""
    ldapauthenticator = pytest.importorskip("ldapauthenticator", reason="is in the extra `test`")
    from traitlets.config import Config

    def logs_in(keys: str, name: str, password: str, **more) -> bool:
        found = run(keys, **more)
        kind = found.deployment.login.kind
        facts = anyio.run(login.facts, found)
        values = kind.values(Facts((4, 4), secrets=facts.secrets, cacert=facts.cacert))
        authenticator = ldapauthenticator.LDAPAuthenticator(config=Config(values["hub"]["config"]))

        async def try_it() -> bool:
            user = await authenticator.get_authenticated_user(None, {"username": name, "password": password})
            return user is not None and user["name"] == name

        return anyio.run(try_it)

    return logs_in


@pytest.mark.parametrize("keys", [SEARCHED, BOUND])
def test_users_log_in_with_their_password_alone(logs_in, keys):
    assert logs_in(keys, "ada", "analytical")
    assert not logs_in(keys, "ada", "of-ben-alone")
    assert not logs_in(keys, "nobody", "analytical")


def test_members_of_a_group_log_in_alone(logs_in):
    keys = f"{SEARCHED.replace('allow: everyone', '')}\ngroups: '{GROUP}'\ngroup_attributes: [member]"
    assert logs_in(keys, "ada", "analytical")
    assert not logs_in(keys, "ben", "of-ben-alone")


def test_the_hub_does_not_send_passwords_to_a_server_that_it_does_not_trust(logs_in):
    with pytest.raises(Exception, match=r"(?i)certificate"):
        logs_in(SEARCHED, "ada", "analytical", ca=False)
