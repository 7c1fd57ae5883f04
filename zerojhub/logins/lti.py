"""Log in from a course in a learning platform, by LTI 1.3."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from zerojhub.logins.facts import Answer, Facts, Values
from zerojhub.logins.kind import EVERYONE, Kind, Names, Url


class LTI(Kind):
    """Users of a learning platform such as Moodle or Canvas, who open the hub from their course (LTI 1.3)."""

    key, title = "lti", "LTI 1.3"
    authenticator, settings = "ltiauthenticator.lti13.auth.LTI13Authenticator", "LTI13Authenticator"
    callback_path = "hub/lti13/oauth_callback"
    steps = (
        "At your learning platform, add an external tool (LTI 1.3).",
        "Tool URL: {hub}/hub; Initiate login URL: {hub}/hub/lti13/oauth_login; Redirection URI: {callback}",
        "{hub}/hub/lti13/config has the same as JSON, for platforms such as Canvas. Have it open in a new window.",
    )
    example = """\
issuer: YOUR-ISSUER                   # the platform shows it after the registration, as it does the other three
client_id: YOUR-CLIENT-ID
authorize_url: YOUR-AUTHENTICATION-REQUEST-URL
jwks_url: YOUR-PUBLIC-KEYSET-URL
admins: [YOUR-NAME]
"""

    allow: Names = [EVERYONE]
    """`everyone` who opens the hub from a course, or users who can."""
    issuer: str
    """The platform's issuer, as it shows it, such as `https://moodle.example.org`."""
    client_id: Annotated[Names, Field(min_length=1)]
    """Client ID that the platform has given to the hub, or a list."""
    authorize_url: Url
    """The platform's authentication request URL."""
    jwks_url: Url
    """The platform's public keyset URL."""
    username_claim: str = "email"
    """What becomes the user's name."""

    def config(self, facts: Facts) -> Values:
        return {
            "issuer": self.issuer,
            "client_id": self.client_id,
            "authorize_url": self.authorize_url,
            "jwks_endpoint": self.jwks_url,
            "username_key": self.username_claim,
            # The hub is behind a proxy, and would guess.
            "uri_scheme": facts.callback.partition(":")[0] or "auto",
        }

    async def ask(self, facts: Facts) -> Answer:
        from zerojhub.logins import oauth

        return await oauth.ask_keys(self.jwks_url, facts)
