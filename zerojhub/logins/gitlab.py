"""Log in with GitLab."""

from __future__ import annotations

from zerojhub.logins.facts import Endpoints, Facts, Values, unslashed
from zerojhub.logins.kind import Names, SelfHosted, Url


class GitLab(SelfHosted):
    """Accounts of gitlab.com, or of a GitLab server of your own."""

    key, title = "gitlab", "GitLab"
    authenticator, settings = "gitlab", "GitLabOAuthenticator"
    rules = ("group", "project", "allow", "admins")
    steps = (
        "At your GitLab, in your settings or the group's: Applications, Add new application.",
        "Redirect URI: {callback}",
        "Tick Confidential and the scope read_api (read_user is enough without `group` and `project`).",
        "Put the secret into a file that only you can read:  (umask 077; cat > client-secret)",
    )
    example = """\
# url: https://gitlab.example.org     # of your own server
client_id: YOUR-APPLICATION-ID
client_secret_file: client-secret
group: YOUR-GROUP                     # its members can log in; as in its URL
admins: [YOUR-GITLAB-NAME]
"""

    group: Names = []
    """Group whose members can log in, as in its URL; or a list."""
    project: list[int] = []
    """IDs of projects whose developers can log in."""
    url: Url | None = None
    """URL of your GitLab server. Default: `https://gitlab.com`."""

    def own(self, facts: Facts) -> Values:
        found: Values = {"gitlab_url": unslashed(self.url)} if self.url else {}
        if self.group:
            found["allowed_gitlab_groups"] = self.group
        if self.project:
            found["allowed_project_ids"] = self.project
        # Memberships are private: api is the scope that reads them; read_user is enough to know who someone is.
        found["scope"] = ["read_api" if self.group or self.project else "read_user"]
        return found

    async def discover(self, facts: Facts) -> Endpoints:
        url = unslashed(self.url or "https://gitlab.com")
        return Endpoints(f"{url}/oauth/authorize", f"{url}/oauth/token")
