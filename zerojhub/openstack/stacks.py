"""Heat's stacks as people use them: made from a template of their own, waited for, shown, deleted."""

from __future__ import annotations

from typing import Any

import anyio

from zerojhub.errors import CloudError, UserError, ZeroJHubError
from zerojhub.openstack.clusters import POLL
from zerojhub.openstack.session import Cloud
from zerojhub.text import Say, nearest


async def get_one(cloud: Cloud, wanted: str) -> dict:
    """The stack of this name or ID. UserError naming the nearest."""
    listed = await cloud.orchestration.all("/stacks", "stacks")
    found = [stack for stack in listed if wanted in (stack["id"], stack["stack_name"])]
    if not found:
        known = [stack["stack_name"] for stack in listed]
        meant = nearest(wanted, known)
        hint = f"did you mean {meant!r}?" if meant else f"there are: {', '.join(known) or 'none'}"
        raise UserError(f"no stack named {wanted!r}", hint=hint)
    return await show(cloud, found[0])


async def show(cloud: Cloud, stack: dict) -> dict:
    return (await cloud.orchestration.get(path(stack)))["stack"]


def path(stack: dict) -> str:
    return f"/stacks/{stack['stack_name']}/{stack['id']}"


async def create(
    cloud: Cloud, name: str, template: dict, parameters: dict[str, Any], minutes: int, say: Say, *, wait: bool
) -> dict:
    """Make a stack. UserError with what Heat says of the template or its parameters; ZeroJHubError when it fails later."""
    body = {"stack_name": name, "template": template, "parameters": parameters, "timeout_mins": minutes}
    try:
        made = (await cloud.orchestration.post("/stacks", body))["stack"]
    except CloudError as error:
        if error.status in (400, 409):
            raise UserError(error.message, where=error.where) from None
        raise
    stack = {"stack_name": name, "id": made["id"]}
    return await settled(cloud, stack, say) if wait else await show(cloud, stack)


async def settled(cloud: Cloud, stack: dict, say: Say) -> dict:
    """Wait until the stack is complete. ZeroJHubError with the resource that failed."""
    pause = POLL[0]
    while True:
        there = await show(cloud, stack)
        if there["stack_status"].endswith("FAILED"):
            raise ZeroJHubError(
                f"stack {there['stack_name']} is {there['stack_status']}: {there['stack_status_reason']}"
            )
        if not there["stack_status"].endswith("IN_PROGRESS"):
            return there
        say(f"stack {there['stack_name']}: {there['stack_status']}")
        await anyio.sleep(pause)
        pause = min(pause * 1.3, POLL[1])


async def delete(cloud: Cloud, stack: dict, say: Say) -> None:
    """Delete the stack with its resources, and wait until it is gone and its name is free."""
    await cloud.orchestration.delete(path(stack))
    pause = POLL[0]
    while there := await cloud.orchestration.find(path(stack)):
        status = there["stack"]["stack_status"]
        # Heat says so before it lets go of the name.
        if status == "DELETE_COMPLETE" and there["stack"]["deletion_time"]:
            return
        if status == "DELETE_FAILED":
            raise ZeroJHubError(
                f"stack {stack['stack_name']} could not be deleted: {there['stack']['stack_status_reason']}"
            )
        say(f"stack {stack['stack_name']}: {status}")
        await anyio.sleep(pause)
        pause = min(pause * 1.3, POLL[1])
