"""What a stage is: it names what it needs, looks at the world, does what is missing, and can undo its own work."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, TypeVar

from zerojhub.deployment import Deployment
from zerojhub.errors import ZeroJHubError
from zerojhub.openstack.leftovers import KeptVolume
from zerojhub.openstack.remains import Traces
from zerojhub.run import Provides, Run

T = TypeVar("T")


@dataclass(frozen=True)
class Found(Generic[T]):
    """It is there, as the deployment asks for it. Later stages get `value` from `run[TheStage]`."""

    detail: str
    value: T


@dataclass(frozen=True)
class Missing(Generic[T]):
    """It is not there yet; `detail` is the reason that `plan` prints.

    With a `value` there is something that commands which only look can use, such as a cluster that is being resized.
    """

    detail: str
    value: T | None = None
    hint: str | None = None
    """What to do about it in a command that only looks, where that is not `zerojhub up`."""


@dataclass(frozen=True)
class Wrong(Generic[T]):
    """Something is there that differs from the deployment; `do` repairs it or says how to. The rest is as for Missing."""

    detail: str
    value: T | None = None
    hint: str | None = None


@dataclass
class Teardown:
    """What `down` was asked to do about users' data, and what it left."""

    doomed: Collection[str] = ()
    """The IDs of the volumes to delete. All others are kept."""
    kept: list[KeptVolume] = field(default_factory=list)
    traces: Traces = field(default_factory=Traces)
    """How to recognize what was created for the deployment, for a look at whether all of it is gone."""

    def describe(self, text: str) -> None:
        """Note what a stage has written on what it created."""
        self.traces = replace(self.traces, descriptions=(*self.traces.descriptions, text))


class Stage(Provides[T]):
    """One step between an empty project and a hub, which provides a T to later stages.

    The class docstring is documentation: `plan` prints its first line, the reference has the rest.
    """

    name: ClassVar[str]
    needs: ClassVar[tuple[type[Stage[Any]], ...]] = ()
    after: ClassVar[tuple[type[Stage[Any]], ...]] = ()
    """Stages that it can do without, but waits for, to use with `run.get` what they found."""
    undo_needs: ClassVar[tuple[type[Stage[Any]], ...] | None] = None
    """What `undo` needs, if that is less than all of `needs`."""

    @classmethod
    def description(cls) -> str:
        """What it is for, in one line."""
        return (cls.__doc__ or "").partition("\n")[0]

    @classmethod
    def applies(cls, deployment: Deployment) -> bool:
        """Whether this deployment has the stage at all. No other stage may need one that can be left out."""
        return True

    async def check(self, run: Run) -> list[ZeroJHubError]:
        """What would stop this stage later, found by looking only. All stages are asked before anything is created."""
        return []

    async def look(self, run: Run) -> Found[T] | Missing[T] | Wrong[T]:
        """What is there now. Reads only. May use `run[Need]` for each of its needs."""
        raise NotImplementedError

    async def do(self, run: Run, state: Missing[T] | Wrong[T]) -> None:
        """Create or repair it. The engine looks again afterwards, and must then find it."""
        raise NotImplementedError

    async def undo(self, run: Run, teardown: Teardown) -> None:
        """Delete what this stage created, never what others created. `down` calls it in reverse order."""
