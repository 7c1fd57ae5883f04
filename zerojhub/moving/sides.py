"""The two deployments of a move as they are now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zerojhub import running
from zerojhub.data.handover import Party
from zerojhub.errors import ZeroJHubError
from zerojhub.hub import standstill
from zerojhub.kube.crons import Crons
from zerojhub.kube.kinds import NAMESPACE
from zerojhub.run import Run, Silent
from zerojhub.running import Data
from zerojhub.stages import STAGES, Access, HelmProgram
from zerojhub.stages.helm import hub_release
from zerojhub.tasks import gather

if TYPE_CHECKING:
    from zerojhub.hub.release import InstalledRelease
    from zerojhub.kube.client import Kube

REHEARSAL = "zerojhub.io/rehearsal-of"
"""The annotation of a namespace with the name of the deployment whose move is rehearsed in it."""
COPIED = "zerojhub.io/copied-from"
"""The annotation of a namespace with the name of the deployment whose files were copied to it, or are being copied."""


@dataclass(frozen=True)
class Side:
    """One deployment of a move."""

    run: Run
    """For its stages, with progress."""
    found: Run
    """With what the stages have found, by a silent look."""
    data: Data
    installed: InstalledRelease | None
    """The hub's release; None if there is none."""
    moved_to: str | None
    """The deployment that its hub moves to, or has moved to."""
    rehearsal_of: str | None = None
    """The deployment whose move was rehearsed there, if that was interrupted."""
    copied_from: str | None = None
    """The deployment whose files were copied there, or are being copied."""

    @property
    def name(self) -> str:
        """The deployment's."""
        return self.run.deployment.name

    @property
    def namespace(self) -> str:
        return self.run.deployment.namespace

    @property
    def kube(self) -> Kube:
        """ZeroJHubError without a cluster, or if it does not respond."""
        return self.data.require_kube()

    @property
    def party(self) -> Party:
        """Without a cluster it has an empty UUID."""
        return Party(self.name, self.namespace, self.data.cluster["uuid"] if self.data.cluster else "")

    @property
    def crons(self) -> Crons:
        """The cron jobs of its namespace."""
        return Crons.of(self.found[Access], self.namespace)

    @property
    def release(self) -> str:
        """The name of the hub's release."""
        return self.run.deployment.release

    def require_release(self) -> InstalledRelease:
        """The hub's release. ZeroJHubError if there is none."""
        if self.installed is None:
            self.data.require_kube()
            raise ZeroJHubError(f"{self.name} has no hub", hint=f"zerojhub up -f {self.run.deployment.path}")
        return self.installed


async def look(run: Run) -> Side:
    """The deployment as it is now. Changes nothing. Raises UserError for a mistake of the user's."""
    silent = Run(run.deployment, Silent(), run.cloud, run.ask_passphrase)
    run.on_close(silent.close)
    data = await running.data_of(silent)
    kube = data.kube
    for stage in STAGES:
        # What is running can be used, even if it is not as the file describes it.
        if stage not in silent and stage in data.running.run:
            silent[stage] = data.running.run[stage]

    async def installed() -> InstalledRelease | None:
        return await hub_release(silent) if HelmProgram in silent else None

    async def marks() -> dict[str, str]:
        there = await kube.get(NAMESPACE, run.deployment.namespace) if kube else None
        return there["metadata"].get("annotations", {}) if there else {}

    release, annotations = await gather(installed(), marks())
    return Side(
        run,
        silent,
        data,
        release,
        annotations.get(standstill.MARK),
        annotations.get(REHEARSAL),
        annotations.get(COPIED),
    )
