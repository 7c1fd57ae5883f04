"""A minimal client for the Kubernetes API of a cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx

from zerojhub.practice.ground import GroundError
from zerojhub.practice.machines.pki import trusting

Object = dict[str, Any]


class KubeAPI:
    """A client with cluster-admin rights. Raises GroundError for errors from the API."""

    def __init__(self, server: str, ca: str, certificate: Path, key: Path):
        self._server, self._certificate, self._key = server, certificate, key
        self.trust(ca)

    def trust(self, ca: str) -> None:
        """Use this CA for the server, and reload the client certificate from its file."""
        context = trusting(ca)
        context.load_cert_chain(self._certificate, self._key)
        self._client = httpx.AsyncClient(base_url=self._server, verify=context, timeout=30, trust_env=False)

    async def answers(self) -> bool:
        """Whether the API server is ready."""
        try:
            return (await self._client.get("/readyz", timeout=2)).status_code == 200
        except httpx.HTTPError:
            return False

    async def get(self, path: str, **parameters: str) -> Object | None:
        """An object or a list; None if it does not exist."""
        response = await self._request("GET", path, params=parameters)
        return None if response.status_code == 404 else response.json()

    async def create(self, path: str, body: Object) -> Object | None:
        """The created object; None if the name is taken."""
        response = await self._request("POST", path, json=body, allowed=(404, 409, 429))
        return response.json() if response.is_success else None

    async def apply(self, path: str, body: Object) -> None:
        """Server-side apply: create or change the object."""
        await self._request(
            "PATCH",
            path,
            params={"fieldManager": "practice", "force": "true"},
            content=json.dumps(body),
            headers={"Content-Type": "application/apply-patch+yaml"},
        )

    async def merge(self, path: str, body: Object) -> bool:
        """Change some fields; False if the object does not exist."""
        headers = {"Content-Type": "application/merge-patch+json"}
        return (await self._request("PATCH", path, content=json.dumps(body), headers=headers)).status_code != 404

    async def delete(self, path: str) -> None:
        await self._request("DELETE", path)

    async def close(self) -> None:
        await self._client.aclose()

    async def _request(self, method: str, path: str, allowed: tuple[int, ...] = (404,), **more: Any) -> httpx.Response:
        try:
            response = await self._client.request(method, path, **more)
        except httpx.HTTPError as error:
            raise GroundError(
                f"no response from Kubernetes to {method} {path}: {error or type(error).__name__}"
            ) from None
        if response.is_error and response.status_code not in allowed:
            try:
                said = response.json()["message"]
            except (ValueError, KeyError):
                said = response.text[:200]
            raise GroundError(f"Kubernetes rejected {method} {path}: {said}")
        return response
