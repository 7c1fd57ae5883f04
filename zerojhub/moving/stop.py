"""Bringing a hub to a standstill: users' servers first, then the hub, until no pod uses any of the volumes."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from zerojhub.data.pods import NAME as OUR_POD
from zerojhub.errors import ZeroJHubError
from zerojhub.hub import standstill
from zerojhub.hub.client import HubClient, HubError
from zerojhub.hub.users import Users
from zerojhub.kube.kinds import POD
from zerojhub.kube.labels import ENDED
from zerojhub.kube.pods import claims_of, user_of
from zerojhub.text import plural
from zerojhub.waiting import NotYet, TimedOut, wait_until

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube
    from zerojhub.kube.types import Pod
    from zerojhub.text import Say

STOP_TIMEOUT = 180
"""Seconds for pods to stop."""


async def stop(kube: Kube, namespace: str, release: str, *, url: str | None, token: str, say: Say) -> None:
    """Stop all users' servers and the hub, and wait until no pod uses a volume. Repeatable.

    `url`: the hub's, if it answers; its users' servers are then stopped by the hub, and otherwise with their pods.
    ZeroJHubError if a pod does not stop in time.
    """
    if url:
        await _stop_servers(url, token, say)
    await standstill.stop_hub(kube, namespace, release)
    await wait_until_stopped(kube, namespace, say)


async def wait_until_stopped(kube: Kube, namespace: str, say: Say) -> None:
    """Delete the pods of users' servers, and wait until no pod uses a volume. ZeroJHubError if one does not stop in time."""

    async def look() -> bool | NotYet:
        using = await users_of_volumes(kube, namespace)
        for pod in using:
            if not _is_hub(pod) and "deletionTimestamp" not in pod["metadata"]:
                await kube.delete(POD, pod["metadata"]["name"], namespace)
        names = ", ".join(pod["metadata"]["name"] for pod in using)
        return NotYet(f"waiting for {plural(len(using), 'pod')} to stop: {names}") if using else True

    try:
        await wait_until(look, timeout=STOP_TIMEOUT, pause=(0.3, 2), say=say)
    except TimedOut as late:
        hint = f"see: kubectl -n {namespace} get pods; then run the same command again"
        raise ZeroJHubError(str(late), hint=hint) from None


async def refuse_others(kube: Kube, namespace: str) -> None:
    """ZeroJHubError if a pod that is neither the hub nor a user's server uses a volume of the namespace."""
    if others := others_of(await users_of_volumes(kube, namespace)):
        raise ZeroJHubError(
            f"pod {others[0]} uses a volume, and is neither the hub nor a user's server",
            hint=f"delete it with: kubectl -n {namespace} delete pod {others[0]}",
        )


def others_of(pods: Sequence[Pod]) -> list[str]:
    """The names of those that are none of a hub's, nor ours."""
    return [
        pod["metadata"]["name"]
        for pod in pods
        if user_of(pod) is None and not _is_hub(pod) and OUR_POD not in pod["metadata"].get("labels", {})
    ]


async def users_of_volumes(kube: Kube, namespace: str) -> list[Pod]:
    """The pods of the namespace that have not ended, and use a claim."""
    listed = await kube.list(POD, namespace)
    return [pod for pod in listed if claims_of(pod) and pod["status"]["phase"] not in ENDED]


def _is_hub(pod: Pod) -> bool:
    return pod["metadata"].get("labels", {}).get("component") == "hub"


async def _stop_servers(url: str, token: str, say: Say) -> None:
    """Have the hub stop the servers, so that it knows. What it does not stop is stopped with its pods."""
    with contextlib.suppress(HubError):
        async with HubClient(url, token) as client:
            known = await Users.of(client, say)
            await known.stop(known.with_servers())
