"""Looking names up in the DNS: at the name servers of a zone, and as this machine does."""

from __future__ import annotations

import socket
from contextlib import suppress

import anyio.to_thread

ANSWER_TIMEOUT = 2.0
"""Seconds for a name server to answer."""
PORT = 53


async def here(name: str) -> set[str]:
    """The addresses of the name as programs on this machine find them; none if it is unknown."""

    def look() -> set[str]:
        with suppress(socket.gaierror, UnicodeError):
            return {str(each[4][0]) for each in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}
        return set()

    return await anyio.to_thread.run_sync(look, abandon_on_cancel=True)


async def at_server(server: str, name: str, kind: str) -> set[str] | None:
    """The records of that type that the server has at the name; None if it does not answer."""
    return await anyio.to_thread.run_sync(lambda: _ask(server, name, kind), abandon_on_cancel=True)


def _ask(server: str, name: str, kind: str) -> set[str] | None:
    import dns.exception
    import dns.flags
    import dns.message
    import dns.query

    query = dns.message.make_query(name, kind)
    query.flags &= ~dns.flags.RD  # the server's own records, and nothing that it would have to look up
    with suppress(OSError, EOFError, dns.exception.DNSException):
        for *_, address in socket.getaddrinfo(server, PORT, type=socket.SOCK_DGRAM):
            with suppress(OSError, EOFError, dns.exception.DNSException):
                answer, _ = dns.query.udp_with_fallback(query, str(address[0]), ANSWER_TIMEOUT, port=PORT)
                return {each.to_text() for rrset in answer.answer for each in rrset}
    return None


async def name_servers(name: str) -> list[str]:
    """The name servers of the zone that the name is in; none if they cannot be found.

    Asks for the zones above the name, and not for the name itself: a resolver that is asked too early remembers for up to an
    hour that there was nothing.
    """
    return await anyio.to_thread.run_sync(lambda: _servers_above(name), abandon_on_cancel=True)


def _servers_above(name: str) -> list[str]:
    import dns.exception
    import dns.name
    import dns.resolver

    with suppress(dns.exception.DNSException, OSError):
        resolver, above = dns.resolver.Resolver(), dns.name.from_text(name)
        resolver.lifetime = ANSWER_TIMEOUT * 2
        while len(above) > 2:
            above = above.parent()
            with suppress(dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
                return sorted(str(each.target).rstrip(".") for each in resolver.resolve(above, "NS"))
    return []
