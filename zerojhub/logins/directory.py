"""Questions to an LDAP server: whether it can be reached as the hub will reach it, and has users and groups where it looks."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import anyio.to_thread

from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.logins.facts import Answer, Facts
from zerojhub.text import one_line

if TYPE_CHECKING:
    from ldap3 import Connection

    from zerojhub.logins.ldap import LDAP

TIMEOUT = 20
"""Seconds for an answer."""
SUCCESS, SIZE_LIMIT_EXCEEDED, NO_SUCH_OBJECT = 0, 4, 32
"""Results of RFC 4511, appendix A."""


async def ask(login: LDAP, facts: Facts) -> Answer:
    """Whether the server encrypts as asked, lets the hub look up users, and has them and the groups."""
    return await anyio.to_thread.run_sync(_ask, login, facts)


def _ask(login: LDAP, facts: Facts) -> Answer:
    from ldap3.core.exceptions import LDAPException

    found = Answer(untested=["a user's password"])
    try:
        connection = _connect(login, facts)
        try:
            found.proven.append("it answers" if login.tls == "none" else "it answers, encrypted")
            if login.search_base:
                _bind(connection, login)
                _look_for_users(connection, login, login.search_base, found)
                _look_for_groups(connection, login, found)
            elif login.groups:
                found.untested.append("whether the groups exist")
        finally:
            connection.unbind()
    except LDAPException as error:
        found.problems.append(ZeroJHubError(f"{login.server}: {one_line(str(error))[:200]}"))
    except ZeroJHubError as error:
        found.problems.append(error)
    return found


def _connect(login: LDAP, facts: Facts) -> Connection:
    """An encrypted connection that has not logged in. ZeroJHubError if there is none, in words."""
    import ldap3
    from ldap3.core.exceptions import LDAPException

    tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_data=facts.cacert)
    server = ldap3.Server(
        login.server.strip("[]"),
        port=login.port or (636 if login.tls == "ldaps" else 389),
        use_ssl=login.tls == "ldaps",
        tls=tls,
        connect_timeout=TIMEOUT,
        get_info=ldap3.SCHEMA if login.groups else ldap3.NONE,
    )
    connection = ldap3.Connection(
        server,
        user=login.bind_dn,
        password=facts.secrets.get("bind_password"),
        receive_timeout=TIMEOUT,
        read_only=True,
        check_names=False,  # with the server's schema
    )
    try:
        connection.open()
        if login.tls == "start-tls" and not connection.start_tls():
            raise UserError(f"{login.server} refuses StartTLS: {_result(connection)}", hint="or set tls: ldaps")
    except LDAPException as error:
        raise _reason(login, str(error)) from None
    return connection


def _reason(login: LDAP, text: str) -> ZeroJHubError:
    """Why there is no connection. ldap3 has the reasons of the layers below as text only."""
    where = f"{login.server}:{login.port}" if login.port else login.server
    if "certificate has expired" in text:
        return ZeroJHubError(f"{where}: its certificate has expired")
    if "CERTIFICATE_VERIFY_FAILED" in text or "doesn't match" in text or "hostname" in text.lower():
        why = one_line(text).partition("certificate verify failed: ")[2].partition(" (_ssl")[0]
        return UserError(
            f"{where}: its certificate is not trusted{f': {why}' if why else ' for this name'}",
            hint="set ca_file to the authority that has signed it, and server to the name in it",
        )
    if "invalid server address" in text or "getaddrinfo" in text or "Name or service not known" in text:
        return ZeroJHubError(f"{where}: there is no such host")
    if "refused" in text:
        return ZeroJHubError(f"{where} cannot be reached: connection refused")
    if "timed out" in text:
        return ZeroJHubError(f"{where} cannot be reached: no response in time")
    return ZeroJHubError(f"{where}: {one_line(text)[:200]}")


def _bind(connection: Connection, login: LDAP) -> None:
    if not connection.bind():
        who = login.bind_dn or "anonymous"
        raise UserError(
            f"{login.server} refuses the login of {who}: {_result(connection)}",
            hint="check bind_dn and its password" if login.bind_dn else "set bind_dn, the account that looks users up",
        )


def _look_for_users(connection: Connection, login: LDAP, base: str, found: Answer) -> None:
    connection.search(base, f"({login.search_attribute}=*)", attributes=[login.search_attribute], size_limit=1)
    result = connection.result["result"]
    if result == NO_SUCH_OBJECT:
        raise UserError(f"there is no {base}", hint="check search_base, and what bind_dn may read")
    if result not in (SUCCESS, SIZE_LIMIT_EXCEEDED):
        raise UserError(f"users cannot be looked up: {_result(connection)}")
    if not connection.entries:
        raise UserError(
            f"nobody below {base} has the attribute {login.search_attribute}",
            hint="check search_base and search_attribute, and what bind_dn may read",
        )
    found.proven.append("it has users")


def _look_for_groups(connection: Connection, login: LDAP, found: Answer) -> None:
    schema = connection.server.schema
    if schema and (lacking := [each for each in login.group_attributes if each not in schema.attribute_types]):
        known = [each for each in login.group_attributes if each not in lacking]
        raise UserError(
            f"{login.server} knows no attribute {' and no '.join(lacking)}, and the hub would fail to ask it for the groups",
            hint=f"set group_attributes: [{', '.join(known)}]",
        )
    for group in login.groups:
        connection.search(group, "(objectClass=*)", "BASE", attributes=["1.1"])
        if not connection.entries:
            raise UserError(f"there is no group {group}: {_result(connection)}", hint="groups are DNs")
    if login.groups:
        found.proven.append("it has the groups")


def _result(connection: Connection) -> str:
    """What the server answered last, in its own words."""
    result = connection.result or {}
    return one_line(" ".join(filter(None, [str(result.get("description", "")), str(result.get("message", ""))])))
