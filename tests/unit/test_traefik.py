"""What Traefik logs when it gets no certificate, in the formats of its versions, and the line that a user reads instead."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from zerojhub.deployment import LETS_ENCRYPT
from zerojhub.hub import traefik
from zerojhub.hub.traefik import Failure, authority, explained, last_failure

HOST, IP = "hub.example.org", "203.0.113.7"
RECORD = f"{HOST}. A {IP}"
URN = "urn:ietf:params:acme:error:"
TIME = datetime(2026, 11, 28, 10, 0, tzinfo=UTC)
OBTAIN = "Unable to obtain ACME certificate for domains"


def of_domain(problem: str) -> str:
    return (
        f"unable to generate a certificate for the domains [{HOST}]: error: one or more domains had a problem:\n"
        f"[{HOST}] {problem}\n"
    )


def invalid(kind: str, detail: str) -> str:
    """As lego 4 words what an authority says about a challenge."""
    return of_domain(f"invalid authorization: acme: error: 400 :: {URN}{kind} :: {detail}")


def refused(kind: str, detail: str, status: int = 400) -> str:
    """What an authority says to an order: with the request, and with a subproblem's or an instance's URL after it."""
    url = "https://acme-v02.api.letsencrypt.org/acme/new-order"
    return (
        f"unable to generate a certificate for the domains [{HOST}]: acme: error: {status} :: POST :: {url} :: "
        f"{URN}{kind} :: {detail}, url: https://example.org/doc"
    )


def version_2(error: str, message: str = OBTAIN) -> str:
    said = json.dumps(f'{message} "{HOST}"')
    return (
        f'time="2026-11-28T10:00:00Z" level=error msg={said} ACME CA="{LETS_ENCRYPT}" error={json.dumps(error)} '
        'providerName=default.acme routerName=default@file rule="PathPrefix(`/`)"'
    )


def version_2_without_a_field(error: str) -> str:
    said = json.dumps(f'{OBTAIN} "{HOST}": {error}')
    return f'time="2026-11-28T10:00:00Z" level=error msg={said} providerName=default.acme rule="PathPrefix(`/`)"'


def version_3(error: str, message: str = OBTAIN) -> str:
    return (
        f"\x1b[90m2026-11-28T10:00:00Z\x1b[0m \x1b[31mERR\x1b[0m \x1b[1m{message}\x1b[0m \x1b[36merror=\x1b[0m\x1b[31m"
        f"\x1b[1m{json.dumps(error)}\x1b[0m\x1b[0m \x1b[36mACME CA=\x1b[0m{LETS_ENCRYPT} \x1b[36macmeCA=\x1b[0m"
        f'{LETS_ENCRYPT} \x1b[36mdomains=\x1b[0m["{HOST}"] \x1b[36mproviderName=\x1b[0mdefault.acme '
        "\x1b[36mrouterName=\x1b[0mdefault@file \x1b[36mrule=\x1b[0mPathPrefix(`/`)"
    )


def version_3_json(error: str, message: str = OBTAIN) -> str:
    record = {"level": "error", "error": error, "domains": [HOST], "time": "2026-11-28T10:00:00Z", "message": message}
    return json.dumps(record)


FORMATS: list[Callable[[str], str]] = [version_2, version_2_without_a_field, version_3, version_3_json]
CHALLENGE = f"http://{HOST}/.well-known/acme-challenge/x"
LIMIT = (
    'too many failed authorizations (5) for "hub.example.org" in the last 1h0m0s, retry after 2026-11-28 11:12:00 UTC: '
    "see https://letsencrypt.org/docs/rate-limits/#authorization-failures-per-identifier-per-account"
)

LINES = [
    # the authority's own errors, as Boulder words them
    (
        invalid(
            "dns", f"DNS problem: NXDOMAIN looking up A for {HOST} - check that a DNS record exists for this domain"
        ),
        "dns",
        f"Let's Encrypt does not find {HOST} yet: DNS problem: NXDOMAIN",
        f"the record: {RECORD}",
    ),
    (
        invalid("dns", f"no valid A records found for {HOST}; no valid AAAA records found for {HOST}"),
        "dns",
        f"{HOST} has no address that Let's Encrypt can reach: no valid A",
        "has to be a public address",
    ),
    (
        invalid(
            "dns", f"DNS problem: SERVFAIL looking up CAA for {HOST} - the domain's nameservers may be malfunctioning"
        ),
        "dns",
        f"Let's Encrypt cannot read the CAA records of {HOST}",
        "name servers",
    ),
    (
        invalid("dns", f"DNS problem: query timed out looking up A for {HOST}"),
        "dns",
        f"Let's Encrypt cannot look {HOST} up: DNS problem: query timed out",
        "name servers",
    ),
    (
        invalid("connection", f"{IP}: Fetching {CHALLENGE}: Timeout during connect (likely firewall problem)"),
        "connection",
        f"port 80 of {HOST} is blocked: {IP}: Fetching",
        "allow TCP from anywhere to port 80",
    ),
    (
        invalid("connection", f"{IP}: Fetching {CHALLENGE}: Connection refused"),
        "connection",
        f"port 80 of {HOST} is closed",
        "listener",
    ),
    (
        invalid("connection", f"{IP}: Fetching {CHALLENGE}: Connection reset by peer"),
        "connection",
        f"Let's Encrypt cannot connect to port 80 of {HOST}",
        "challenge: dns",
    ),
    (
        invalid("connection", f"During secondary validation: {IP}: Fetching {CHALLENGE}: Timeout during connect"),
        "connection",
        f"port 80 of {HOST} is not open to all of Let's Encrypt",
        "do not limit it to countries or networks",
    ),
    (
        invalid("connection", f"2001:db8::1: Fetching {CHALLENGE}: Connection refused"),
        "connection",
        f"{HOST} also has the address 2001:db8::1, which is not the hub's, and Let's Encrypt asks that",
        "delete the AAAA record with it",
    ),
    (
        invalid("unauthorized", f"203.0.113.99: Invalid response from {CHALLENGE}: 404"),
        "unauthorized",
        f"{HOST} also has the address 203.0.113.99",
        "delete the A record with it",
    ),
    (
        invalid("unauthorized", f"{IP}: Invalid response from {CHALLENGE}: 404"),
        "unauthorized",
        f"something else than the hub answers Let's Encrypt at http://{HOST}",
        "a proxy in front of it?",
    ),
    (
        invalid("unauthorized", f"No TXT record found at _acme-challenge.{HOST}"),
        "unauthorized",
        f"Let's Encrypt does not see the record that proves {HOST}",
        "name servers may be late",
    ),
    (
        invalid("caa", "CAA record for example.org prevents issuance"),
        "caa",
        f"a CAA record keeps Let's Encrypt from issuing a certificate for {HOST}",
        f'{HOST}. CAA 0 issue "letsencrypt.org"',
    ),
    (
        refused("rateLimited", LIMIT, 429),
        "rateLimited",
        f"Let's Encrypt issues no certificate for {HOST} until 2026-11-28 11:12 UTC: too many failed",
        "then: zerojhub up",
    ),
    (
        refused(
            "rejectedIdentifier", 'Cannot issue for "hub.local": Domain name does not end with a valid public suffix'
        ),
        "rejectedIdentifier",
        f"Let's Encrypt issues no certificates for {HOST}: Cannot issue",
        "your own authority",
    ),
    (
        refused("invalidContact", 'contact email has forbidden domain "example.org"'),
        "invalidContact",
        "Let's Encrypt does not accept hub.https.contact",
        "receives e-mail",
    ),
    (
        refused("externalAccountRequired", "needs a binding", 401),
        "externalAccountRequired",
        "Let's Encrypt wants an account that you register there",
        "eab",
    ),
    (
        refused("accountDoesNotExist", 'Account "https://ca/acct/1" not found'),
        "accountDoesNotExist",
        "Let's Encrypt does not know the hub's account any more",
        "zerojhub up",
    ),
    (
        refused("serverInternal", "Service busy; retry later.", 503),
        "serverInternal",
        "no certificate from Let's Encrypt: Service busy; retry later.",
        "zerojhub up",
    ),
    # Pebble words these two differently
    (
        invalid("connection", f'Get "{CHALLENGE}": could not resolve URL: lookup {HOST}: no such host'),
        "connection",
        f"Let's Encrypt does not find {HOST} yet",
        RECORD,
    ),
    (
        invalid("connection", f'Get "{CHALLENGE}": dial tcp {IP}:80: connect: connection refused'),
        "connection",
        f"port 80 of {HOST} is closed",
        "listener",
    ),
    # what lego says itself
    (
        "cannot get ACME client get directory at 'https://ca/dir': Get \"https://ca/dir\": dial tcp: lookup ca on "
        "10.254.0.10:53: no such host",
        traefik.NO_ANSWER,
        "the hub cannot reach Let's Encrypt",
        "have a way to it",
    ),
    (
        "cannot get ACME client get directory at 'https://ca/dir': Get \"https://ca/dir\": tls: failed to verify "
        "certificate: x509: certificate signed by unknown authority",
        traefik.UNTRUSTED,
        "the hub does not trust Let's Encrypt",
        "hub.https.ca_file",
    ),
    (
        "cannot get ACME client get directory at 'https://ca/dir': x509: certificate has expired or is not yet valid: "
        "current time 2020-01-01T00:00:00Z is before 2026-01-01T00:00:00Z",
        traefik.CLOCK,
        "a clock is wrong",
        "right time",
    ),
    (
        of_domain("acme: error presenting token: designate: couldn't get zone ID in Present: zone id not found"),
        traefik.PROVIDER,
        f"the hub could not create the record that proves {HOST}",
        "openstack recordset list",
    ),
    (
        "something that nobody has seen yet",
        traefik.OTHER,
        "no certificate from Let's Encrypt: something that nobody has seen yet",
        "zerojhub up",
    ),
]


@pytest.mark.parametrize("write", FORMATS)
@pytest.mark.parametrize(("error", "kind", "message", "hint"), LINES)
def test_a_failure_is_one_line_that_says_what_to_do(write, error, kind, message, hint):
    log = "\n".join(["level=warning msg=else", write(invalid("dns", "an earlier one")), write(error), "more"])
    failure = last_failure(log, HOST)
    assert failure
    assert (failure.kind, failure.time) == (kind, TIME)
    said = explained(failure, HOST, LETS_ENCRYPT, [IP], RECORD)
    assert said.message.startswith(message)
    assert hint in (said.hint or "")
    assert len(said.lines) == 1
    assert "urn:" not in str(said)
    assert "\\" not in str(said)


@pytest.mark.parametrize(
    "line",
    [
        version_2(refused("rateLimited", LIMIT), "Error renewing certificate from LE:"),
        version_3(refused("rateLimited", LIMIT), "Error renewing ACME certificate:"),
    ],
)
def test_a_renewal_that_failed_is_a_failure(line):
    failure = last_failure(line, HOST)
    assert failure
    assert failure.kind == "rateLimited"
    assert failure.retry_after == datetime(2026, 11, 28, 11, 12, tzinfo=UTC)


def test_a_log_without_a_failure_has_none():
    probe = 'time="2026-11-28T10:00:00Z" level=error msg="Cannot retrieve the ACME challenge for hub (token \\"x\\")"'
    assert last_failure(f"{probe}\nlevel=warning msg=other", HOST) is None
    assert last_failure("", HOST) is None


def test_a_failure_of_another_name_that_the_hub_had_is_none_of_this_one():
    other = version_3(refused("rateLimited", LIMIT)).replace(HOST, f"lab.{HOST}")
    assert last_failure(other, HOST) is None
    assert last_failure(f"{version_3(invalid('caa', 'CAA'))}\n{other}", HOST) == Failure("caa", "CAA", TIME)


def test_of_several_hosts_each_has_its_own_failure():
    error = (
        "unable to generate a certificate for the domains [a.org hub.example.org]: error: one or more domains had a "
        f"problem:\n[a.org] acme: error: 403 :: {URN}caa :: CAA record for a.org prevents issuance\n"
        f"[{HOST}] acme: error: 400 :: {URN}connection :: {IP}: Connection refused\n"
    )
    failure = last_failure(version_3(error), HOST)
    assert failure
    assert failure.kind == "connection"


@pytest.mark.parametrize("kind", ["rateLimited", "caa", "rejectedIdentifier", traefik.UNTRUSTED, traefik.CLOCK])
def test_what_does_not_change_by_asking_again_is_final(kind):
    assert Failure(kind, "").is_final
    assert not Failure("connection", "").is_final


def test_the_time_to_wait_is_read_as_the_authority_writes_it():
    old = Failure("rateLimited", "too many new orders recently, retry after 2026-11-28T12:00:00Z: see")
    assert old.retry_after == datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
    assert Failure("rateLimited", "too many new orders recently").retry_after is None


def test_an_authority_is_called_by_its_name():
    assert authority(LETS_ENCRYPT) == "Let's Encrypt"
    assert authority("https://acme-staging-v02.api.letsencrypt.org/directory") == "Let's Encrypt (staging)"
    assert authority("https://ca.example.org/acme/directory") == "ca.example.org"
