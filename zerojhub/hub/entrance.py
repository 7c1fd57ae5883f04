"""How the hub receives someone who is about to log in, as far as that can be seen without an account."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from zerojhub.hub.authenticators import OAUTH
from zerojhub.hub.charts import ChartValues, at
from zerojhub.hub.client import HubClient, HubError
from zerojhub.hub.login import visit
from zerojhub.hub.tokens import has_form
from zerojhub.hub.values import authenticator, shared_password

OAUTH_BY_KIND = {name.replace("-", ""): path.partition(".")[2] for name, path in OAUTH.items()}
OAUTH_BY_KIND |= {section.lower().removesuffix("authenticator"): section for section in OAUTH_BY_KIND.values()}
"""The classes of OAuth's authenticators, by their names as `authenticator` has them."""
PERSON = "not tested: logging in, which needs a person with an account"
ACCOUNT = "not tested: logging in, for which zerojhub has no account (zerojhub hub check --as NAME)"


async def look(client: HubClient, values: ChartValues) -> str | None:
    """What can be said of the login, in a line; None if zerojhub logs in itself. HubError if users could not log in.

    `values`: of the release.
    """
    if shared_password(values) is not None:
        return None
    kind = authenticator(values) or ""
    if section := OAUTH_BY_KIND.get(kind.removeprefix("local")):
        return f"{await _at_the_provider(client.url, section, values)}; {PERSON}"
    if kind == "lti13":
        return f"{await _from_a_platform(client.url)}; {PERSON}"
    await _form(client.url)
    if kind == "native" and (waited_for := await _not_signed_up(client, values)):
        have = "has" if len(waited_for) == 1 else "have"
        where = f"{client.url}/hub/signup"
        return f"{', '.join(waited_for)} {have} not logged in yet: sign up at {where} before others know the URL; {ACCOUNT}"
    return ACCOUNT


async def _at_the_provider(url: str, section: str, values: ChartValues) -> str:
    """That the hub sends users to the provider as it is configured to."""
    page = f"{url}/hub/oauth_login"
    answer = await visit(page, lambda browser: browser.get(page))
    location = answer.headers.get("Location", "")
    if answer.status_code != 302 or not location.startswith("http"):
        raise HubError(
            f"the hub does not send users to their provider ({answer.status_code})",
            where=page,
            hint="see the hub's log: zerojhub hub logs",
        )
    there, asked = urlsplit(location), parse_qs(urlsplit(location).query)
    place = f"{there.scheme}://{there.netloc}{there.path}"

    def configured(key: str) -> Any:
        config = at(values, "hub", "config")
        found = (at(config, name, key) for name in (f"Local{section}", section, "OAuthenticator"))
        return next((each for each in found if each), None)

    sent = {key: next(iter(asked.get(key, [])), "") for key in ("client_id", "redirect_uri")}
    client_id = configured("client_id")
    if client_id and sent["client_id"] != client_id:
        raise HubError(f"the hub logs in at {place} as client {sent['client_id']}, not as {client_id}", where=page)
    wanted = configured("oauth_callback_url")
    if wanted and sent["redirect_uri"] != wanted:
        raise HubError(f"the hub has users sent back to {sent['redirect_uri']}, not to {wanted}", where=page)
    if urlsplit(sent["redirect_uri"])[:2] != urlsplit(url)[:2]:
        raise HubError(
            f"the hub has users sent back to {sent['redirect_uri']}, which is not at {url}",
            where=page,
            hint="users would see `OAuth state missing from cookies`: set hub.host and hub.https, or oauth_callback_url",
        )
    return f"the hub sends users to {place} as client {sent['client_id']}, and back to {sent['redirect_uri']}"


async def _from_a_platform(url: str) -> str:
    """That the hub tells learning platforms how to open it."""
    page = f"{url}/hub/lti13/config"
    answer = await visit(page, lambda browser: browser.get(page))
    if answer.status_code != 200:
        raise HubError(f"the hub does not tell platforms how to open it ({answer.status_code})", where=page)
    try:
        begins = str(answer.json().get("oidc_initiation_url"))
    except (ValueError, AttributeError):
        begins = ""
    if urlsplit(begins)[:2] != urlsplit(url)[:2]:
        raise HubError(f"the hub tells platforms to open {begins or 'nothing'}, which is not at {url}", where=page)
    return f"{page} tells the platform how to open the hub"


async def _form(url: str) -> None:
    if not await has_form(url):
        raise HubError("the hub shows no login form", where=f"{url}/hub/login")


async def _not_signed_up(client: HubClient, values: ChartValues) -> list[str]:
    """Administrators who have never logged in. Whoever signs up under such a name first is an administrator."""
    config = at(values, "hub", "config")
    sections = ("NativeAuthenticator", "Authenticator")
    listed = (at(config, section, "admin_users") for section in sections)
    names: list[object] = next((names for names in listed if isinstance(names, list)), [])
    known = {user.name: user for user in await client.users()}
    return [name for name in map(str, names) if not (user := known.get(name.lower())) or not user.last_activity]
