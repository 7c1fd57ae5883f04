"""`login` in hub.yaml: its mistakes, and what becomes of it in the chart's values."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import anyio
import pytest

from tests.unit.authority import Authority
from zerojhub import deployment, masking
from zerojhub.errors import UserError
from zerojhub.hub import charts, values
from zerojhub.hub.allowed import lets_nobody_in, may_let_everyone_in
from zerojhub.logins import KINDS
from zerojhub.logins.facts import Endpoints, Facts
from zerojhub.run import Run, Silent
from zerojhub.stages import login

HUB = "hub: {host: hub.example.org, https: true}\n"
SECRET = "the-secret-of-the-client"
CALLBACK = "https://hub.example.org/hub/oauth_callback"
LEAST = {
    "github": "{client_id: abc, client_secret_file: secret, organization: lab}",
    "gitlab": "{client_id: abc, client_secret_file: secret, group: lab}",
    "google": "{client_id: abc, client_secret_file: secret, domain: example.org}",
    "cilogon": "{client_id: abc, client_secret_file: secret, idp: [https://idp.example.org], domain: example.org}",
    "oidc": "{client_id: abc, client_secret_file: secret, issuer: https://login.example.org/realms/lab, allow: everyone}",
    "keystone": "{auth_url: https://cloud.example.org:5000/v3, project: lab}",
    "ldap": "{server: ldap.example.org, user_dn: 'uid={username},dc=example', allow: everyone}",
    "native": "{admins: [teacher]}",
    "shared-password": "{password_file: secret}",
    "lti": "{issuer: https://moodle.example.org, client_id: abc, authorize_url: https://moodle.example.org/auth, "
    "jwks_url: https://moodle.example.org/keys}",
}
ENDPOINTS = Endpoints(
    "https://login.example.org/auth", "https://login.example.org/token", "https://login.example.org/me"
)


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    """The deployment with this text as its `login`, below `login:`, and this `hub`."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    secret = tmp_path / "secret"
    secret.write_text(f"{SECRET}\n")
    secret.chmod(0o600)

    def load(text: str, hub: str = HUB) -> deployment.Deployment:
        path = tmp_path / "hub.yaml"
        path.write_text(f"name: lab\ncluster: {{template: t}}\n{hub}login:\n  {text}\n")
        return deployment.load(path)

    return load


@pytest.fixture
def chart(tmp_path):
    """A chart of this version."""

    def chart(version: str = "4.4.0") -> charts.ChartArchive:
        folder = tmp_path / "chart"
        folder.mkdir(exist_ok=True)
        (folder / "Chart.yaml").write_text(f"name: jupyterhub\nversion: {version}\n")
        (folder / "values.yaml").write_text("hub: {config: {JupyterHub: {authenticator_class: dummy}}}\n")
        return anyio.run(charts.find, str(folder), None, Path())

    return chart


@pytest.fixture
def translated(loaded, chart, monkeypatch):
    """The values that `login` becomes, below config.yaml if there is one."""

    async def discover(self, facts):
        return ENDPOINTS

    monkeypatch.setattr("zerojhub.logins.oidc.OIDC.discover", discover)

    def translate(text: str, version: str = "4.4.0", hub: str = HUB) -> values.UserValues:
        run = Run(loaded(text, hub), Silent())
        return values.UserValues(run.deployment.hub.values, anyio.run(login.underlying, run, chart(version)))

    return translate


def config(user: values.UserValues) -> dict:
    return user.values["hub"]["config"]


def test_there_is_an_example_of_each():
    assert set(LEAST) == {kind.key for kind in KINDS}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "github: {organization: lab, client_id: abc}",
            ":5: login.github: set client_secret_file or client_secret_env",
        ),
        (
            "github: {client_id: a, client_secret_file: a, client_secret_env: B}",
            "set client_secret_file or client_secret_env, not both",
        ),
        ("github: {client_id: 4711, client_secret_env: A}", 'client_id: must be a string: put it in quotes, "4711"'),
        (
            "github: {clientid: a, client_secret_env: A}",
            "unknown key 'login.github.clientid' (did you mean 'client_id'?)",
        ),
        (
            "github: {client_id: YOUR-CLIENT-ID, client_secret_env: A}",
            "the placeholder YOUR-CLIENT-ID has not been filled in",
        ),
        (
            "github: {client_id: a, client_secret_env: 1A}",
            "client_secret_env: must be the name of an environment variable",
        ),
        (
            "github: {client_id: a, client_secret_env: A, organization: lab, allow: everyone}",
            "login.github: organization has no effect with allow: everyone",
        ),
        (
            "gitlab: {client_id: a, client_secret_env: A, url: gitlab.example.org}",
            "login.gitlab.url: must be a URL such as",
        ),
        (
            "gitlab: {client_id: a, client_secret_env: A, project: [lab]}",
            "login.gitlab.project.0: must be a whole number",
        ),
        ("cilogon: {client_id: a, client_secret_env: A, idp: [example.org]}", "must be an EntityID"),
        ("cilogon: {client_id: a, client_secret_env: A}", "missing key 'login.cilogon.idp'"),
        ("oidc: {client_id: a, client_secret_env: A}", "missing key 'login.oidc.issuer'"),
        ("ldap: {server: ldap.example.org, allow: everyone}", "login.ldap: set either user_dn or search_base"),
        (
            "ldap: {server: 'ldap://ldap.example.org', user_dn: 'uid={username}', allow: a}",
            "must be a host name, without ldap://",
        ),
        ("ldap: {server: a, user_dn: 'uid=ada', allow: everyone}", "user_dn: there is no {username} in 'uid=ada'"),
        ("ldap: {server: a, search_base: b, bind_dn: c, allow: a}", "set bind_password_file or bind_password_env"),
        ("ldap: {server: a, user_dn: 'uid={username}'}", "login.ldap: nobody is let in: set groups, allow or admins"),
        ("keystone: {auth_url: https://a}", "login.keystone: nobody is let in: set project, allow or admins"),
        ("native: {allow: []}", "login.native: nobody is let in: set allow or admins"),
        ("shared-password: {password_file: a, admins: me}", "set admin_password_file or admin_password_env"),
        ("shared_pasword: {}", "unknown key 'login.shared_pasword' (did you mean 'shared-password'?)"),
        ("{}", "login: choose one of github, gitlab,"),
        (
            "native: {}\n  lti: {issuer: a, client_id: a, authorize_url: https://a, jwks_url: https://a}",
            "choose one of",
        ),
        ("github", "login: must be a mapping, not 'github'"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(loaded, text, said):
    with pytest.raises(UserError) as error:
        loaded(text)
    assert len(error.value.lines) == 1
    assert said in str(error.value)


def test_a_kind_needs_no_keys_if_all_have_defaults(loaded):
    assert loaded("native:").login.kind.everyone


@pytest.mark.parametrize("key", LEAST)
def test_the_least_of_each_chooses_its_authenticator(translated, key):
    user = translated(f"{key}: {LEAST[key]}")
    kind = next(kind for kind in KINDS if kind.key == key)
    chosen = config(user)["JupyterHub"]["authenticator_class"]
    assert chosen == kind.authenticator
    assert set(config(user)) >= {"JupyterHub", kind.settings}
    assert (config(user)[kind.settings].get("oauth_callback_url") == CALLBACK) == (
        chosen.islower() and key not in ("native", "shared-password")
    )


def test_github(translated):
    assert config(translated(f"github: {LEAST['github']}")) == {
        "JupyterHub": {"authenticator_class": "github"},
        "GitHubOAuthenticator": {
            "client_id": "abc",
            "client_secret": SECRET,
            "oauth_callback_url": CALLBACK,
            "allowed_organizations": ["lab"],
            "scope": ["read:org"],
        },
    }


@pytest.mark.parametrize("version", ["3.3.8", "4.0.0", "4.4.0"])
def test_admins_and_allow_mean_the_same_whatever_the_chart(translated, version):
    who = config(
        translated("github: {client_id: a, client_secret_file: secret, admins: me, allow: [ada, ben]}", version)
    )
    assert who["Authenticator"] == {"admin_users": ["me"], "allowed_users": ["ada", "ben"]}
    who = config(translated("github: {client_id: a, client_secret_file: secret, allow: everyone}", version))
    assert who["Authenticator"] == {"allow_all": True}


def test_older_releases_let_everyone_in_without_being_told_to(translated):
    # JupyterHub 4 has no allow_all, and lets in everyone unless allowed_users says whom.
    assert "Authenticator" not in config(translated("native: {}", "3.3.8"))
    assert config(translated("native: {}"))["Authenticator"] == {"allow_all": True}
    only_me = config(translated("native: {allow: [], admins: me}", "3.3.8"))["Authenticator"]
    assert only_me == {"admin_users": ["me"], "allowed_users": ["me"]}
    assert config(translated("native: {allow: [], admins: me}"))["Authenticator"] == {"admin_users": ["me"]}


def test_groups_of_openid_connect_are_set_up_as_the_release_wants_them(translated):
    text = LEAST["oidc"].replace("allow: everyone", "groups: staff, groups_claim: roles")
    older = config(translated(f"oidc: {text}", "3.3.8"))["GenericOAuthenticator"]
    assert older["claim_groups_key"] == "roles"
    assert older["allowed_groups"] == ["staff"]
    assert "manage_groups" not in older
    newer = config(translated(f"oidc: {text}"))["GenericOAuthenticator"]
    assert (newer["manage_groups"], newer["auth_state_groups_key"]) == (True, "oauth_user.roles")
    assert "claim_groups_key" not in newer


def test_openid_connect_has_the_endpoints_that_were_discovered(translated):
    found = config(translated(f"oidc: {LEAST['oidc']}"))["GenericOAuthenticator"]
    assert (found["authorize_url"], found["token_url"], found["userdata_url"]) == dataclasses.astuple(ENDPOINTS)[:3]
    assert "openid" in found["scope"]  # without it, Keycloak refuses to say who it is
    assert found["login_service"] == "login.example.org"


def test_entra_id_tells_names_in_the_token_alone(translated):
    text = LEAST["oidc"].replace("login.example.org/realms/lab", "login.microsoftonline.com/tenant/v2.0")
    found = config(translated(f"oidc: {text}"))["GenericOAuthenticator"]
    assert found["userdata_from_id_token"] is True
    assert "userdata_url" not in found  # the hub does not start with both


@pytest.mark.parametrize(("version", "key"), [("3.3.8", "allowed_idps"), ("4.3.5", "allowed_idps"), ("4.4.0", "idps")])
def test_the_institutions_of_cilogon(translated, version, key):
    found = config(translated(f"cilogon: {LEAST['cilogon']}", version))["CILogonOAuthenticator"]
    about = {"username_derivation": {"username_claim": "email"}, "allowed_domains": ["example.org"]}
    assert found[key] == {"https://idp.example.org": about}


def test_the_domain_of_google_keeps_all_others_out(translated):
    found = config(translated(f"google: {LEAST['google']}"))
    assert found["GoogleOAuthenticator"]["hosted_domain"] == ["example.org"]
    assert found["Authenticator"] == {"allow_all": True}
    some = config(translated("google: {client_id: a, client_secret_file: secret, domain: example.org, allow: ada}"))
    assert some["Authenticator"] == {"allowed_users": ["ada"]}


def test_ldap_verifies_the_server(translated, tmp_path):
    authority = Authority()
    (tmp_path / "ca.pem").write_text(authority.pem)
    text = LEAST["ldap"].replace("{server", "{ca_file: ca.pem, tls: ldaps, server")
    found = config(translated(f"ldap: {text}"))["LDAPAuthenticator"]
    assert found["tls_strategy"] == "on_connect"
    assert found["tls_kwargs"] == {"validate": 2, "ca_certs_data": authority.pem}  # ssl.CERT_REQUIRED
    older = config(translated(f"ldap: {text}", "3.3.8"))["LDAPAuthenticator"]
    assert (older["use_ssl"], older["server_port"]) == (True, 636)
    assert "tls_kwargs" not in older


def test_ldap_looks_users_up(translated):
    text = "{server: a, search_base: 'ou=people', bind_dn: 'cn=hub', bind_password_file: secret, groups: 'cn=lab'}"
    assert config(translated(f"ldap: {text}"))["LDAPAuthenticator"] == {
        "server_address": "a",
        "tls_strategy": "before_bind",
        "tls_kwargs": {"validate": 2},
        "lookup_dn": True,
        "user_search_base": "ou=people",
        "user_attribute": "uid",
        "lookup_dn_user_dn_attribute": "uid",
        "use_lookup_dn_username": False,
        "lookup_dn_search_user": "cn=hub",
        "lookup_dn_search_password": SECRET,
        "allowed_groups": ["cn=lab"],
        "group_attributes": ["member", "uniqueMember", "memberUid"],
        "group_search_filter": "(|(member={userdn})(uniqueMember={userdn})(memberUid={uid}))",  # as by default
    }


def test_a_ca_is_where_the_hub_looks_for_it(translated, tmp_path):
    authority = Authority()
    (tmp_path / "ca.pem").write_text(authority.pem)
    user = translated(f"oidc: {LEAST['oidc'].replace('{', '{ca_file: ca.pem, ', 1)}")
    (file,) = user.values["hub"]["extraFiles"].values()
    assert file["stringData"] == authority.pem
    assert config(user)["GenericOAuthenticator"]["http_request_kwargs"] == {"ca_certs": file["mountPath"]}


def test_a_ca_that_is_none_has_its_line(translated, tmp_path):
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nnot one\n-----END CERTIFICATE-----\n")
    with pytest.raises(UserError, match=r"hub.yaml:5: .*ca.pem is not a certificate"):
        translated("gitlab: {ca_file: ca.pem, client_id: a, client_secret_file: secret, allow: a}")


@pytest.mark.parametrize(
    ("text", "version", "said"),
    [
        (f"shared-password: {LEAST['shared-password']}", "4.1.0", "needs chart 4.2 or later (JupyterHub 5.3), not 4.1"),
        (f"github: {LEAST['github']}", "2.0.0", "needs chart 3.0 or later"),
        ("ldap: {server: a, user_dn: '{username}', tls: none, allow: everyone}", "3.3.8", "tls: none needs chart 4.0"),
        ("ldap: {server: a, user_dn: '{username}', groups: b, allow: c}", "3.3.8", "only one of groups and allow"),
    ],
)
def test_what_an_older_chart_cannot_do_is_said(translated, text, version, said):
    with pytest.raises(UserError) as error:
        translated(text, version)
    assert said in str(error.value)
    assert "hub.yaml:5: " in str(error.value)


def test_a_chart_without_hub_config_cannot_be_given_any(loaded, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "Chart.yaml").write_text("name: own\nversion: 1.0.0\n")
    chart = anyio.run(charts.find, str(tmp_path / "own"), None, Path())
    run = Run(loaded("native: {}"), Silent())
    with pytest.raises(UserError, match=r"hub.yaml:5: chart own has no hub.config"):
        anyio.run(login.underlying, run, chart)


# What config.yaml says takes precedence.


def test_explicit_values_win_in_whichever_class_they_are(translated, tmp_path):
    (tmp_path / "config.yaml").write_text(
        "hub:\n  config:\n    OAuthenticator: {client_id: other}\n    GitHubOAuthenticator: {scope: [user]}\n"
        "    Authenticator: {admin_users: [root]}\n"
    )
    hub = HUB.replace("{", "{values: config.yaml, ")
    user = translated(f"github: {LEAST['github'].replace('{', '{admins: me, ', 1)}", hub=hub)
    assert "client_id" not in config(user)["GitHubOAuthenticator"]
    assert config(user)["OAuthenticator"] == {"client_id": "other"}
    assert config(user)["GitHubOAuthenticator"]["scope"] == ["user"]
    assert config(user)["GitHubOAuthenticator"]["allowed_organizations"] == ["lab"]
    assert config(user)["Authenticator"] == {"admin_users": ["root"]}
    assert values.overruled(user) is None
    assert user.where(("hub", "config", "OAuthenticator", "client_id")).endswith("config.yaml:3")
    assert user.where(("hub", "config", "GitHubOAuthenticator", "client_secret")).endswith("hub.yaml:5")


def test_another_authenticator_in_the_values_is_remarked_on(translated, tmp_path):
    (tmp_path / "config.yaml").write_text("hub:\n  config:\n    JupyterHub: {authenticator_class: gitlab}\n")
    user = translated(f"github: {LEAST['github']}", hub=HUB.replace("{", "{values: config.yaml, "))
    said = values.overruled(user)
    assert said and said.endswith("hub.yaml:5")
    assert "config.yaml:3: authenticator_class gitlab takes precedence over login" in said


# Who is let in.


def test_a_login_that_lets_nobody_in_is_refused_with_its_line(translated, chart, tmp_path):
    text = "github: {client_id: a, client_secret_file: secret}"
    refusal = lets_nobody_in(translated(text), chart())
    assert refusal and refusal.where and refusal.where.endswith("hub.yaml:5")
    assert refusal.hint == "in login.github, set organization, allow or admins"
    (tmp_path / "config.yaml").write_text("hub: {config: {GitHubOAuthenticator: {allow_existing_users: true}}}\n")
    assert lets_nobody_in(translated(text, hub=HUB.replace("{", "{values: config.yaml, ")), chart()) is None


@pytest.mark.parametrize(
    ("text", "provider"),
    [
        ("github: {client_id: a, client_secret_file: secret, allow: everyone}", "GitHub"),
        ("github: {client_id: a, client_secret_file: secret, allow: everyone, url: https://git.example.org}", None),
        (f"github: {LEAST['github']}", None),
        ("gitlab: {client_id: a, client_secret_file: secret, allow: everyone}", "GitLab"),
        ("google: {client_id: a, client_secret_file: secret, allow: everyone}", "Google"),
        (f"google: {LEAST['google']}", None),
        (
            "cilogon: {client_id: a, client_secret_file: secret, idp: ['http://orcid.org/oauth/authorize'], allow: everyone}",
            "ORCID",
        ),
        (
            "cilogon: {client_id: a, client_secret_file: secret, idp: ['http://orcid.org/oauth/authorize'], allow: ada}",
            None,
        ),
        ("oidc: " + LEAST["oidc"], None),
    ],
)
def test_a_login_that_lets_in_everyone_on_the_internet_is_remarked_on(translated, chart, text, provider):
    remark = may_let_everyone_in(translated(text), chart())
    assert provider == (remark and remark.partition("can have an account of ")[2].partition(",")[0])


def test_open_sign_up_is_refused(translated, chart):
    assert values.lets_anyone_in(translated("native: {}"), chart()) is None
    refusal = values.lets_anyone_in(translated("native: {signup: open}"), chart())
    assert refusal and "anyone can sign up" in refusal.message
    assert refusal.where and refusal.where.endswith("hub.yaml:5")


# Secrets.


def test_a_secret_is_hidden_from_now_on(translated, monkeypatch):
    monkeypatch.setenv("CLIENT_SECRET", "another-secret-of-the-client")
    user = translated("github: {client_id: abc, client_secret_env: CLIENT_SECRET, allow: ada}")
    assert config(user)["GitHubOAuthenticator"]["client_secret"] == "another-secret-of-the-client"
    assert masking.mask("it is another-secret-of-the-client") == "it is ***"
    assert "another-secret" not in repr(user.underlying)


@pytest.mark.parametrize(
    ("mode", "content", "said"),
    [
        (0o644, b"x", "secret: others may read it (chmod 600 secret)"),
        (0o600, b"", "secret:1: the client secret must be one line"),
        (0o600, b"a\nb\n", "secret:1: the client secret must be one line"),
        (0o600, b"CHANGEME\n", "secret:1: the placeholder CHANGEME has not been filled in"),
        (0o600, b"\xff\xfe", "secret: is not text"),
        (None, b"", "secret: cannot be read: No such file or directory (create it with: (umask 077; cat > secret)"),
    ],
)
def test_a_secret_that_cannot_be_used(translated, tmp_path, mode, content, said):
    def translate():
        (tmp_path / "secret").unlink()
        if mode:
            (tmp_path / "secret").write_bytes(content)
            (tmp_path / "secret").chmod(mode)
        anyio.run(login.facts, run)

    run = Run(loaded_once(tmp_path), Silent())
    with pytest.raises(UserError) as error:
        translate()
    assert said in str(error.value)


def loaded_once(folder: Path) -> deployment.Deployment:
    (folder / "hub.yaml").write_text(f"name: lab\ncluster: {{template: t}}\n{HUB}login:\n  github: {LEAST['github']}\n")
    return deployment.load(folder / "hub.yaml")


def test_a_variable_that_is_not_set_has_its_line(loaded, monkeypatch):
    monkeypatch.delenv("CLIENT_SECRET", raising=False)
    run = Run(loaded("github:\n    client_id: abc\n    client_secret_env: CLIENT_SECRET\n    allow: ada"), Silent())
    with pytest.raises(UserError, match=r"hub.yaml:7: the environment variable CLIENT_SECRET is not set"):
        anyio.run(login.facts, run)


def test_passwords_that_jupyterhub_would_refuse(translated, tmp_path):
    (tmp_path / "secret").write_text("short\n")
    with pytest.raises(UserError, match="the password must have at least 8 characters"):
        translated("shared-password: {password_file: secret}")
    (tmp_path / "secret").write_text("the-same-and-long-enough-for-both-of-them\n")
    with pytest.raises(UserError, match="administrators need another password"):
        translated("shared-password: {password_file: secret, admin_password_file: secret, admins: me}")


# The URL to which users are sent back.


@pytest.mark.parametrize(
    ("hub", "text", "url"),
    [
        ("{host: h.example.org, https: true}", "", "https://h.example.org/hub/oauth_callback"),
        ("{host: h.example.org}", "", "http://h.example.org/hub/oauth_callback"),
        ("{host: h.example.org}", "proxy: {https: {enabled: true}}", "https://h.example.org/hub/oauth_callback"),
        ("{host: h.example.org}", "hub: {baseUrl: /course/}", "http://h.example.org/course/hub/oauth_callback"),
        (
            "{host: h.example.org, expose: NodePort}",
            "proxy: {service: {nodePorts: {http: 30080}}}",
            "http://h.example.org:30080/hub/oauth_callback",
        ),
        ("{}", "hub: {config: {OAuthenticator: {oauth_callback_url: https://x/y}}}", "https://x/y"),
    ],
)
def test_the_callback(loaded, tmp_path, hub, text, url):
    (tmp_path / "config.yaml").write_text(text)
    hub = f"hub: {{values: config.yaml, {hub[1:]}\n"
    found = loaded(f"github: {LEAST['github']}", hub)
    assert login.callback_url(found, found.hub.host) == url


@pytest.mark.parametrize(
    ("hub", "said"),
    [
        ("hub: {}\n", "hub.yaml:5: login.github needs the hub's host name, to which GitHub sends users back"),
        ("hub: {host: a.org, expose: NodePort}\n", "set proxy.service.nodePorts.http in hub.values to a port"),
    ],
)
def test_a_callback_that_nobody_can_know(loaded, hub, said):
    with pytest.raises(UserError) as error:
        anyio.run(login.facts, Run(loaded(f"github: {LEAST['github']}", hub), Silent()))
    assert said in str(error.value)


def test_a_form_needs_no_callback(translated):
    assert config(translated("native: {}", hub="hub: {}\n"))
    assert config(translated(f"lti: {LEAST['lti']}", hub="hub: {}\n"))["LTI13Authenticator"]["uri_scheme"] == "auto"


def test_the_name_of_the_section_is_the_one_in_the_file():
    facts = Facts((4, 4))
    assert "secret" not in repr(dataclasses.replace(facts, secrets={"client_secret": SECRET}))
