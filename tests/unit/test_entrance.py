"""How a hub receives someone who is about to log in, and what zerojhub says of it."""

from __future__ import annotations

import anyio
import flask
import pytest

from tests.unit.test_login_providers import served
from zerojhub.errors import UserError
from zerojhub.hub import entrance, tokens
from zerojhub.hub.client import HubClient, HubError

FORM = '<form><input name="username"><input type="password" name="password"></form>'
GITHUB = "https://github.com/login/oauth/authorize"
LEADS = f"{GITHUB}?client_id=abc&redirect_uri=%s&state=x"


def config(chosen: str, **sections: dict) -> dict:
    return {"hub": {"config": {"JupyterHub": {"authenticator_class": chosen}, **sections}}}


def seen(values: dict, location: str | None = None, form: str = FORM, users: list[dict] | None = None) -> str | None:
    """What is said of a hub with these values that leads users to `location`; URL is the hub's."""
    app = flask.Flask("hub")
    app.add_url_rule("/hub/login", "form", lambda: form)
    app.add_url_rule("/hub/api/users", "users", lambda: flask.jsonify(users or []))

    @app.get("/hub/oauth_login")
    def begin() -> flask.typing.ResponseReturnValue:
        base = flask.request.host_url.rstrip("/")
        return ("", 302, {"Location": location.replace("URL", base)}) if location else ("broken", 403)

    async def look(url: str) -> str | None:
        async with HubClient(url, "t0ken") as client:
            return await entrance.look(client, values)

    with served(app) as url:
        try:
            said = anyio.run(look, url)
        except HubError as error:
            raise HubError(str(error).replace(url, "URL")) from None
        return said and said.replace(url, "URL")


OAUTH = config("github", GitHubOAuthenticator={"client_id": "abc"})


@pytest.mark.parametrize("chosen", ["github", "local-github", "oauthenticator.GitHubOAuthenticator"])
def test_a_login_that_begins_at_the_right_provider(chosen):
    values = config(chosen, GitHubOAuthenticator={"client_id": "abc"})
    assert seen(values, LEADS % "URL/hub/oauth_callback") == (
        f"the hub sends users to {GITHUB} as client abc, and back to URL/hub/oauth_callback; "
        "not tested: logging in, which needs a person with an account"
    )


@pytest.mark.parametrize(
    ("values", "location", "said"),
    [
        (OAUTH, None, "the hub does not send users to their provider (403)"),
        (OAUTH, "/hub/login", "the hub does not send users to their provider (302)"),
        (config("github", OAuthenticator={"client_id": "other"}), LEADS % "URL/x", "as client abc, not as other"),
        (OAUTH, LEADS % "https://other.example.org/hub/oauth_callback", "which is not at URL"),
        (
            config("github", GitHubOAuthenticator={"oauth_callback_url": "https://hub.example.org/"}),
            LEADS % "URL/hub/oauth_callback",
            "sent back to URL/hub/oauth_callback, not to https://hub.example.org/",
        ),
    ],
)
def test_a_login_that_cannot_end_well(values, location, said):
    with pytest.raises(HubError) as error:
        seen(values, location)
    assert said in str(error.value)


def test_a_form_is_looked_at_without_an_account():
    assert seen(config("ldapauthenticator.LDAPAuthenticator")) == (
        "not tested: logging in, for which zerojhub has no account (zerojhub hub check --as NAME)"
    )
    with pytest.raises(HubError, match="URL/hub/login: the hub shows no login form"):
        seen(config("ldapauthenticator.LDAPAuthenticator"), form="<p>Welcome</p>")


def test_administrators_whose_names_are_still_free_are_named():
    values = config("native", Authenticator={"admin_users": ["Teacher", "root", "me"]})
    users: list[dict] = [
        {"name": "teacher", "last_activity": None},
        {"name": "me", "last_activity": "2026-01-31T10:00:00Z"},
    ]
    said = seen(values, users=users)
    assert said and said.startswith("Teacher, root have not logged in yet: sign up at URL/hub/signup before others")


def test_where_zerojhub_logs_in_itself_there_is_nothing_to_say():
    assert seen(config("dummy", DummyAuthenticator={"password": "secret"})) is None


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://hub.example.org", "https://hub.example.org"),
        ("https://hub.example.org/", "https://hub.example.org"),
        ("https://hub.example.org/hub/home", "https://hub.example.org"),
        ("https://example.org/course/hub/login?next=x", "https://example.org/course"),
        ("http://192.0.2.1:30080/user/ada/lab", "http://192.0.2.1:30080"),
    ],
)
def test_the_hub_of_a_page(text, url):
    assert tokens.hub_url(text) == url


@pytest.mark.parametrize("text", ["hub.example.org", "https://", "https://ada:secret@hub.example.org"])
def test_what_is_no_url_of_a_hub(text):
    with pytest.raises(UserError, match="is no URL"):
        tokens.hub_url(text)
