"""The workshops of docs/workshops: what each begins with, and how its exercises are found done. One file a workshop."""

from __future__ import annotations

from zerojhub.errors import UserError
from zerojhub.workshops.base import Workshop
from zerojhub.workshops.clusters import Clusters
from zerojhub.workshops.first_hub import FirstHub
from zerojhub.workshops.upgrade import Upgrade

WORKSHOPS: tuple[type[Workshop], ...] = (FirstHub, Clusters, Upgrade)


def find(number: int) -> type[Workshop]:
    """The workshop of that number. UserError naming the ones there are."""
    for workshop in WORKSHOPS:
        if workshop.number == number:
            return workshop
    raise UserError(f"there is no workshop {number}", hint=f"they are 1 to {len(WORKSHOPS)}: zerojhub workshop list")
