"""Log in with Google."""

from __future__ import annotations

from zerojhub.logins.facts import Endpoints, Facts, Values
from zerojhub.logins.kind import Names, OAuth


class Google(OAuth):
    """Google accounts, or those of a Google Workspace."""

    key, title = "google", "Google"
    authenticator, settings = "google", "GoogleOAuthenticator"
    rules = ("domain", "allow", "admins")
    restricts = True
    steps = (
        "At console.cloud.google.com: APIs & Services, Credentials, Create credentials, OAuth client ID, Web application.",
        "Authorized redirect URI: {callback}",
        "Put the client secret into a file that only you can read:  (umask 077; cat > client-secret)",
    )
    example = """\
client_id: YOUR-CLIENT-ID
client_secret_file: client-secret
domain: YOUR-DOMAIN                   # of your Google Workspace: only its accounts can log in
admins: [YOUR-NAME]                   # with a domain, what is before the @
"""

    domain: Names = []
    """Domain of a Google Workspace, or a list: nobody else can log in, and without `allow` everyone there can. With a single
    domain, users' names are those before the `@`."""

    def own(self, facts: Facts) -> Values:
        return {"hosted_domain": self.domain} if self.domain else {}

    def lets_all_in(self) -> bool:
        return self.everyone or bool(self.domain and not self.allow)

    async def discover(self, facts: Facts) -> Endpoints:
        return Endpoints("https://accounts.google.com/o/oauth2/v2/auth", "https://www.googleapis.com/oauth2/v4/token")
