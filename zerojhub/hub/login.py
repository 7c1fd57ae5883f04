"""Log in as a user does: through the hub's login form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zerojhub import retry
from zerojhub.hub.client import SERVICE, HubError
from zerojhub.retry import Transient
from zerojhub.tls import trusted

if TYPE_CHECKING:
    import httpx


async def log_in(url: str, username: str, password: str) -> None:
    """Submit the login form with its XSRF cookie. Raises HubError if the hub refuses the login."""
    import httpx

    page = f"{url.rstrip('/')}/hub/login"

    async def attempt() -> httpx.Response:
        try:
            async with httpx.AsyncClient(timeout=30, verify=trusted()) as browser:
                form = await browser.get(page)
                if not form.is_error:
                    # JupyterHub 4.1 and later expect the cookie's value in the form, too; earlier ones set no such cookie.
                    fields = {"username": username, "password": password, "_xsrf": _xsrf(browser)}
                    form = await browser.post(page, data=fields)
        except httpx.RequestError as error:
            fault = retry.of_exception(SERVICE, error)
            why = HubError(f"no response: {fault.answer if fault else error or type(error).__name__}", where=page)
            raise (Transient(fault, why) if fault else why) from None
        if fault := retry.of_status(SERVICE, form.status_code, form.headers):
            raise Transient(fault, HubError(f"the hub responded {form.status_code}", where=page))
        return form

    answer = await retry.attempts(attempt, repeatable=True)
    if answer.status_code != 302:
        raise HubError(f"the hub refused the login of {username} ({answer.status_code})", where=page)


def _xsrf(browser: httpx.AsyncClient) -> str:
    return next((cookie.value or "" for cookie in browser.cookies.jar if cookie.name == "_xsrf"), "")
