"""Creating the new cluster while people work on the old one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zerojhub import graph
from zerojhub.errors import ZeroJHubError
from zerojhub.moving import plan as planning
from zerojhub.moving import pull, sides
from zerojhub.moving.plan import Progress
from zerojhub.stages import STAGES, KeptAddress, Volumes
from zerojhub.tasks import gather

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from zerojhub.graph import AnyStage
    from zerojhub.moving.plan import Plan
    from zerojhub.moving.sides import Side

    MakePlan = Callable[[Side, Side], Awaitable[Plan]]


def before_volumes() -> list[AnyStage]:
    """The stages that can be done while people work. A kept address is the old hub's until that stops."""
    later = [KeptAddress, *graph.downstream(STAGES, Volumes)]
    return [stage for stage in STAGES if stage not in later]


async def build(old: Side, new: Side, make: MakePlan = planning.make) -> tuple[Side, Side]:
    """Create the new cluster, with the images of the hub, and look again: hours may have passed. Raises Problems.

    `make`: how the plan of this move is made.
    """
    await graph.up(new.run, before_volumes())
    with graph.step(new.run, "look again"):
        old, new = await gather(sides.look(old.run), sides.look(new.run))
        plan = await make(old, new)
    plan.refuse()
    if plan.progress is Progress.to_do and not new.installed:
        with graph.step(new.run, "images") as step:
            images = pull.images_of(planning.merged_values(new))
            step.detail = await pull.pull(new.kube, new.namespace, images, new.run.say)
            step.outcome = "done"
    return old, new


async def build_again(old: Side, new: Side, plan: Plan) -> None:
    """Have the old cluster be ready to run the hub again. ZeroJHubError after the old deployment was deleted."""
    if plan.progress is Progress.finished or old.installed is None:
        raise ZeroJHubError(f"{old.name} has no hub to go back to", hint=f"move from {new.name} to another deployment")
    new.data.require_answers()
    await graph.up(old.run, before_volumes())
