"""Before anything is made: every stage says what would stop it, and all of that is listed at once."""

from __future__ import annotations

import anyio
import anyio.to_thread

from zerojhub.errors import Problems, UserError, ZeroJHubError
from zerojhub.stages.base import Found, Missing, Stage, Wrong

SERVICES = ("container_infra", "compute", "network", "image")
"""Without these there is no cluster; whatever else a stage needs, it asks for itself."""


class Preflight(Stage):
    """Check the credentials, the services, quotas and everything the deployment names.

    Every stage says what would stop it, and all of that is told at once, before anything is made. It makes nothing itself.
    """

    name = "preflight"

    async def look(self, hub) -> Found:
        await anyio.to_thread.run_sync(hub.cloud.authenticate)
        problems: list[ZeroJHubError] = []

        async def ask(check) -> None:
            try:
                problems.extend(await check)
            except UserError as error:
                problems.append(error)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, services(hub.cloud))
            for stage in hub.checked:
                if stage.check is not Stage.check:
                    tasks.start_soon(ask, stage().check(hub))
        if problems:
            raise Problems(unique(problems))
        return Found(f"cloud {hub.cloud.name} can take it")

    async def do(self, hub, state: Missing | Wrong) -> None:
        """Nothing to do: a look that finds problems raises them."""


async def services(cloud) -> list[ZeroJHubError]:
    """The services that the catalogue lacks."""
    lacking = []
    for name in SERVICES:
        try:
            _ = getattr(cloud, name).endpoint
        except UserError:
            raise
        except ZeroJHubError as error:
            lacking.append(UserError(str(error)))
    return lacking


def unique(problems: list[ZeroJHubError]) -> list[ZeroJHubError]:
    """Each problem once, though two stages may have met the same."""
    return list({str(problem): problem for problem in problems}.values())
