"""Log in with any provider that speaks OpenID Connect, such as Keycloak, Entra ID and Authentik."""

from __future__ import annotations

from zerojhub.logins.facts import Endpoints, Facts, Values, host_of
from zerojhub.logins.kind import Names, SelfHosted, Url

ENTRA = ("login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn")
"""Hosts of Entra ID, whose userinfo endpoint does not tell users' names: the ID token does."""


class OIDC(SelfHosted):
    """Accounts of a provider that speaks OpenID Connect: Keycloak, Entra ID, Authentik and most others."""

    key, title = "oidc", "OpenID Connect"
    authenticator, settings = "generic-oauth", "GenericOAuthenticator"
    rules = ("groups", "allow", "admins")
    steps = (
        "Register a client (Keycloak: Clients; Entra ID: App registrations; Authentik: Applications) of the type",
        "confidential or web, with the standard flow (authorization code).",
        "Redirect URI: {callback}",
        "Put the client secret into a file that only you can read:  (umask 077; cat > client-secret)",
        "Entra ID: issuer is https://login.microsoftonline.com/TENANT-ID/v2.0.",
    )
    example = """\
issuer: YOUR-ISSUER                   # such as https://login.example.org/realms/REALM
client_id: YOUR-CLIENT-ID
client_secret_file: client-secret
username_claim: preferred_username    # unique, and never another person's
allow: everyone                       # with an account there; or users, or set groups
admins: [YOUR-NAME]
"""

    issuer: Url
    """URL of the provider, below which it has `/.well-known/openid-configuration`."""
    label: str | None = None
    """What the button says after "Sign in with". Default: the provider's host name."""
    scope: Names = ["openid", "profile", "email"]
    """What the hub asks the provider for. Some need another one to tell users' groups."""
    username_claim: str = "preferred_username"
    """What becomes the user's name: a claim that is unique and does not change."""
    groups: Names = []
    """Group whose members can log in, or a list."""
    admin_groups: Names = []
    """Group whose members are administrators, or a list."""
    groups_claim: str = "groups"
    """The claim with the user's groups."""

    def own(self, facts: Facts) -> Values:
        assert facts.endpoints
        found: Values = {
            "authorize_url": facts.endpoints.authorize,
            "token_url": facts.endpoints.token,
            "scope": self.scope,
            "username_claim": self.username_claim,
            "login_service": self.label or host_of(self.issuer),
        }
        if host_of(self.issuer) in ENTRA:
            found["userdata_from_id_token"] = True
        else:
            found["userdata_url"] = facts.endpoints.userinfo
        if facts.endpoints.basic_auth:
            found["basic_auth"] = True
        if self.groups or self.admin_groups:
            if facts.chart >= (4, 0):
                found |= {"manage_groups": True, "auth_state_groups_key": f"oauth_user.{self.groups_claim}"}
            else:
                found["claim_groups_key"] = self.groups_claim
        if self.groups:
            found["allowed_groups"] = self.groups
        if self.admin_groups:
            found["admin_groups"] = self.admin_groups
        return found

    async def discover(self, facts: Facts) -> Endpoints:
        from zerojhub.logins import oauth

        return await oauth.discover(self.issuer, facts, scope=self.scope, userinfo=host_of(self.issuer) not in ENTRA)
