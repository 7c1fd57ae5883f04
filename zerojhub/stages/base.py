"""What a stage is: it says what it needs, looks at the world, does what is missing, and can take its work away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from zerojhub.deployment import Deployment
    from zerojhub.errors import ZeroJHubError
    from zerojhub.journey import Hub


@dataclass(frozen=True)
class Found:
    """What the stage is for is there. `value` is what later stages get from `hub[TheStage]`."""

    detail: str
    value: Any = None


@dataclass(frozen=True)
class Missing:
    """It is not there yet; `why` completes the sentence "would be done because …"."""

    why: str


@dataclass(frozen=True)
class Wrong:
    """Something is there that does not fit; `how` says in what way. `do` mends it or says what to do."""

    how: str


class Url(str):
    """Where people find the hub: the value of the stage that finds it out."""


State = Found | Missing | Wrong


class Stage:
    """One step between an empty project and a hub.

    The class docstring's first line is what `plan` prints; what it looks for, makes and takes away is below it.
    """

    name: ClassVar[str]
    needs: ClassVar[tuple[type[Stage], ...]] = ()

    @classmethod
    def description(cls) -> str:
        """What it is for, in one line."""
        return (cls.__doc__ or "").partition("\n")[0]

    @classmethod
    def applies(cls, deployment: Deployment) -> bool:
        """Is it any concern of this deployment? One that is not is neither looked at nor shown; no other may need it."""
        return True

    async def check(self, hub: Hub) -> list[ZeroJHubError]:
        """What would stop this stage, found by looking only, before anything is made (asked by preflight)."""
        return []

    async def look(self, hub: Hub) -> State:
        """How it stands in the world now. Reads only. May rely on `hub[Need]` for each of its needs."""
        raise NotImplementedError

    async def do(self, hub: Hub, state: Missing | Wrong) -> None:
        """Make it so. The journey looks again afterwards, and must then find it."""
        raise NotImplementedError

    async def undo(self, hub: Hub) -> None:
        """Take away what this stage made (never what others made). Called in reverse order by `down`."""
