"""What a workshop is: the state it starts from, and a check for each of its exercises."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from zerojhub.errors import ZeroJHubError

if TYPE_CHECKING:
    from zerojhub.workshops.world import World


class NotDone(Exception):
    """Why an exercise is not done: one sentence without its full stop."""


@dataclass(frozen=True)
class Exercise:
    """Something to do on your own. `look` returns when it is done and raises NotDone when it is not."""

    text: str
    look: Callable[[World], Awaitable[None]]


@dataclass(frozen=True)
class Outcome:
    """Whether an exercise is done. `detail`: why not."""

    exercise: int
    """Its number in the workshop, from 1."""
    done: bool
    what: str
    """The task."""
    detail: str = ""


def exercise(look: Callable[[World], Awaitable[None]]) -> Exercise:
    """Turn the function into an exercise. The first line of its docstring is the task."""
    return Exercise((look.__doc__ or "").partition("\n")[0].removesuffix("."), look)


class Workshop:
    """One workshop. The first line of the class docstring is its title; its page and files are named after its `slug`."""

    number: ClassVar[int]
    slug: ClassVar[str]
    minutes: ClassVar[int]
    """How long a group needs for it."""
    hub: ClassVar[bool] = True
    """Whether it starts with the hub in its hub.yaml, rather than with an empty project."""
    older: ClassVar[bool] = False
    """Whether it needs the older Kubernetes that `practice build --all` adds."""
    https: ClassVar[bool] = False
    """Whether it needs the ACME server that `practice build --with https` adds."""
    exercises: ClassVar[tuple[Exercise, ...]]

    @classmethod
    def title(cls) -> str:
        return (cls.__doc__ or "").partition("\n")[0].removesuffix(".")

    async def check(self, world: World) -> list[Outcome]:
        """Check all exercises, in their order."""
        return [await _outcome(number, exercise, world) for number, exercise in enumerate(self.exercises, 1)]

    async def begin(self, world: World) -> None:
        """Create what it starts with besides the hub. Repeatable: creates only what is missing."""


async def _outcome(number: int, exercise: Exercise, world: World) -> Outcome:
    try:
        await exercise.look(world)
    except (NotDone, ZeroJHubError) as why:
        return Outcome(number, False, exercise.text, str(why))
    return Outcome(number, True, exercise.text)
