"""Log in with a user name and password of an OpenStack cloud."""

from __future__ import annotations

from pathlib import Path

from zerojhub.logins.facts import Answer, Facts, Values, unslashed
from zerojhub.logins.kind import CA_PATH, Kind, Url, with_ca

CODE = Path(__file__).with_name("keystone_authenticator.py")
"""The authenticator. None comes with the hub's image, so the chart's values bring it."""


class Keystone(Kind):
    """Users of an OpenStack cloud, with their password there. Those who log in to the cloud through another provider have none."""

    key, title = "keystone", "OpenStack"
    authenticator, settings = "zerojhub.KeystoneAuthenticator", "KeystoneAuthenticator"
    rules = ("project", "allow", "admins")
    restricts = True
    steps = ("There is nothing to register. Users whose accounts are at another provider have no password here.",)
    example = """\
auth_url: YOUR-AUTH-URL               # as in clouds.yaml
project: YOUR-PROJECT                 # its members can log in
admins: [YOUR-NAME]
"""

    auth_url: Url
    """URL of Keystone, as `auth_url` in `clouds.yaml`."""
    ca_file: Path | None = None
    """File with the certificate authority (PEM) of Keystone, if computers do not trust it anyway."""
    domain: str = "Default"
    """Name of the users' domain."""
    project: str | None = None
    """Name of a project: only its members can log in, and without `allow` all of them."""
    project_domain: str = "Default"
    """Name of the project's domain."""

    def lets_all_in(self) -> bool:
        return self.everyone or bool(self.project and not self.allow)

    def config(self, facts: Facts) -> Values:
        found: Values = {"auth_url": unslashed(self.auth_url).removesuffix("/v3"), "domain": self.domain}
        if self.project:
            found |= {"project": self.project, "project_domain": self.project_domain}
        if facts.cacert:
            found["ca_certs"] = CA_PATH
        return found

    def values(self, facts: Facts) -> Values:
        values = super().values(facts)
        values["hub"]["extraConfig"] = {"zerojhub-keystone": CODE.read_text()}
        return with_ca(values, facts)

    async def ask(self, facts: Facts) -> Answer:
        from zerojhub.logins import oauth

        return await oauth.ask_keystone(unslashed(self.auth_url).removesuffix("/v3"), facts)
