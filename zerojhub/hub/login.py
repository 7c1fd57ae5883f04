"""Log in as a person does: the form of the hub's login page."""

from __future__ import annotations

from zerojhub.hub.client import HubError


async def log_in(url: str, username: str, password: str) -> None:
    """Log in through the login page, with the cookies that guard it. HubError when the hub does not let them in."""
    import httpx

    page = f"{url.rstrip('/')}/hub/login"
    try:
        async with httpx.AsyncClient(timeout=30) as browser:
            await browser.get(page)
            # JupyterHub 4.1 and later want the cookie's value in the form, too; earlier ones set no such cookie.
            form = {"username": username, "password": password, "_xsrf": _xsrf(browser)}
            answer = await browser.post(page, data=form)
    except httpx.TransportError as error:
        raise HubError(f"no answer: {error or type(error).__name__}", where=page) from None
    if answer.status_code != 302:
        raise HubError(f"the login form does not let {username} in ({answer.status_code})", where=page)


def _xsrf(browser) -> str:
    return next((cookie.value for cookie in browser.cookies.jar if cookie.name == "_xsrf"), "")
