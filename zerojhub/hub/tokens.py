"""API tokens with which people's own programs use the hub in their name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from zerojhub import files, masking
from zerojhub.errors import UserError
from zerojhub.hub.client import HubClient, HubError, UserModel
from zerojhub.hub.login import log_in, visit

NOTE = "zerojhub hub login"
"""What the hub's page of tokens says of one."""
DAY = 24 * 3600


@dataclass(frozen=True)
class KeptToken:
    """A token that was kept."""

    url: str
    """The hub."""
    user: str
    file: Path
    """Has the token, and nothing else (0600)."""


def hub_url(text: str) -> str:
    """The hub's URL, of it or of one of its pages. UserError if it is no URL."""
    if not re.fullmatch(r"https?://[^\s/?#@]+(/\S*)?", text):
        raise UserError(f"{text} is no URL", hint="such as https://hub.example.org")
    return re.sub(r"/(hub|user)(/.*)?$", "", text.partition("?")[0]).rstrip("/")


async def has_form(url: str) -> bool:
    """Do users type their name and password at the hub? HubError if it does not answer."""
    page = f"{url}/hub/login"
    answer = await visit(page, lambda browser: browser.get(page))
    if answer.status_code >= 400:
        raise HubError(f"the hub responded {answer.status_code}", where=page)
    return 'name="password"' in answer.text


async def by_password(url: str, name: str, password: str, days: int) -> str:
    """A new token of the user that expires after so many days. HubError if the hub refuses the password."""
    await log_in(url, name, password)  # with which the hub knows the user
    async with HubClient(url) as client:
        return await client.create_token(name.lower(), seconds=days * DAY, note=NOTE, password=password)


async def keep(url: str, token: str) -> KeptToken:
    """Keep the token in the person's configuration folder, in place of an earlier one of the same hub.

    HubError if the hub does not accept it.
    """
    import platformdirs

    masking.remember(token)
    async with HubClient(url, token) as client:
        try:
            owner: UserModel = await client.json("GET", "/hub/api/user", of=UserModel)
        except HubError as error:
            if error.status in (401, 403):
                raise UserError(f"{url} does not accept the token", hint=f"request one at {url}/hub/token") from None
            raise
    folder = platformdirs.user_config_path("zerojhub") / "tokens"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = urlsplit(url)
    file = folder / re.sub(r"[^\w.-]+", "_", f"{place.netloc}{place.path}")
    files.write(file, f"{token}\n".encode())
    return KeptToken(url, owner["name"], file)
