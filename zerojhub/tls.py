"""The certificate authorities that servers on the internet are verified with."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl


@functools.cache
def trusted() -> ssl.SSLContext:
    """For all of httpx's clients: loading the authorities takes 40 ms, which every new client would spend."""
    import httpx

    return httpx.create_ssl_context()
