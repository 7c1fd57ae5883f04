"""What a workshop is: it says what it begins with, and tells by looking whether each exercise is done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from zerojhub.workshops.world import World


class NotYet(Exception):
    """Why an exercise is not done: a sentence without its full stop."""


@dataclass(frozen=True)
class Exercise:
    """Something to do on one's own. `look` returns when it is done and raises NotYet when it is not."""

    text: str
    look: Callable[[World], Awaitable[None]]


def exercise(look: Callable[[World], Awaitable[None]]) -> Exercise:
    """The function as an exercise; the first line of its docstring is what is to be done."""
    return Exercise((look.__doc__ or "").partition("\n")[0].removesuffix("."), look)


class Workshop:
    """One workshop. Its class docstring's first line is its title; its page and files have its `slug` as their name."""

    number: ClassVar[int]
    slug: ClassVar[str]
    minutes: ClassVar[int]
    """How long a group needs for it."""
    hub: ClassVar[bool] = True
    """Does it begin with the hub of its hub.yaml? Otherwise with an empty project."""
    older: ClassVar[bool] = False
    """Does it need the older Kubernetes of `practice build --all`?"""
    exercises: ClassVar[tuple[Exercise, ...]]

    @classmethod
    def title(cls) -> str:
        return (cls.__doc__ or "").partition("\n")[0].removesuffix(".")

    async def begin(self, world: World) -> None:
        """What it begins with beside the hub. Run again, it makes what is missing and leaves the rest."""
