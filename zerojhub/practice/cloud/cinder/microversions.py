"""Cinder's microversions."""

from __future__ import annotations

import re

from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import dotted
from zerojhub.practice.cloud.wire import Call


def negotiate(call: Call) -> dict[str, str]:
    """Put the requested microversion into `call.state.version`; returns its headers. Raises Refusal (406)."""
    words = call.headers.get("openstack-api-version", "").split()
    oldest, newest = call.store.profile.microversions("volumev3")
    wanted = words[1] if len(words) == 2 and words[0] in ("volume", "block-storage") else dotted(oldest)
    if wanted == "latest":
        wanted = dotted(newest)
    version = tuple(int(number) for number in wanted.split(".")) if re.fullmatch(r"\d+\.\d+", wanted) else (0, 0)
    if not oldest <= version <= newest:
        bounds = f"Minimum is {dotted(oldest)} and maximum is {dotted(newest)}."
        raise Refusal(406, f"Version {wanted} is not supported by the API. {bounds}")
    call.state.version = version
    return {"OpenStack-API-Version": f"volume {wanted}", "Vary": "OpenStack-API-Version"}
