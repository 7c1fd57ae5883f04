"""Log in with GitHub."""

from __future__ import annotations

from zerojhub.logins.facts import Endpoints, Facts, Values, unslashed
from zerojhub.logins.kind import Names, SelfHosted, Url


class GitHub(SelfHosted):
    """Accounts of github.com, or of a GitHub Enterprise Server."""

    key, title = "github", "GitHub"
    authenticator, settings = "github", "GitHubOAuthenticator"
    rules = ("organization", "allow", "admins")
    steps = (
        "At github.com, in your settings or the organization's: Developer settings, OAuth Apps, New OAuth App.",
        "Authorization callback URL: {callback}",
        "Generate a client secret there.",
        "Put it into a file that only you can read:  (umask 077; cat > client-secret)",
        "If the organization restricts the access of apps, have an owner approve it.",
    )
    example = """\
client_id: YOUR-CLIENT-ID
client_secret_file: client-secret
organization: YOUR-ORGANIZATION       # its members can log in; or organization:team, or a list
admins: [YOUR-GITHUB-NAME]
"""

    organization: Names = []
    """Organization, or `organization:team`, whose members can log in; or a list. If the organization restricts the access of
    apps, an owner must approve the app."""
    url: Url | None = None
    """URL of a GitHub Enterprise Server. Default: `https://github.com`."""

    def own(self, facts: Facts) -> Values:
        found: Values = {"github_url": unslashed(self.url)} if self.url else {}
        if self.organization:
            # Without this scope GitHub only tells of public memberships.
            found |= {"allowed_organizations": self.organization, "scope": ["read:org"]}
        return found

    async def discover(self, facts: Facts) -> Endpoints:
        url = unslashed(self.url or "https://github.com")
        return Endpoints(f"{url}/login/oauth/authorize", f"{url}/login/oauth/access_token")
