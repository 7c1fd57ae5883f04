"""The proof that the hub works: a user logs in, their server starts, and a cell runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zerojhub.stages.access import Access
from zerojhub.stages.base import Found, Missing, Stage, Wrong
from zerojhub.stages.chart import Chart
from zerojhub.stages.endpoint import Endpoint
from zerojhub.stages.values import Values

if TYPE_CHECKING:
    from zerojhub.journey import Hub


class Check(Stage):
    """Prove the hub: log in, start a server, run a cell, stop it.

    Done once for each revision of the release, as a user `zerojhub-check` that is deleted with its volume; never skipped on
    trust, and `zerojhub hub check` does it again.
    """

    name = "check"
    needs = (Endpoint,)

    async def look(self, hub: Hub) -> Found | Missing:
        from zerojhub.hub import proof

        release = hub[Chart]
        recorded = await proof.recorded(hub[Access].kube, release.namespace, release.name, release.revision)
        if recorded is None:
            return Missing(f"revision {release.revision} has not been checked yet")
        return Found(str(recorded), recorded)

    async def do(self, hub: Hub, state: Missing | Wrong) -> None:
        from zerojhub.hub import proof
        from zerojhub.hub.client import HubClient
        from zerojhub.hub.values import shared_password

        release, kube = hub[Chart], hub[Access].kube
        async with HubClient(hub[Endpoint], release.secrets.api_token) as client:
            password = shared_password(hub[Values].merged)
            proven = await proof.prove(client, kube, release.namespace, password=password, say=hub.say)
        await proof.record(kube, release.namespace, release.name, release.revision, proven)


async def forget(hub: Hub) -> None:
    """Have the next look find the hub unproven."""
    from zerojhub.hub import proof

    await proof.forget(hub[Access].kube, hub[Chart].namespace, hub[Chart].name)
