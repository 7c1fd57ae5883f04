"""The proof that the hub works: a user logs in, their server starts, and a cell runs."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from zerojhub.errors import ZeroJHubError
from zerojhub.hub import entrance, proof, surroundings
from zerojhub.hub.client import HubClient
from zerojhub.hub.login import log_in
from zerojhub.hub.proof import Proof
from zerojhub.hub.values import shared_password
from zerojhub.run import Run
from zerojhub.stage import Found, Missing, Stage, Wrong
from zerojhub.stages.access import Access
from zerojhub.stages.chart import Chart
from zerojhub.stages.endpoint import Endpoint
from zerojhub.stages.kept_address import load_balancers


class Check(Stage[Proof]):
    """Test the hub: log in, start a server, run a cell, stop the server.

    Done once for each revision of the release, as a user `zerojhub-check` that is deleted with its volume. Where users log in
    at a provider, or with a password of their own, it tests how a login begins and says what it could not test. `zerojhub hub
    check` repeats it.
    """

    name = "check"
    needs = (Endpoint,)

    async def look(self, run: Run) -> Found[Proof] | Missing[Proof]:
        release = run[Chart]
        recorded = await proof.recorded(run[Access].kube, release.namespace, release.name, release.revision)
        if recorded is None:
            return Missing(f"revision {release.revision} has not been checked yet")
        return Found(str(recorded), recorded)

    async def do(self, run: Run, state: Missing[Proof] | Wrong[Proof]) -> None:
        await prove(run)


async def prove(run: Run, account: tuple[str, str] | None = None, *, around: bool = False) -> Proof:
    """Prove the hub at `run[Endpoint]`, and record the proof with its release. ZeroJHubError for the step that fails.

    `account`: name and password of somebody who can log in through the hub's form. `around`: also note what is between the hub
    and its users, and may surprise them.
    """
    kube, release = run[Access].kube, run[Chart]

    async def look_around(server: HubClient) -> None:
        with contextlib.suppress(ZeroJHubError):  # the hub works all the same
            balancers = await load_balancers(run)
            for text in (
                await surroundings.from_inside(server, run[Endpoint]),
                await surroundings.idle_limit(run.cloud, balancers),
            ):
                if text:
                    run.note(f"note: {text}")

    await proof.forget(kube, release.namespace, release.name)
    async with HubClient(run[Endpoint], release.secrets.api_token) as client:
        seen = await _log_in_as(client, account) if account else await entrance.look(client, release.values)
        password = shared_password(release.values)
        also = look_around if around else None
        proven = await proof.prove(client, kube, release.namespace, password=password, say=run.say, also=also)
    proven = replace(proven, login=seen)
    await proof.record(kube, release.namespace, release.name, release.revision, proven)
    return proven


async def _log_in_as(client: HubClient, account: tuple[str, str]) -> str:
    name, password = account
    await log_in(client.url, name, password)
    return f"{name} can log in"
