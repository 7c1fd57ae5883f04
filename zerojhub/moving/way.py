"""What a module has to have that moves a hub in one of the two ways: with its volumes, or with copies of its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from zerojhub.moving.plan import Plan
    from zerojhub.moving.sides import Side
    from zerojhub.moving.switch import Finished, Moved


class Way(Protocol):
    """Either of the modules `move` and `copying`. `names` are what the user calls the old and the new deployment."""

    async def make(self, old: Side, new: Side) -> Plan: ...

    async def there(self, old: Side, new: Side, plan: Plan) -> Moved: ...

    async def back(self, old: Side, new: Side, plan: Plan) -> Moved: ...

    async def finish(self, old: Side, new: Side, plan: Plan) -> Finished: ...

    def ask_there(self, names: tuple[str, str], plan: Plan) -> str:
        """The question before `there`."""

    async def ask_back(self, names: tuple[str, str], old: Side, new: Side) -> str:
        """The question before `back`."""

    def ask_finish(self, names: tuple[str, str], plan: Plan) -> str:
        """The question before `finish`."""
