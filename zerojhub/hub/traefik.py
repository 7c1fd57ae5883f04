"""Why Traefik did not get a certificate: what it logs, in the formats of its versions, and what to do about it.

Traefik 2 writes logfmt, Traefik 3 lines for a console, with colors; both can write JSON. Within is the error of its ACME
client, lego, and within that the authority's own (RFC 8555, 6.7): `urn:ietf:params:acme:error:KIND :: DETAIL`.
"""

from __future__ import annotations

import ast
import ipaddress
import json
import re
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from zerojhub.deployment import LETS_ENCRYPT
from zerojhub.errors import ZeroJHubError
from zerojhub.text import one_line

FAILED = re.compile(
    r"Unable to obtain ACME certificate for domains?|Error renewing (?:ACME certificate|certificate from LE)"
)
HEAD = re.compile(rf"(?:{FAILED.pattern})[\w\s\".,*-]*: ")
"""What Traefik 2 puts before an error that is not a field of its own, the host names included."""
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
FIELD = re.compile(r'\b(\w+)=("(?:[^"\\]|\\.)*"|\S*)')
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:Z| UTC|[+-]\d\d:?\d\d)")
PROBLEM = re.compile(r"urn:ietf:params:acme:error:(\w+) :: (.*?)(?=, problem: |, url: |\n|$)", re.DOTALL)
ADDRESS = re.compile(r"(?:During secondary validation: )?([0-9A-Fa-f.:]+): ")
UNREACHABLE = re.compile(
    r"no such host|connection refused|i/o timeout|no route to host|deadline exceeded|unreachable|EOF"
)

UNTRUSTED, CLOCK, NO_ANSWER, PROVIDER, OTHER = "untrusted", "clock", "noAnswer", "dnsProvider", "other"
"""Kinds of failures that are not the authority's; its own kinds are those of RFC 8555."""
FINAL = {
    "rateLimited",
    "caa",
    "rejectedIdentifier",
    "unsupportedIdentifier",
    "invalidContact",
    "unsupportedContact",
    "externalAccountRequired",
    "userActionRequired",
    UNTRUSTED,
    CLOCK,
}
"""Kinds that asking again does not change."""


@dataclass(frozen=True)
class Failure:
    """A failed attempt to get a certificate. `kind` as in RFC 8555, or one of those above."""

    kind: str
    said: str
    """The authority's words, or else those of its client, in one line."""
    time: datetime | None = None

    @property
    def is_final(self) -> bool:
        return self.kind in FINAL

    @property
    def retry_after(self) -> datetime | None:
        """When the authority will listen again; None if it does not say."""
        found = re.search(rf"retry after ({TIME.pattern})", self.said)
        return _time(found[1]) if found else None

    @property
    def address(self) -> str | None:
        """Where the authority has looked for the hub; None if it does not say."""
        with suppress(ValueError):
            found = ADDRESS.match(self.said)
            return str(ipaddress.ip_address(found[1])) if found else None
        return None


def last_failure(log: str, host: str) -> Failure | None:
    """The last failure in the log to get the certificate of that host; None if there is none."""
    named = re.compile(rf"(?<![\w.-]){re.escape(host)}(?![\w-])")
    lines = (line for line in reversed(log.splitlines()) if FAILED.search(line) and named.search(line))
    return next((_failure(line, host) for line in lines), None)


def authority(server: str) -> str:
    """What the authority with that directory is called in a message."""
    host = urlsplit(server).hostname or server
    if server == LETS_ENCRYPT:
        return "Let's Encrypt"
    return "Let's Encrypt (staging)" if host == "acme-staging-v02.api.letsencrypt.org" else host


def explained(failure: Failure, host: str, server: str, addresses: Collection[str], record: str) -> ZeroJHubError:
    """The failure in a line, and what to do. `addresses`: the hub's own; `record`: the DNS record that it should have."""
    who, said = authority(server), failure.said
    message, hint = _message(failure, host, who, addresses, record)
    return ZeroJHubError(f"{message}: {said}" if message else f"no certificate from {who}: {said}", hint=hint)


def _message(failure: Failure, host: str, who: str, addresses: Collection[str], record: str) -> tuple[str, str | None]:
    """What it means, before the words of the authority, and what to do."""
    again, address, said = "zerojhub up", failure.address, failure.said
    match failure.kind:
        case "dns" if "NXDOMAIN" in said or "no such host" in said:
            hint = f"the record: {record}; resolvers remember for up to an hour that there was none; then: {again}"
            return f"{who} does not find {host} yet", hint
        case "dns" if "no valid A" in said:
            return (
                f"{host} has no address that {who} can reach",
                f"the record: {record}, which has to be a public address",
            )
        case "dns" if " CAA " in said:
            return (
                f"{who} cannot read the CAA records of {host}",
                f"its name servers do not answer as they should: {again}",
            )
        case "dns":
            return f"{who} cannot look {host} up", f"its name servers do not answer as they should; then: {again}"
        case "connection" | "unauthorized" | "tls" if address and address not in addresses:
            return _elsewhere(host, address, who, record)
        case "connection" if "during secondary validation" in said.lower():
            return f"port 80 of {host} is not open to all of {who}", "do not limit it to countries or networks"
        case "connection" if "could not resolve" in said.lower() or "while resolving" in said.lower():
            return f"{who} does not find {host} yet", f"the record: {record}; then: {again}"
        case "connection" if "timeout" in said.lower():
            return f"port 80 of {host} is blocked", OPEN
        case "connection" if "refused" in said.lower():
            return f"port 80 of {host} is closed", f"has the load balancer a listener for it? {OPEN}"
        case "connection":
            return f"{who} cannot connect to port 80 of {host}", OPEN
        case "unauthorized" if "TXT" in said:
            return f"{who} does not see the record that proves {host}", f"name servers may be late; then: {again}"
        case "unauthorized" | "incorrectResponse":
            return (
                f"something else than the hub answers {who} at http://{host}",
                f"a proxy in front of it? the record: {record}",
            )
        case "caa":
            return f"a CAA record keeps {who} from issuing a certificate for {host}", _caa(host, who)
        case "rateLimited":
            later = failure.retry_after
            until = f" until {later:%Y-%m-%d %H:%M} UTC" if later else ""
            hint = f"then: {again}" if later else f"some hours later: {again}"
            return (
                f"{who} issues no certificate for {host}{until}",
                f"{hint}; for tests: hub.https.server of its staging authority",
            )
        case "rejectedIdentifier" | "unsupportedIdentifier":
            return (
                f"{who} issues no certificates for {host}",
                "use a name in a public domain, or hub.https.server of your own authority",
            )
        case "invalidContact" | "unsupportedContact":
            return f"{who} does not accept hub.https.contact", "use an address that receives e-mail"
        case "externalAccountRequired":
            return (
                f"{who} wants an account that you register there",
                "set certificatesResolvers.default.acme.eab in proxy.traefik.extraStaticConfig",
            )
        case "accountDoesNotExist":
            return f"{who} does not know the hub's account any more", again
        case _ if failure.kind == UNTRUSTED:
            return f"the hub does not trust {who}", "set hub.https.ca_file to the certificate of its authority"
        case _ if failure.kind == CLOCK:
            return (
                f"a clock is wrong, or the certificate of {who} has expired",
                "does `date` on the cluster's nodes show the right time?",
            )
        case _ if failure.kind == NO_ANSWER:
            return f"the hub cannot reach {who}", "do the cluster's nodes have a way to it, and a name server?"
        case _ if failure.kind == PROVIDER:
            return f"the hub could not create the record that proves {host}", "see: openstack recordset list"
    return "", again


OPEN = "allow TCP from anywhere to port 80 in security groups, source ranges and firewalls, or set hub.https.challenge: dns"


def _elsewhere(host: str, address: str, who: str, record: str) -> tuple[str, str]:
    """The name leads somewhere else; a stale AAAA record beats a right A record, unless nothing answers in time."""
    kind = "AAAA" if ":" in address else "A"
    return (
        f"{host} also has the address {address}, which is not the hub's, and {who} asks that",
        f"delete the {kind} record with it; the hub's is: {record}",
    )


def _caa(host: str, who: str) -> str:
    return (
        f'add: {host}. CAA 0 issue "letsencrypt.org"'
        if who.startswith("Let's")
        else "allow it in the zone's CAA records"
    )


def _failure(line: str, host: str) -> Failure:
    text, time = _read(ESCAPES.sub("", line))
    # Of several hosts, each has a paragraph of its own.
    own = re.search(rf"\[{re.escape(host)}\] (.*?)(?=\n\[|$)", text, re.DOTALL)
    about = own[1] if own else text
    problem = PROBLEM.search(about)
    kind, said = (problem[1], problem[2]) if problem else (_kind(about), about)
    return Failure(kind, one_line(said), time)


def _read(line: str) -> tuple[str, datetime | None]:
    """The error in a line of any format, and the line's time."""
    if line.lstrip().startswith("{"):
        with suppress(ValueError):
            record = json.loads(line)
            return str(record.get("error") or record.get("message")), _time(str(record.get("time")))
    fields = {name: _unquoted(value) for name, value in FIELD.findall(line)}
    time = TIME.search(line)
    message = fields.get("error") or HEAD.sub("", fields.get("msg", line))
    return message, _time(time[0]) if time else None


def _unquoted(text: str) -> str:
    """As Go quotes text, which Python reads, too."""
    if not text.startswith('"'):
        return text
    with suppress(ValueError, SyntaxError):
        return str(ast.literal_eval(text))
    return text.strip('"')


def _kind(text: str) -> str:
    """The kind of an error that is not the authority's answer."""
    if "not yet valid" in text or "has expired" in text:
        return CLOCK
    if "x509: " in text or "certificate signed by unknown" in text:
        return UNTRUSTED
    if "designate: " in text or "time limit exceeded" in text or "propagation" in text:
        return PROVIDER
    return NO_ANSWER if UNREACHABLE.search(text) else OTHER


def _time(text: str) -> datetime | None:
    with suppress(ValueError):
        time = datetime.fromisoformat(text.replace(" UTC", "Z"))
        return time.astimezone(UTC)
    return None
