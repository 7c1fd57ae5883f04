"""Nova's microversions."""

from __future__ import annotations

import re

from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import dotted
from zerojhub.practice.cloud.wire import Call


def negotiate(call: Call) -> dict[str, str]:
    """Put the requested microversion into `call.state.version`; returns its headers. Raises Refusal (400, 406)."""
    words = call.headers.get("openstack-api-version", "").split()
    oldest, newest = call.store.profile.microversions("compute")
    wanted = words[1] if len(words) == 2 and words[0] == "compute" else call.headers.get("x-openstack-nova-api-version")
    if wanted == "latest":
        version = newest
    elif wanted:
        if not re.fullmatch(r"\d+\.\d+", wanted):
            raise Refusal(
                400, f"API Version String {wanted} is of invalid format. Must be of format MajorNum.MinorNum."
            )
        major, minor = wanted.split(".")
        version = int(major), int(minor)
    else:
        version = oldest
    if not oldest <= version <= newest:
        bounds = f"Minimum is {dotted(oldest)} and maximum is {dotted(newest)}."
        raise Refusal(406, f"Version {wanted} is not supported by the API. {bounds}")
    call.state.version = version
    spoken = dotted(version)
    return {
        "OpenStack-API-Version": f"compute {spoken}",
        "X-OpenStack-Nova-API-Version": spoken,
        "Vary": "OpenStack-API-Version, X-OpenStack-Nova-API-Version",
    }
