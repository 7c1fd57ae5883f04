"""Log in with CILogon, through which research institutions have their members log in."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from zerojhub.logins.facts import Endpoints, Facts, Values
from zerojhub.logins.kind import Names, OAuth
from zerojhub.section import matching

EntityID = Annotated[
    str,
    matching(r"(https?://|urn:)\S+", "an EntityID of https://cilogon.org/idplist, such as https://idp.example.edu/…"),
]
IDPS_SINCE = (4, 4)
"""The chart's first version with OAuthenticator 17.4, which calls `allowed_idps` `idps`."""


class CILogon(OAuth):
    """Accounts of research institutions, through CILogon."""

    key, title = "cilogon", "CILogon"
    authenticator, settings = "cilogon", "CILogonOAuthenticator"
    rules = ("domain", "allow", "admins")
    steps = (
        "Register a client at https://cilogon.org/oauth2/register; people there approve it, which can take days.",
        "Callback URL: {callback}",
        "Scopes: openid, email, profile and org.cilogon.userinfo. Refresh tokens: no.",
        "Put the client secret into a file that only you can read:  (umask 077; cat > client-secret)",
        "Look up the EntityID of your institution at https://cilogon.org/idplist.",
    )
    example = """\
client_id: YOUR-CLIENT-ID
client_secret_file: client-secret
idp: [YOUR-ENTITY-ID]
domain: YOUR-DOMAIN                   # users with such an e-mail address can log in
admins: [YOUR-E-MAIL-ADDRESS]
"""

    idp: Annotated[list[EntityID], Field(min_length=1)]
    """EntityIDs of the institutions to choose from, as on [CILogon's list](https://cilogon.org/idplist)."""
    domain: Names = []
    """Domain of user names whose users can log in, such as `example.edu`, or a list."""
    username_claim: str = "email"
    """What becomes the user's name, such as `email` or `eppn`."""

    def own(self, facts: Facts) -> Values:
        about: Values = {"username_derivation": {"username_claim": self.username_claim}}
        if self.domain:
            about["allowed_domains"] = self.domain
        return {"idps" if facts.chart >= IDPS_SINCE else "allowed_idps": {idp: about for idp in self.idp}}

    async def discover(self, facts: Facts) -> Endpoints:
        return Endpoints("https://cilogon.org/authorize", "https://cilogon.org/oauth2/token")
