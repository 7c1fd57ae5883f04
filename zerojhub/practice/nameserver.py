"""The practice cloud's name server: answers for the zones of its Designate and for its own name, and for nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Mapping

import dns.exception
import dns.flags
import dns.inet
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.rrset

from zerojhub.practice.cloud.designate.records import Published, host_name

PORT = 53
MINUTE = 60
MOST_ALIASES = 8
"""CNAMEs that are followed in an answer."""


def answer(zones: Mapping[str, Published], wire: bytes, *, most: int = 65535) -> bytes | None:
    """The answer to a query, with no more bytes than `most`; None for what is none. `zones`: by their names in small letters."""
    try:
        query = dns.message.from_wire(wire)
    except (dns.exception.DNSException, ValueError):
        return None
    if query.flags & dns.flags.QR:
        return None
    response = dns.message.make_response(query)
    if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
        response.set_rcode(dns.rcode.NOTIMP)
    else:
        _fill(response, zones, query.question[0].name, query.question[0].rdtype)
    try:
        return response.to_wire(max_size=most)
    except dns.exception.TooBig:
        response.answer, response.authority = [], []
        response.flags |= dns.flags.TC
        return response.to_wire()


def _fill(
    response: dns.message.Message, zones: Mapping[str, Published], name: dns.name.Name, kind: dns.rdatatype.RdataType
) -> None:
    zone = _zone_of(zones, name)
    if zone is None:
        address = name.labels[0].decode(errors="replace").replace("-", ".")
        if kind == dns.rdatatype.A and name.to_text().lower() == host_name(address) and _is_ipv4(address):
            response.answer.append(dns.rrset.from_text(name, MINUTE, "IN", "A", address))
        else:
            response.set_rcode(dns.rcode.REFUSED)
        return
    response.flags |= dns.flags.AA
    for _ in range(MOST_ALIASES):
        there = _at(zone, name)
        wanted = [each for each in there if kind in (dns.rdatatype.ANY, dns.rdatatype.from_text(each))]
        alias = [] if wanted or "CNAME" not in there else ["CNAME"]
        response.answer += [
            dns.rrset.from_text_list(name, there[each][0], "IN", each, there[each][1]) for each in wanted + alias
        ]
        if not alias:
            break
        name = dns.name.from_text(there["CNAME"][1][0])
        if _zone_of(zones, name) is not zone:
            return
    if not wanted:
        if not there and not _is_above(zone, name):
            response.set_rcode(dns.rcode.NXDOMAIN)
        authority = zone.names[zone.name.lower()]["SOA"][1]
        response.authority.append(
            dns.rrset.from_text_list(dns.name.from_text(zone.name), zone.minimum, "IN", "SOA", authority)
        )


def _is_ipv4(text: str) -> bool:
    return dns.inet.is_address(text) and ":" not in text


def _zone_of(zones: Mapping[str, Published], name: dns.name.Name) -> Published | None:
    """The nearest zone above the name."""
    while name != dns.name.root:
        if found := zones.get(name.to_text().lower()):
            return found
        name = name.parent()
    return None


def _at(zone: Published, name: dns.name.Name) -> dict[str, tuple[int, tuple[str, ...]]]:
    """What the zone has at the name, by type; or else for every name beside it, such as `*.example.org.`."""
    text = name.to_text().lower()
    wildcard = f"*.{name.parent().to_text().lower()}" if name != dns.name.root else text
    return zone.names.get(text) or ({} if _is_above(zone, name) else zone.names.get(wildcard, {}))


def _is_above(zone: Published, name: dns.name.Name) -> bool:
    """Is there something at a name below it?"""
    return any(each.endswith(f".{name.to_text().lower()}") for each in zone.names)


@contextlib.asynccontextmanager
async def served(zones: Mapping[str, Published], address: str, port: int = PORT) -> AsyncIterator[int]:
    """Answer queries at the address until the block ends. OSError if the port is taken. Yields the port."""
    loop = asyncio.get_running_loop()

    class Datagrams(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, sender: tuple[str, int]) -> None:
            if found := answer(zones, data, most=512):
                self.transport.sendto(found, sender)  # type: ignore[attr-defined]  # a datagram transport

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                if found := answer(zones, await reader.readexactly(length)):
                    writer.write(struct.pack("!H", len(found)) + found)
                    await writer.drain()
        writer.close()

    server = await asyncio.start_server(connected, address, port)
    port = server.sockets[0].getsockname()[1]
    try:
        transport, _ = await loop.create_datagram_endpoint(Datagrams, local_addr=(address, port))
        try:
            yield port
        finally:
            transport.close()
    finally:
        server.close()
