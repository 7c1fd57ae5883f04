"""Heat (orchestration API v1): stacks and their resources.

Types have the keys that the product reads, as the Orchestration API reference names them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NotRequired

from typing_extensions import TypedDict

from zerojhub import retry, waiting
from zerojhub.answers import Time
from zerojhub.errors import CloudError, UserError, ZeroJHubError
from zerojhub.openstack.names import unknown
from zerojhub.openstack.session import Cloud, Link
from zerojhub.text import Say
from zerojhub.waiting import NotYet, wait_until

PAUSE = (1.0, 3.0)
"""Seconds between two looks at a stack: at first, and at most."""

START_GRACE = 30
"""Seconds that Heat may take to begin an update."""

Template = dict[str, object]
"""A Heat template (HOT)."""


@dataclass(frozen=True)
class TemplateSource:
    """A template as it was written: Heat reads YAML in its own way."""

    text: str
    files: dict[str, str] = field(default_factory=dict)
    """What `get_file` and the types of nested templates name -> the text of that file."""


Parameters = dict[str, str | list[str]]
"""Values of a template's parameters. Heat reads numbers, lists and JSON from text."""


class Output(TypedDict):
    """An output of a stack."""

    output_key: str
    output_value: object


class StackName(TypedDict):
    """What a stack is addressed by."""

    id: str
    stack_name: str


class CreatedStack(TypedDict):
    """What Heat says of a stack that was just requested."""

    id: str


class Stack(StackName):
    """A stack. Lists leave out what is NotRequired here. `deletion_time` is set once the name is free again."""

    stack_status: str
    stack_status_reason: str | None
    creation_time: Time
    updated_time: NotRequired[Time | None]
    deletion_time: NotRequired[str | None]
    outputs: NotRequired[list[Output]]


class StackResource(TypedDict):
    """A resource of a stack. `updated_time` in ISO 8601, in UTC when it names no zone.

    One of its links is `nested` when the resource is a stack itself.
    """

    resource_name: str
    resource_type: str
    resource_status: str
    resource_status_reason: str | None
    physical_resource_id: str
    updated_time: Time
    links: NotRequired[list[Link]]


class Event(TypedDict):
    """What happened to a stack or to one of its resources, and when: in ISO 8601, in UTC when it names no zone."""

    physical_resource_id: str | None
    resource_status: str
    event_time: Time


async def stacks(cloud: Cloud) -> list[Stack]:
    return await cloud.orchestration.all("/stacks", "stacks", Stack)


async def get_stack(cloud: Cloud, wanted: str) -> Stack:
    """The stack of this name or ID. UserError that suggests the nearest when there is none."""
    listed = await stacks(cloud)
    for stack in listed:
        if wanted in (stack["id"], stack["stack_name"]):
            return await show_stack(cloud, stack)
    raise unknown("stack", wanted, (stack["stack_name"] for stack in listed))


async def show_stack(cloud: Cloud, stack: StackName) -> Stack:
    return await cloud.orchestration.get(_path(stack), Stack, within="stack")


async def stack_of_id(cloud: Cloud, stack_id: str) -> Stack:
    """The stack of this ID. CloudError when there is none."""
    return await cloud.orchestration.get(f"/stacks/{stack_id}", Stack, within="stack")


async def resources(
    cloud: Cloud, stack: StackName, *, depth: int = 0, resource_type: str | None = None
) -> list[StackResource]:
    """The stack's resources, with those of stacks inside it down to `depth`; of every type, unless one is given."""
    query = {"type": resource_type} if resource_type else {}
    path = f"{_path(stack)}/resources"
    return await cloud.orchestration.get(path, list[StackResource], within="resources", nested_depth=depth, **query)


async def events(cloud: Cloud, stack: StackName) -> list[Event]:
    """What happened to the stack and its own resources, as far as Heat remembers it."""
    return await cloud.orchestration.get(f"{_path(stack)}/events", list[Event], within="events")


async def create_stack(
    cloud: Cloud,
    name: str,
    template: TemplateSource,
    parameters: Parameters,
    environment: Mapping[str, object],
    minutes: int,
) -> StackName:
    """Request a stack, with Heat's own timeout in minutes. Parameters override those in the environment.

    UserError for what Heat refuses in template or parameters.
    """
    body = {"stack_name": name, "template": template.text, "files": template.files, "timeout_mins": minutes}
    body |= {"parameters": parameters, "environment": environment}
    others = {stack["id"] for stack in await stacks(cloud)}

    async def create() -> str:
        return (await cloud.orchestration.post("/stacks", body, CreatedStack, within="stack"))["id"]

    async def look() -> str | None:
        named = [stack["id"] for stack in await stacks(cloud) if stack["stack_name"] == name]
        return next((stack_id for stack_id in named if stack_id not in others), None)

    with _users_mistakes(f"see it: zerojhub heat show {name}"):
        return {"stack_name": name, "id": await retry.settle(create, look)}


async def update_stack(
    cloud: Cloud,
    stack: StackName,
    template: TemplateSource | None,
    parameters: Parameters,
    environment: Mapping[str, object],
    minutes: int | None,
    *,
    rollback: bool,
) -> None:
    """Request a change of the stack; what is not given stays, also parameters. `rollback`: take it back if it fails.

    UserError for what Heat refuses in template or parameters.
    """
    body: dict[str, object] = {"parameters": parameters, "environment": environment, "disable_rollback": not rollback}
    if template:
        body |= {"template": template.text, "files": template.files}
    if minutes:
        body["timeout_mins"] = minutes
    with _users_mistakes():
        # Another update to the same state takes the place of the first.
        await cloud.orchestration.patch(_path(stack), body, repeatable=True)


@contextmanager
def _users_mistakes(if_there: str | None = None) -> Iterator[None]:
    """Within: what Heat refuses of a request is a UserError; `if_there` is its hint if the name is taken."""
    try:
        yield
    except CloudError as error:
        if error.status in (400, 409):
            hint = if_there if error.status == 409 else None
            raise UserError(error.message, where=error.where, hint=hint) from None
        raise


async def wait_until_complete(cloud: Cloud, stack: StackName, say: Say, *, before: Stack | None = None) -> Stack:
    """The stack, once Heat has finished with it. ZeroJHubError with Heat's reason when it failed, or was rolled back.

    `before`: the stack as it was when a change was requested, which Heat may show for a moment after that.
    """
    started = waiting.clock()

    async def look() -> Stack | NotYet:
        current = await show_stack(cloud, stack)
        name, status = current["stack_name"], current["stack_status"]
        if before and not _differs(current, before) and waiting.clock() - started < START_GRACE:
            return NotYet()
        if status.endswith("FAILED") or status == "ROLLBACK_COMPLETE":
            raise ZeroJHubError(f"stack {name} is {status}: {current['stack_status_reason']}")
        return NotYet(f"stack {name}: {status}") if status.endswith("IN_PROGRESS") else current

    return await wait_until(look, pause=PAUSE, say=say)


def _differs(stack: Stack, before: Stack) -> bool:
    return any(stack.get(key) != before.get(key) for key in ("stack_status", "updated_time"))


async def delete_stack(cloud: Cloud, stack: StackName, say: Say) -> None:
    """Delete the stack with its resources, and wait until its name is free. ZeroJHubError when the deletion failed."""
    await cloud.orchestration.delete(_path(stack))

    async def look() -> NotYet | None:
        current = await cloud.orchestration.find(_path(stack), Stack, within="stack")
        if current is None:
            return None
        name, status = current["stack_name"], current["stack_status"]
        # Heat reports DELETE_COMPLETE before it releases the name.
        if status == "DELETE_COMPLETE" and current.get("deletion_time"):
            return None
        if status == "DELETE_FAILED":
            raise ZeroJHubError(f"stack {name} could not be deleted: {current['stack_status_reason']}")
        return NotYet(f"stack {name}: {status}")

    await wait_until(look, pause=PAUSE, say=say)


def _path(stack: StackName) -> str:
    return f"/stacks/{stack['stack_name']}/{stack['id']}"
