"""Runs in the hub, as one of hub.extraConfig: log in with a user name and password of an OpenStack cloud.

https://docs.openstack.org/api-ref/identity/v3/#password-authentication-with-scoped-authorization
"""

import json

from jupyterhub.auth import Authenticator
from tornado.httpclient import AsyncHTTPClient
from tornado.web import HTTPError
from traitlets import Unicode


class KeystoneAuthenticator(Authenticator):
    """Asks Keystone for a token with the user's password, and throws it away."""

    auth_url = Unicode(config=True, help="URL of Keystone, without the version.")
    domain = Unicode("Default", config=True, help="Name of the users' domain.")
    project = Unicode(config=True, help="Name of a project of which users must be members; empty: none.")
    project_domain = Unicode("Default", config=True, help="Name of the project's domain.")
    ca_certs = Unicode(config=True, help="File with certificate authorities; empty: the usual ones.")

    async def authenticate(self, handler, data):
        user = {"name": data["username"], "password": data["password"], "domain": {"name": self.domain}}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": "unscoped"}
        if self.project:
            auth["scope"] = {"project": {"name": self.project, "domain": {"name": self.project_domain}}}
        answer = await AsyncHTTPClient().fetch(
            f"{self.auth_url}/v3/auth/tokens",
            method="POST",
            headers={"Content-Type": "application/json"},
            body=json.dumps({"auth": auth}),
            ca_certs=self.ca_certs or None,
            raise_error=False,
        )
        if answer.code == 201:
            # Keystone's names are case-insensitive or not, as its database is; the hub's are lower case.
            return json.loads(answer.body)["token"]["user"]["name"]
        if answer.code in (400, 401, 403):
            self.log.info("Keystone refused %s: %s", data["username"], answer.code)
            return None
        self.log.error("Keystone answered %s at %s", answer.code, self.auth_url)
        raise HTTPError(502, "The cloud's identity service does not work at the moment.")


if c.JupyterHub.authenticator_class == "zerojhub.KeystoneAuthenticator":  # noqa: F821 (JupyterHub defines it)
    c.JupyterHub.authenticator_class = KeystoneAuthenticator  # noqa: F821 (the same)
