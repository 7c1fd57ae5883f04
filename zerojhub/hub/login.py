"""Log in as a user does: through the hub's login form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zerojhub.hub.client import HubError

if TYPE_CHECKING:
    import httpx


async def log_in(url: str, username: str, password: str) -> None:
    """Submit the login form with its XSRF cookie. Raises HubError if the hub refuses the login."""
    import httpx

    page = f"{url.rstrip('/')}/hub/login"
    try:
        async with httpx.AsyncClient(timeout=30) as browser:
            await browser.get(page)
            # JupyterHub 4.1 and later expect the cookie's value in the form, too; earlier versions set no such cookie.
            form = {"username": username, "password": password, "_xsrf": _xsrf(browser)}
            answer = await browser.post(page, data=form)
    except httpx.TransportError as error:
        raise HubError(f"no response: {error or type(error).__name__}", where=page) from None
    if answer.status_code != 302:
        raise HubError(f"the hub refused the login of {username} ({answer.status_code})", where=page)


def _xsrf(browser: httpx.AsyncClient) -> str:
    return next((cookie.value or "" for cookie in browser.cookies.jar if cookie.name == "_xsrf"), "")
