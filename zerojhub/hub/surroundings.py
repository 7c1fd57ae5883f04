"""What is between a hub and its users, and surprises people although the hub works: noted by `zerojhub hub check`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zerojhub.hub.kernel import run_cell
from zerojhub.openstack import octavia
from zerojhub.openstack.session import if_allowed
from zerojhub.text import one_line

if TYPE_CHECKING:
    from zerojhub.hub.client import HubClient
    from zerojhub.openstack.session import Cloud

REACH = """
import ssl, urllib.error, urllib.request
try:
    urllib.request.urlopen({url!r}, timeout=5, context=ssl._create_unverified_context()).close()
except urllib.error.HTTPError:
    pass
except Exception as error:
    print(getattr(error, "reason", None) or error or type(error).__name__)
"""
"""Prints why the URL cannot be reached; nothing if it can."""
LONG_ENOUGH = 300_000
"""Milliseconds for which a connection may be idle. Programs that send pings do so more often."""


async def from_inside(server: HubClient, url: str) -> str | None:
    """That a user's server cannot reach the hub at its own URL, as on clouds without hairpin; None if it can."""
    said = await run_cell(server, REACH.format(url=f"{url.rstrip('/')}/hub/health"), timeout=30)
    if not said.strip():
        return None
    return (
        f"pods cannot reach {url} ({one_line(said)}): programs in users' servers have to use JUPYTERHUB_API_URL, and "
        "checks from inside, such as cert-manager's, fail"
    )


async def idle_limit(cloud: Cloud, balancers: Sequence[octavia.LoadBalancer]) -> str | None:
    """That a load balancer ends connections which are idle for a while; None if none does so soon."""
    with if_allowed():
        ours = {each["id"] for each in balancers}
        shortest = min(
            (
                min(each["timeout_client_data"], each["timeout_member_data"])
                for each in await octavia.listeners(cloud)
                if ours & {balancer["id"] for balancer in each["loadbalancers"]}
            ),
            default=LONG_ENOUGH,
        )
        if shortest < LONG_ENOUGH:
            return (
                f"the load balancer ends connections that are idle for {shortest / 1000:.0f} s: WebSockets of programs that"
                " send no pings break (loadbalancer.openstack.org/timeout-client-data and timeout-member-data)"
            )
    return None
