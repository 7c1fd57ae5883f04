"""The workshops in docs/workshops: the state each starts from, and how its exercises are checked. One file per workshop."""

from __future__ import annotations

from zerojhub.errors import UserError
from zerojhub.workshops.a_hub_with_a_name import AHubWithAName
from zerojhub.workshops.autoscaling import Autoscaling
from zerojhub.workshops.base import Outcome, Workshop
from zerojhub.workshops.break_and_fix import BreakAndFix
from zerojhub.workshops.clusters import Clusters
from zerojhub.workshops.first_hub import FirstHub
from zerojhub.workshops.jobs import Jobs
from zerojhub.workshops.nobodys_work_is_lost import NobodysWorkIsLost
from zerojhub.workshops.resize_and_upgrade import ResizeAndUpgrade
from zerojhub.workshops.running_a_class import RunningAClass

WORKSHOPS: tuple[type[Workshop], ...] = (
    FirstHub,
    Clusters,
    ResizeAndUpgrade,
    Jobs,
    Autoscaling,
    BreakAndFix,
    RunningAClass,
    NobodysWorkIsLost,
    AHubWithAName,
)


def find(number: int) -> type[Workshop]:
    """The workshop with that number. UserError, listing the valid numbers, if there is none."""
    for workshop in WORKSHOPS:
        if workshop.number == number:
            return workshop
    raise UserError(
        f"no workshop {number}", hint=f"workshops are numbered 1 to {len(WORKSHOPS)}: zerojhub workshop list"
    )


async def begin(workshop: type[Workshop], cloud: str) -> None:
    """Create what the workshop begins with, besides its hub."""
    from zerojhub.workshops.world import World

    async with World(cloud) as world:
        await workshop().begin(world)


async def check(workshop: type[Workshop], cloud: str) -> list[Outcome]:
    """Which of the workshop's exercises are done."""
    from zerojhub.workshops.world import World

    async with World(cloud) as world:
        return await workshop().check(world)
