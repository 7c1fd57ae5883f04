"""The OpenStack APIs, as a cluster's own credential sees them."""

from __future__ import annotations

import asyncio
import configparser
from typing import Any

from zerojhub.practice.ground import GroundError

Body = dict[str, Any]
TIMEOUT = 30


class Cloud:
    """Requests with the credential that a cluster's cloud-config names. Raises GroundError for what is refused."""

    def __init__(self, cloud_config: str):
        self.settings = configparser.ConfigParser(interpolation=None)
        self.settings.read_string(cloud_config)
        self._session: Any = None

    async def get(self, service: str, path: str, **parameters: str) -> Body | None:
        """What is there; None when nothing is."""
        return await asyncio.to_thread(self._request, service, "GET", path, params=parameters)

    async def create(self, service: str, path: str, body: Body) -> Body:
        return await asyncio.to_thread(self._request, service, "POST", path, json=body) or {}

    async def delete(self, service: str, path: str) -> None:
        """Quiet when it is gone already."""
        await asyncio.to_thread(self._request, service, "DELETE", path)

    def _request(self, service: str, method: str, path: str, **more: Any) -> Body | None:
        from keystoneauth1 import exceptions

        if self._session is None:
            self._session = self._log_in()
        region = self.settings.get("Global", "region", fallback=None)
        filters = {"service_type": service, "interface": "public", "region_name": region}
        try:
            response = self._session.request(path, method, endpoint_filter=filters, raise_exc=False, **more)
        except exceptions.ClientException as error:
            raise GroundError(f"{service}: {error}") from None
        if response.status_code == 404 and method in ("GET", "DELETE"):
            return None
        if not response.ok:
            raise GroundError(f"{method} {path}: {response.status_code} {_reason(response)}")
        return response.json() if response.content else None

    def _log_in(self) -> Any:
        from keystoneauth1 import session
        from keystoneauth1.identity import v3

        about = self.settings["Global"]
        if "trust-id" in about:
            auth = v3.Password(
                about["auth-url"], user_id=about["user-id"], password=about["password"], trust_id=about["trust-id"]
            )
        else:
            auth = v3.ApplicationCredential(
                about["auth-url"],
                application_credential_id=about["application-credential-id"],
                application_credential_secret=about["application-credential-secret"],
            )
        return session.Session(auth=auth, timeout=TIMEOUT)


def _reason(response: Any) -> str:
    """The sentence in an error's body, whichever service's form it has."""
    try:
        body = response.json()
    except ValueError:
        return response.text[:200]
    if "faultstring" in body:
        return body["faultstring"]
    inner = next(iter(body.values()), body)
    return inner.get("message", str(inner)) if isinstance(inner, dict) else str(inner)
