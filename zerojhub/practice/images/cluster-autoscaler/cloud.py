"""An OpenStack client with the credential of a cloud-config."""

from __future__ import annotations

import configparser
import json
import re
import ssl
import time
import urllib.error
import urllib.request
from typing import Any

TIMEOUT = 30
MICROVERSION = "container-infra 1.10"
"""Magnum's microversion: node groups, also without nodes."""


class CloudError(Exception):
    """A service refused or did not respond."""


class Cloud:
    """Requests by service type and path. All methods raise CloudError."""

    def __init__(self, path: str):
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        with open(path) as file:
            parser.read_string(file.read())
        self._about = {key: _plain(value) for key, value in parser["Global"].items()}
        self._trust = ssl.create_default_context(cafile=self._about.get("ca-file"))
        self._token, self._until = "", 0.0
        self._endpoints: dict[str, str] = {}

    def get(self, service: str, path: str) -> dict:
        return self.request(service, "GET", path)

    def request(self, service: str, method: str, path: str, body: Any = None) -> dict:
        self._authenticate()
        if service not in self._endpoints:
            raise CloudError(f"No suitable endpoint could be found in the service catalog for {service}.")
        headers = {"X-Auth-Token": self._token, "OpenStack-API-Version": MICROVERSION}
        return self._send(method, self._endpoints[service] + path, body, headers)[0]

    def _authenticate(self) -> None:
        if time.time() < self._until:
            return
        about, auth = self._about, {}
        if secret := about.get("application-credential-secret"):
            own = {"id": about["application-credential-id"], "secret": secret}
            auth["identity"] = {"methods": ["application_credential"], "application_credential": own}
        else:
            user = {"id": about["user-id"], "password": about["password"]}
            auth["identity"] = {"methods": ["password"], "password": {"user": user}}
            auth["scope"] = {"OS-TRUST:trust": {"id": about["trust-id"]}}
        url = about["auth-url"].rstrip("/")
        answer, headers = self._send("POST", f"{url}/auth/tokens", {"auth": auth}, {})
        self._token, self._until = headers["X-Subject-Token"], time.time() + 600
        for service in answer["token"]["catalog"]:
            for endpoint in service["endpoints"]:
                if endpoint["interface"] == "public" and about.get("region", endpoint["region"]) == endpoint["region"]:
                    self._endpoints[service["type"]] = endpoint["url"].rstrip("/")

    def _send(self, method: str, url: str, body: Any, headers: dict) -> tuple[dict, Any]:
        request = urllib.request.Request(url, method=method, headers={"Accept": "application/json", **headers})
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, context=self._trust, timeout=TIMEOUT) as answer:
                text = answer.read()
                return (json.loads(text) if text else {}), answer.headers
        except urllib.error.HTTPError as error:
            if error.code == 401:
                self._until = 0.0
            said = " ".join(error.read().decode(errors="replace").split())
            raise CloudError(f"{method} {url}: {error.code} {said[:400]}") from None
        except (OSError, ValueError) as error:
            raise CloudError(f"{method} {url}: {error}") from None


def _plain(value: str) -> str:
    """A value without gcfg's quotes."""
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
