"""Log in with an account in an LDAP directory, such as Active Directory."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from zerojhub.errors import UserError
from zerojhub.logins.facts import Answer, Facts, Values
from zerojhub.logins.kind import Kind, Names, SecretFile, Variable
from zerojhub.section import matching

STRATEGIES = {"start-tls": "before_bind", "ldaps": "on_connect", "none": "insecure"}
"""As LDAPAuthenticator 2 calls them."""
MEMBERS = {"member": "userdn", "uniqueMember": "userdn", "memberUid": "uid"}
"""What each attribute of a group has of its members."""
STRATEGIES_SINCE = (4, 0)
"""The chart's first version with LDAPAuthenticator 2."""


class LDAP(Kind):
    """Accounts in an LDAP directory, such as OpenLDAP or Active Directory."""

    key, title = "ldap", "LDAP"
    authenticator, settings = "ldapauthenticator.LDAPAuthenticator", "LDAPAuthenticator"
    secrets = ("bind_password",)
    rules = ("groups", "allow", "admins")
    steps = (
        "Ask for an account that may look users up, and put its password into a file:  (umask 077; cat > bind-password)",
        "Without one, set user_dn in place of search_base and the keys below it.",
    )
    example = """\
server: YOUR-SERVER                   # such as ldap.example.org
# ca_file: ca.pem                     # of the server's certificate, if it is one of your own
search_base: YOUR-SEARCH-BASE         # such as ou=people,dc=example,dc=org
search_attribute: uid                 # Active Directory: sAMAccountName
bind_dn: YOUR-BIND-DN
bind_password_file: bind-password
allow: everyone                       # with an account there; or users, or set groups
admins: [YOUR-NAME]
"""

    server: Annotated[str, matching(r"[\w.-]+|\[[0-9a-fA-F:]+\]", "a host name, without ldap:// or a port")]
    """Host name of the server."""
    port: int | None = Field(None, ge=1, le=65535)
    """Its port. Default: 389, or 636 with `tls: ldaps`."""
    tls: Literal["start-tls", "ldaps", "none"] = "start-tls"
    """How the connection is encrypted. `none`: not at all, so that passwords can be read on the way."""
    ca_file: Path | None = None
    """File with the certificate authority (PEM) of the server, if computers do not trust it anyway."""
    user_dn: Names = []
    """DN of users with `{username}` in it, such as `uid={username},ou=people,dc=example,dc=org`; or a list to try. Or set
    `search_base`."""
    search_base: str | None = None
    """Where users are looked up by `search_attribute`, if their DN does not contain the name with which they log in."""
    search_attribute: str = "uid"
    """The attribute with the name. In Active Directory: `sAMAccountName`."""
    bind_dn: str | None = None
    """DN of the account that looks users up. Default: anonymous."""
    bind_password_file: SecretFile = None
    """File with its password (mode 0600)."""
    bind_password_env: Variable = None
    """Environment variable with its password, in place of the file."""
    groups: Names = []
    """DN of a group whose members can log in, or a list."""
    group_attributes: list[Literal["member", "uniqueMember", "memberUid"]] = ["member", "uniqueMember", "memberUid"]
    """The attributes of groups with their members. The server must know all of them."""

    def required_secrets(self) -> tuple[str, ...]:
        return self.secrets if self.bind_dn else ()

    @model_validator(mode="after")
    def _says_where_users_are(self) -> Self:
        if bool(self.user_dn) == bool(self.search_base):
            raise PydanticCustomError("users", "set either user_dn or search_base")
        if wrong := next((dn for dn in self.user_dn if "{username}" not in dn), None):
            raise PydanticCustomError("users", f"user_dn: there is no {{username}} in {wrong!r}")
        if self.bind_dn and not self.search_base:
            raise PydanticCustomError("users", "bind_dn is for looking users up, with search_base")
        return self

    def lets_groups_in(self) -> bool:
        return bool(self.groups)

    def config(self, facts: Facts) -> Values:
        found: Values = {"server_address": self.server, **({"server_port": self.port} if self.port else {})}
        found |= self._encryption(facts)
        if self.user_dn:
            found["bind_dn_template"] = self.user_dn
        else:
            found |= {
                "lookup_dn": True,
                "user_search_base": self.search_base,
                "user_attribute": self.search_attribute,
                "lookup_dn_user_dn_attribute": self.search_attribute,
                # The default has changed between releases, which would give everyone another name.
                "use_lookup_dn_username": False,
            }
        if self.bind_dn:
            found |= {
                "lookup_dn_search_user": self.bind_dn,
                "lookup_dn_search_password": facts.secrets["bind_password"],
            }
        if self.groups:
            if facts.chart < STRATEGIES_SINCE and self.allow and not self.everyone:
                raise UserError("login.ldap: with charts before 4.0, only one of groups and allow can be set")
            found["allowed_groups"] = self.groups
            if facts.chart >= STRATEGIES_SINCE:  # before, they are fixed
                wanted = (f"({each}={{{MEMBERS[each]}}})" for each in self.group_attributes)
                found |= {"group_attributes": self.group_attributes, "group_search_filter": f"(|{''.join(wanted)})"}
        return found

    def _encryption(self, facts: Facts) -> Values:
        if facts.chart >= STRATEGIES_SINCE:
            found: Values = {"tls_strategy": STRATEGIES[self.tls]}
            if self.tls != "none":
                # Not verified by default.
                found["tls_kwargs"] = {"validate": int(ssl.CERT_REQUIRED)}
                if facts.cacert:
                    found["tls_kwargs"]["ca_certs_data"] = facts.cacert
            return found
        if self.tls == "none":
            raise UserError("login.ldap: tls: none needs chart 4.0 or later (LDAPAuthenticator 2)")
        return {"use_ssl": self.tls == "ldaps", "server_port": self.port or (636 if self.tls == "ldaps" else 389)}

    async def ask(self, facts: Facts) -> Answer:
        from zerojhub.logins import directory

        return await directory.ask(self, facts)
