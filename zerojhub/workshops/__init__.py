"""The workshops of docs/workshops: what each begins with, and how its exercises are found done. One file a workshop."""

from __future__ import annotations

from zerojhub.errors import UserError
from zerojhub.workshops.autoscaling import Autoscaling
from zerojhub.workshops.base import Workshop
from zerojhub.workshops.break_and_mend import BreakAndMend
from zerojhub.workshops.clusters import Clusters
from zerojhub.workshops.first_hub import FirstHub
from zerojhub.workshops.jobs import Jobs
from zerojhub.workshops.resize_and_upgrade import ResizeAndUpgrade
from zerojhub.workshops.running_a_class import RunningAClass

WORKSHOPS: tuple[type[Workshop], ...] = (
    FirstHub,
    Clusters,
    ResizeAndUpgrade,
    Jobs,
    Autoscaling,
    BreakAndMend,
    RunningAClass,
)


def find(number: int) -> type[Workshop]:
    """The workshop of that number. UserError naming the ones there are."""
    for workshop in WORKSHOPS:
        if workshop.number == number:
            return workshop
    raise UserError(f"there is no workshop {number}", hint=f"they are 1 to {len(WORKSHOPS)}: zerojhub workshop list")
