"""A learning platform with one course, in which a link opens the hub (LTI 1.3)."""

from __future__ import annotations

import time
from dataclasses import dataclass

import flask
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT = "hub-of-the-course"
KEY = "the-only-one"
CLAIM = "https://purl.imsglobal.org/spec/lti/claim"
POSTED = """<form method="post" action="{{ url }}" id="form">
{% for name, value in fields.items() %}<input type="hidden" name="{{ name }}" value="{{ value }}">{% endfor %}
<button id="open">Open the hub</button></form>
{% if at_once %}<script>document.getElementById("form").submit()</script>{% endif %}"""


@dataclass
class Platform:
    """Serve `app`, then set `issuer` to its URL and `hub` to the hub's."""

    issuer: str = ""
    hub: str = ""

    def __post_init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.app = flask.Flask("platform")
        self.app.get("/course/<person>")(self.course)
        self.app.get("/authorize")(self.authorize)
        self.app.get("/keys")(self.keys)

    def course(self, person: str) -> str:
        """The page of the course, as that person sees it."""
        fields = {
            "iss": self.issuer,
            "client_id": CLIENT,
            "login_hint": person,
            "target_link_uri": f"{self.hub}/hub",
        }
        return flask.render_template_string(POSTED, url=f"{self.hub}/hub/lti13/oauth_login", fields=fields)

    def authorize(self) -> str:
        """Who the person is, signed, for the browser to take to the hub."""
        asked, now = flask.request.args, int(time.time())
        said = {
            "iss": self.issuer,
            "aud": asked["client_id"],
            "sub": f"number-of-{asked['login_hint']}",
            "email": f"{asked['login_hint']}@example.org",
            "nonce": asked["nonce"],
            "iat": now,
            "exp": now + 300,
            f"{CLAIM}/version": "1.3.0",
            f"{CLAIM}/deployment_id": "1",
            f"{CLAIM}/message_type": "LtiResourceLinkRequest",
            f"{CLAIM}/target_link_uri": f"{self.hub}/hub",
            f"{CLAIM}/resource_link": {"id": "the-link"},
            f"{CLAIM}/roles": ["http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"],
        }
        token = jwt.encode(said, self.key, algorithm="RS256", headers={"kid": KEY})
        fields = {"id_token": token, "state": asked["state"]}
        return flask.render_template_string(POSTED, url=asked["redirect_uri"], fields=fields, at_once=True)

    def keys(self) -> dict[str, list[dict[str, str]]]:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": KEY, "use": "sig", "alg": "RS256"}]}
