"""What the usual reasons of a failure mean in OpenStack's own words, and what to do about them."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Meaning:
    """`why`: what is behind it; `do`: a command or setting that helps."""

    why: str
    do: str


_MEANINGS = (
    (
        r"no more ip|ExternalIpAddressExhausted|IpAddressGenerationFailure",
        Meaning(
            "the pool of addresses is exhausted",
            "release one that nobody uses: openstack floating ip list --status DOWN",
        ),
    ),
    (
        r"no valid host",
        Meaning("no compute host has room for the flavor", "choose a smaller flavor: openstack flavor list"),
    ),
    (
        r"quota|LimitExceeded|TooManyInstances",
        Meaning(
            "the project's quota is used up",
            "delete what nobody uses, or ask for more: openstack quota show --usage",
        ),
    ),
    (
        r"more than one|multiple (possible )?(networks|matches)|no unique",
        Meaning("several have that name", "name it by its ID in the cluster template: openstack network list"),
    ),
    (
        r"image .*(not found|could not be found)|ImageNotFound",
        Meaning("the template's image was deleted", "choose another template: zerojhub template list"),
    ),
    (
        r"does not boot",
        Meaning(
            "the image is damaged, or not made for this flavor or driver",
            "choose another template: zerojhub template list",
        ),
    ),
    (
        r"WaitConditionTimeout|timed out|timeout",
        Meaning(
            "a server did not report back in time",
            "can the servers reach the internet and Magnum? look at the first master: openstack console log show",
        ),
    ),
)

_CONSOLE = re.compile(
    r"No bootable device|Boot failed: not a bootable disk|Kernel panic - not syncing[^\n]*|grub rescue>|error: no such (?:device|partition)[^\n]*"
    r"|Ignition failed[^\n]*|Entering emergency mode|You are in emergency mode|dracut-initqueue[^\n]*timeout",
    re.IGNORECASE,
)
"""What firmware, boot loaders, kernels and first-boot programs print when they go no further."""


def meaning(reason: str) -> Meaning | None:
    """What the first known reason in the text means; None when there is none."""
    return next((known for pattern, known in _MEANINGS if re.search(pattern, reason, re.IGNORECASE)), None)


def boot_failure(console: str) -> str | None:
    """The line with which the server's boot ended; None when the console log shows no failure."""
    found = _CONSOLE.findall(console)
    return found[-1].strip() if found else None
