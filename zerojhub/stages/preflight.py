"""The way into the cloud: credentials that work and the services that every cluster needs."""

from __future__ import annotations

import anyio
import anyio.to_thread

from zerojhub.errors import Problems, UserError, ZeroJHubError
from zerojhub.openstack.session import Cloud
from zerojhub.run import Run
from zerojhub.stage import Found, Stage


class Preflight(Stage[None]):
    """Check the credentials, the services, quotas and everything that the deployment names.

    Before anything is created, every stage reports what would stop it, and all of that is listed at once. Creates nothing.
    """

    name = "preflight"

    async def look(self, run: Run) -> Found[None]:
        # Every stage needs this one: the engine asks all of them for problems once the cloud has answered.
        await run.cloud.authenticate()
        if problems := await anyio.to_thread.run_sync(missing_services, run.cloud):
            raise Problems(problems)
        return Found(f"cloud {run.cloud.name} is ready", None)


def missing_services(cloud: Cloud) -> list[ZeroJHubError]:
    """The services that no cluster can do without and the catalog lacks; other stages ask for theirs themselves."""
    missing: list[ZeroJHubError] = []
    for service in (cloud.container_infra, cloud.compute, cloud.network, cloud.image):
        try:
            _ = service.endpoint
        except UserError:
            raise
        except ZeroJHubError as error:
            missing.append(UserError(str(error)))
    return missing
