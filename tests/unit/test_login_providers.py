"""What is asked of a provider before there is a hub: of a real one by OpenID Connect, and of others in their own words."""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import flask
import httpx
import oidc_provider_mock
import pytest
import werkzeug.serving

from tests.unit.authority import Authority
from zerojhub import deployment
from zerojhub.errors import Problems, ZeroJHubError
from zerojhub.run import Run, Silent
from zerojhub.stages import login
from zerojhub.stages.login import Login

CALLBACK = "https://hub.example.org/hub/oauth_callback"


@contextlib.contextmanager
def served(app: flask.Flask, pair: Path | None = None, host: str = "localhost") -> Iterator[str]:
    """The app's URL at that address of this machine, while it runs; by HTTPS with this certificate and key."""
    context = None
    if pair:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair)
    server = werkzeug.serving.make_server(host, 0, app, threaded=True, ssl_context=context)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"{'https' if pair else 'http'}://{host}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def register(
    provider: str,
    callback: str = CALLBACK,
    method: str = "client_secret_basic",
    verify: ssl.SSLContext | bool = True,
) -> dict:
    """A new client of the provider."""
    wanted = {"redirect_uris": [callback], "token_endpoint_auth_method": method}
    answer = httpx.post(f"{provider}/oauth2/clients", json=wanted, verify=verify)
    answer.raise_for_status()
    found: dict = answer.json()
    return found


@pytest.fixture(scope="module")
def provider():
    """A real provider, in which clients are registered."""
    with served(oidc_provider_mock.app(require_client_registration=True)) as url:
        yield url


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """What comes of asking the provider of this `login`, with this client secret."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def ask(text: str, secret: str = "not-the-secret"):
        monkeypatch.setenv("CLIENT_SECRET", secret)
        path = tmp_path / "hub.yaml"
        path.write_text(
            "name: lab\ncluster: {template: t}\nhub: {host: hub.example.org, https: true}\n"
            f"login:\n  {text.replace('{', '{client_secret_env: CLIENT_SECRET, ', 1)}\n"
        )
        run = Run(deployment.load(path), Silent())
        return anyio.run(login.ask, run)

    return ask


def problem(answer) -> str:
    """The only problem, without folders."""
    (found,) = answer.problems
    (line,) = found.lines
    return line.rpartition("/hub.yaml")[2] if "/hub.yaml" in line else line


# A real provider.


def test_a_client_that_is_registered_is_known_with_its_secret_and_its_url(asked, provider):
    client = register(provider)
    answer = asked(f"oidc: {{issuer: '{provider}', client_id: {client['client_id']}}}", client["client_secret"])
    assert answer.problems == []
    assert answer.proven == ["it knows the client and its secret", f"it sends users back to {CALLBACK}"]
    assert answer.untested == ["logging in, which needs a person with an account"]


@pytest.mark.parametrize("secret", ["wrong", "with / and % in it"])
def test_a_wrong_secret_is_told_from_a_wrong_code(asked, provider, secret):
    client = register(provider)
    answer = asked(f"oidc: {{issuer: '{provider}', client_id: {client['client_id']}}}", secret)
    assert problem(answer).startswith(":5: OpenID Connect refuses the client ID or its secret: invalid_client")
    assert problem(answer).endswith("(check client_id and the secret)")
    assert secret not in problem(answer)


def test_an_unknown_client(asked, provider):
    answer = asked(f"oidc: {{issuer: '{provider}', client_id: unknown}}")
    assert "refuses the client ID or its secret" in problem(answer)


def test_another_url_than_the_registered_one(asked, provider):
    client = register(provider, callback="https://hub.example.org/oauth_callback")
    answer = asked(f"oidc: {{issuer: '{provider}', client_id: {client['client_id']}}}", client["client_secret"])
    assert f"would not send users back to {CALLBACK}" in problem(answer)
    assert "register exactly this URL" in problem(answer)


def test_a_scope_that_is_not_listed_may_be_there_all_the_same(asked, provider):
    client = register(provider)
    text = f"oidc: {{issuer: '{provider}', client_id: {client['client_id']}, scope: [openid, groups]}}"
    answer = asked(text, client["client_secret"])
    assert answer.problems == []
    assert "the scope groups, which OpenID Connect does not list" in answer.untested


def test_the_secret_is_sent_as_the_hub_will_send_it(asked, provider):
    # By the discovery document it is expected in the header, as where there is no word of it.
    client = register(provider, method="client_secret_post")
    answer = asked(f"oidc: {{issuer: '{provider}', client_id: {client['client_id']}}}", client["client_secret"])
    assert "refuses the client ID or its secret" in problem(answer)


@pytest.fixture
def secure(tmp_path):
    """A provider with HTTPS, whose certificate is of this authority and this name."""

    @contextlib.contextmanager
    def secure(authority: Authority, name: str = "localhost", *, expired: bool = False) -> Iterator[str]:
        authority.ahead = datetime.timedelta(days=-3 if expired else 0)
        (tmp_path / "pair.pem").write_text("".join(authority.issue(name)))
        with served(oidc_provider_mock.app(), tmp_path / "pair.pem") as url:
            yield url

    return secure


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority()


def test_a_certificate_of_ones_own_authority(asked, secure, authority, tmp_path):
    (tmp_path / "ca.pem").write_text(authority.pem)
    with secure(authority) as url:
        answer = asked(f"oidc: {{issuer: '{url}', client_id: a, ca_file: ca.pem}}")
        assert answer.proven[0] == "it knows the client and its secret"  # any client, here
        with pytest.raises(ZeroJHubError) as error:
            asked(f"oidc: {{issuer: '{url}', client_id: a}}")
    (line,) = error.value.lines
    assert "cannot be reached: its certificate is not trusted: " in line
    assert "ca_file" in line


def test_a_certificate_that_has_expired(asked, secure, authority, tmp_path):
    (tmp_path / "ca.pem").write_text(authority.pem)
    with secure(authority, expired=True) as url, pytest.raises(ZeroJHubError) as error:
        asked(f"oidc: {{issuer: '{url}', client_id: a, ca_file: ca.pem}}")
    assert error.value.lines[0].endswith(f"hub.yaml:5: {url[8:]} cannot be reached: its certificate has expired")


def test_a_certificate_of_another_name(asked, secure, authority, tmp_path):
    (tmp_path / "ca.pem").write_text(authority.pem)
    with secure(authority, name="other.example.org") as url, pytest.raises(ZeroJHubError) as error:
        asked(f"oidc: {{issuer: '{url}', client_id: a, ca_file: ca.pem}}")
    assert "its certificate is not trusted: Hostname mismatch" in error.value.lines[0]


def test_a_provider_that_does_not_answer(asked, pauses):
    with socket.socket() as unused:
        unused.bind(("localhost", 0))
        port = unused.getsockname()[1]
        with pytest.raises(ZeroJHubError) as error:
            asked(f"oidc: {{issuer: 'http://localhost:{port}', client_id: a}}")
    assert f"localhost:{port} cannot be reached: connection refused, after 5 attempts" in error.value.lines[0]


def test_a_host_that_does_not_exist(asked):
    with pytest.raises(ZeroJHubError) as error:
        asked("oidc: {issuer: 'https://login.zerojhub.invalid', client_id: a}")
    assert "login.zerojhub.invalid cannot be reached: there is no such host" in error.value.lines[0]


# Discovery documents as they should not be.

DOCUMENT = {
    "authorization_endpoint": "https://login.example.org/auth",
    "token_endpoint": "https://login.example.org/token",
    "userinfo_endpoint": "https://login.example.org/me",
}


@pytest.fixture
def documented(asked):
    """What is said of a provider with this discovery document; `issuer`: what it says its issuer is."""

    def documented(document: object, issuer: str | None = None, path: str = "") -> str:
        app = flask.Flask("provider")

        @app.get("/.well-known/openid-configuration")
        def answer() -> flask.typing.ResponseReturnValue:
            base = flask.request.host_url.rstrip("/")
            return flask.jsonify({"issuer": issuer or base, **document} if isinstance(document, dict) else document)

        with served(app) as url, pytest.raises(ZeroJHubError) as error:
            asked(f"oidc: {{issuer: '{url}{path}', client_id: a}}")
        (line,) = error.value.lines
        assert "hub.yaml:5: " in line
        return line.replace(url, "URL")

    return documented


@pytest.mark.parametrize(
    ("document", "more", "said"),
    [
        (
            DOCUMENT,
            {"issuer": "https://other.example.org"},
            "is of the issuer https://other.example.org (set issuer to exactly",
        ),
        (DOCUMENT, {"path": "/auth"}, "/auth/.well-known/openid-configuration: there is no such document (404)"),
        ({**DOCUMENT, "userinfo_endpoint": None}, {}, "has no userinfo_endpoint"),
        ([], {}, "is not JSON"),
    ],
)
def test_a_discovery_document_that_the_hub_cannot_use(documented, document, more, said):
    assert said in documented(document, **more)


# Others, in their own words. Each is what the provider answers, as its documentation has it.


@pytest.fixture
def pretending(asked):
    """What comes of asking a GitHub Enterprise Server that answers this at its token endpoint, and so to a login."""

    def pretend(token: tuple[object, int], authorize: tuple[str, int, dict] = ("<p>Sign in</p>", 200, {})):
        app = flask.Flask("provider")

        @app.post("/login/oauth/access_token")
        def token_endpoint() -> flask.typing.ResponseReturnValue:
            content, status = token
            return (content if isinstance(content, str) else flask.jsonify(content)), status

        @app.get("/login/oauth/authorize")
        def authorize_endpoint() -> flask.typing.ResponseReturnValue:
            return authorize

        with served(app) as url:
            return asked(f"github: {{url: '{url}', client_id: abc, allow: ada}}", "the-secret-of-it")

    return pretend


GITHUB = "The client_id and/or client_secret passed are incorrect."
KNOWN = {"error": "bad_verification_code", "error_description": "The code passed is incorrect or expired."}


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (({"error": "incorrect_client_credentials", "error_description": GITHUB}, 200), "incorrect_client_credentials"),
        (("error=incorrect_client_credentials&error_description=The+client_id", 200), "incorrect_client_credentials"),
        (
            (
                {"error": "unauthorized_client", "error_description": "Invalid client or Invalid client credentials"},
                401,
            ),
            "refuses the client ID or its secret: unauthorized_client (Invalid client or Invalid client credentials)",
        ),
        (
            ({"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."}, 401),
            "refuses the client ID or its secret: invalid_client",
        ),
        (
            (
                {
                    "error": "invalid_client",
                    "error_description": "AADSTS7000222: The provided client secret keys are expired.",
                },
                401,
            ),
            "the client secret has expired",
        ),
        (
            (
                {
                    "error": "unauthorized_client",
                    "error_description": "AADSTS700016: Application with identifier 'abc' was not found",
                },
                400,
            ),
            "does not know the client abc",
        ),
        (
            ({"error": "invalid_client", "error_description": "The OAuth client was not found."}, 401),
            "does not know the client abc",
        ),
        (
            ({"error": "redirect_uri_mismatch", "error_description": "The redirect_uri MUST match"}, 200),
            "would not send users back",
        ),
    ],
)
def test_what_a_token_endpoint_refuses(pretending, token, said):
    assert said in problem(pretending(token))


@pytest.mark.parametrize(
    "token", [(KNOWN, 200), ({"error": "invalid_grant", "error_description": "Code not valid"}, 400)]
)
def test_a_wrong_code_means_that_the_client_is_right(pretending, token):
    answer = pretending(token)
    assert answer.problems == []
    assert answer.proven == ["it knows the client and its secret"]
    # It has people log in first, whatever the URL.
    assert answer.untested[-1] == f"whether {CALLBACK} is registered there"


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (({"error": "invalid_request"}, 400), "answered 400 invalid_request"),
        (("<h1>Internal error</h1>", 500), "answered 500"),
    ],
)
def test_what_says_nothing_of_the_client_is_no_problem_and_no_proof(pretending, token, said):
    answer = pretending(token)
    assert (answer.problems, answer.proven) == ([], [])
    assert said in answer.untested[1]


def test_a_secret_that_a_provider_repeats_is_not_shown(pretending):
    answer = pretending(({"error": "invalid_client", "error_description": "wrong secret the-secret-of-it"}, 401))
    assert "the-secret-of-it" not in problem(answer)
    assert " ***) (check client_id and the secret)" in problem(answer)


@pytest.mark.parametrize(
    ("authorize", "said"),
    [
        (
            ("<title>Error</title><p>Invalid parameter: redirect_uri</p>", 400, {}),
            f"would not send users back to {CALLBACK}",
        ),
        (("<p>AADSTS50011: The reply URL does not match</p>", 400, {}), f"would not send users back to {CALLBACK}"),
        (("Client not found.", 400, {}), "does not know the client abc"),
        (
            ("", 302, {"Location": f"{CALLBACK}?error=redirect_uri_mismatch"}),
            None,  # it sends people there all the same
        ),
        (
            ("", 302, {"Location": "https://login.example.org/error?error=redirect_uri_mismatch"}),
            f"would not send users back to {CALLBACK}",
        ),
        (("", 302, {"Location": "/login?return_to=x"}), None),
    ],
)
def test_how_a_login_begins(pretending, authorize, said):
    answer = pretending((KNOWN, 200), authorize)
    if said is None:
        assert answer.problems == []
    else:
        assert said in problem(answer)


def test_a_login_that_is_refused_for_another_reason_is_left_to_people(pretending):
    answer = pretending((KNOWN, 200), ("Go away", 403, {}))
    assert answer.problems == []
    assert answer.untested[-1] == f"whether {CALLBACK} is registered there (403 Go away)"


# Other kinds.


@pytest.fixture
def plain(tmp_path, monkeypatch):
    """What comes of asking the provider of this `login`, which has no client secret."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def ask(text: str):
        path = tmp_path / "hub.yaml"
        path.write_text(f"name: lab\ncluster: {{template: t}}\nlogin:\n  {text}\n")
        return anyio.run(login.ask, Run(deployment.load(path), Silent()))

    return ask


def test_the_keys_of_a_learning_platform(plain, provider):
    text = f"lti: {{issuer: '{provider}', client_id: a, authorize_url: '{provider}/auth', jwks_url: '{provider}/%s'}}"
    assert plain(text % "jwks").proven == ["the platform's keys are there"]
    assert "answered 404" in problem(plain(text % "nothing"))
    assert ": there are no keys (jwks_url is the platform's public keyset URL)" in problem(
        plain(text % ".well-known/openid-configuration")
    )


def test_keystone(plain):
    app = flask.Flask("keystone")
    app.get("/v3")(lambda: {"version": {"id": "v3.14", "status": "stable"}})
    with served(app) as url:
        assert plain(f"keystone: {{auth_url: '{url}/v3', allow: everyone}}").proven == ["Keystone v3.14 answers"]
        assert "answered 404" in problem(plain(f"keystone: {{auth_url: '{url}/identity', allow: everyone}}"))


def test_a_form_of_the_hubs_own_asks_nobody(plain):
    answer = plain("native: {}")
    assert (answer.problems, answer.proven) == ([], [])


def test_an_ldap_server_that_is_not_there(plain):
    with socket.socket() as unused:
        unused.bind(("localhost", 0))
        port = unused.getsockname()[1]
        said = problem(
            plain(f"ldap: {{server: localhost, port: {port}, user_dn: 'uid={{username}}', allow: everyone}}")
        )
    assert said == f":4: localhost:{port} cannot be reached: connection refused"


# The stage.


def test_the_stage_says_what_was_found_and_what_nobody_can_know(asked, provider, tmp_path):
    client = register(provider)
    asked(f"oidc: {{issuer: '{provider}', client_id: {client['client_id']}}}", client["client_secret"])
    run = Run(deployment.load(tmp_path / "hub.yaml"), Silent())
    found = anyio.run(Login().look, run)
    assert found.detail.startswith("OpenID Connect: it knows the client and its secret; it sends users back to")
    assert found.detail.endswith("; not tested: logging in, which needs a person with an account")


def test_the_stage_fails_as_its_check_does(asked, provider, tmp_path, monkeypatch):
    asked(f"oidc: {{issuer: '{provider}', client_id: unknown}}")
    run = Run(deployment.load(tmp_path / "hub.yaml"), Silent())
    problems = anyio.run(Login().check, run)
    with pytest.raises(Problems) as error:
        anyio.run(Login().look, run)
    assert str(error.value) == str(problems[0])


def test_a_hub_without_login_has_no_such_stage():
    assert not Login.applies(deployment.Deployment.model_validate({"name": "a", "cluster": {"template": "t"}}))
