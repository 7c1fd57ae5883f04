"""The hub's URL, where it answers."""

from __future__ import annotations

from typing import Any

import anyio

from zerojhub.deployment import is_address
from zerojhub.errors import ZeroJHubError
from zerojhub.run import Run
from zerojhub.stage import Found, Missing, Stage, Wrong
from zerojhub.stages.access import Access
from zerojhub.stages.address import STEADY, Address, HubAddress
from zerojhub.stages.certificate import Certificate
from zerojhub.stages.chart import Chart
from zerojhub.stages.dns import Dns, record
from zerojhub.stages.host_name import host_of
from zerojhub.waiting import NotYet, TimedOut, wait_until

ANSWER_TIMEOUT = 180
"""Seconds for the hub to answer at an existing address: a load balancer takes a while to forward traffic."""

LOOK_AGAIN = (0.5, 1.5)
"""Seconds between the looks at a hub that does not answer, before it counts as missing."""


class Endpoint(Stage[str]):
    """The hub's URL, once the hub answers there.

    Tries the URL until it works; the hint says whether to look at the DNS, the load balancer or a security group.
    """

    name = "endpoint"
    needs = (Address,)
    after = (Dns, Certificate)

    async def look(self, run: Run) -> Found[str] | Missing[str]:
        url = url_of(run[Address], await host_of(run), run[Chart].values)
        named = run.get(Dns)
        if named and not named.ready:
            # Who looks a name up too early does not find it for an hour: resolvers remember that there was nothing.
            return Missing(f"{url}: {named.host} has no DNS record yet")
        problem = await _problem(url)
        for pause in LOOK_AGAIN:
            if problem:
                await anyio.sleep(pause)
                problem = await _problem(url)
        if problem:
            return Missing(f"{url} does not work yet: {problem}")
        return Found(url, url)

    async def do(self, run: Run, state: Missing[str] | Wrong[str]) -> None:
        url = url_of(run[Address], await host_of(run), run[Chart].values)

        async def answers() -> NotYet | None:
            problem = await _problem(url)
            return NotYet(problem) if problem else None

        try:
            await wait_until(
                answers,
                timeout=ANSWER_TIMEOUT,
                pause=(0.3, 2),
                say=lambda why: run.say(f"{url} does not work yet: {why}"),
            )
        except TimedOut as late:
            raise ZeroJHubError(f"the hub does not answer at {url}: {late.reason}", hint=await _advice(run)) from None


def url_of(address: HubAddress, host: str | None, values: dict[str, Any]) -> str:
    """The URL of the address, with the deployment's own host name if it has one and the hub's base URL."""
    scheme = "https" if address.https else "http"
    port = "" if address.port in (None, {"http": 80, "https": 443}[scheme]) else f":{address.port}"
    base = str((values.get("hub") or {}).get("baseUrl") or "/").strip("/")
    named = host or address.host
    if ":" in named and not named.startswith("["):
        named = f"[{named}]"  # an IPv6 address
    return f"{scheme}://{named}{port}/{base}{'/' if base else ''}"


async def _problem(url: str) -> str | None:
    """Why the hub does not answer at its URL; None when it does."""
    from zerojhub.hub.client import HubClient, HubError

    for _ in range(STEADY):
        async with HubClient(url) as client:
            try:
                if not await client.is_healthy():
                    return "the proxy answers, but the hub is not ready"
            except HubError as error:
                return error.message
    return None


async def _advice(run: Run) -> str:
    address, host = run[Address], await host_of(run)
    if host and address.addresses and not is_address(host):
        return (
            f"{host} must resolve to {' '.join(address.addresses)}; the DNS record: {record(host, address.addresses)}"
        )
    if host:
        return f"{host} must resolve to {address.host if address.host != host else run[Access].address}"
    if address.kind == "LoadBalancer":
        return "does the load balancer have healthy members? without one: set hub.expose: NodePort"
    return "is the port open in the master's security group, and on the way to it?"
