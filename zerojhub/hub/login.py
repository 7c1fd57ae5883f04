"""What a browser does at the hub: visit a page, and log in through the hub's login form."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from zerojhub import retry
from zerojhub.hub.client import SERVICE, HubError
from zerojhub.retry import Transient
from zerojhub.tls import hubs

if TYPE_CHECKING:
    import httpx


async def visit(page: str, go: Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]) -> httpx.Response:
    """What `go` gets with a new browser, which follows no redirects. HubError, about the page, if it gets nothing."""
    import httpx

    async def attempt() -> httpx.Response:
        try:
            async with httpx.AsyncClient(timeout=30, verify=hubs()) as browser:
                answer = await go(browser)
        except httpx.RequestError as error:
            fault = retry.of_exception(SERVICE, error)
            why = HubError(f"no response: {fault.answer if fault else error or type(error).__name__}", where=page)
            raise (Transient(fault, why) if fault else why) from None
        if fault := retry.of_status(SERVICE, answer.status_code, answer.headers):
            raise Transient(fault, HubError(f"the hub responded {answer.status_code}", where=page))
        return answer

    return await retry.attempts(attempt, repeatable=True)


async def log_in(url: str, username: str, password: str) -> None:
    """Submit the login form with its XSRF cookie. Raises HubError if the hub refuses the login."""
    page = f"{url.rstrip('/')}/hub/login"

    async def submit(browser: httpx.AsyncClient) -> httpx.Response:
        form = await browser.get(page)
        if form.is_error:
            return form
        # JupyterHub 4.1 and later expect the cookie's value in the form, too; earlier ones set no such cookie.
        fields = {"username": username, "password": password, "_xsrf": _xsrf(browser)}
        return await browser.post(page, data=fields)

    answer = await visit(page, submit)
    if answer.status_code != 302:
        raise HubError(f"the hub refused the login of {username} ({answer.status_code})", where=page)


def _xsrf(browser: httpx.AsyncClient) -> str:
    return next((cookie.value or "" for cookie in browser.cookies.jar if cookie.name == "_xsrf"), "")
