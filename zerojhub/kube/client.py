"""The Kubernetes API over httpx: requests by kind and name, answers as typed objects (see `kinds` and `types`)."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from zerojhub import masking
from zerojhub.errors import ZeroJHubError
from zerojhub.waiting import NotYet, TimedOut, wait_until

if TYPE_CHECKING:
    import httpx

    from zerojhub.kube.kinds import Kind
    from zerojhub.kube.types import Manifest

T = TypeVar("T")

FIELD_MANAGER = "zerojhub"
OURS = {"app.kubernetes.io/managed-by": "zerojhub"}
"""The label of every object that zerojhub creates."""


class StatusCause(TypedDict, total=False):
    """One of the reasons that the API server gives for rejecting an object."""

    reason: str
    message: str
    field: str
    """As in `spec.template.spec.containers[0].image`."""


class Resource(TypedDict):
    """How the API server serves a kind."""

    name: str
    """In paths, such as `configmaps`."""
    kind: str
    namespaced: bool


class KubeError(ZeroJHubError):
    """The Kubernetes API rejected a request, or did not respond: then `status` (HTTP) is None (exit code 1).

    `causes`: what is wrong with the object, where the API says so.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        causes: list[StatusCause] | None = None,
        where: str | None = None,
        hint: str | None = None,
    ):
        super().__init__(message, where=where, hint=hint)
        self.status, self.causes = status, causes or []


class Kube:
    """A cluster's API. Every method raises KubeError."""

    def __init__(self, client: httpx.AsyncClient, server_name: str | None):
        self._client = client
        self._extensions = {"sni_hostname": server_name} if server_name else {}

    async def version(self) -> str:
        """The API server's version, such as `v1.34.4`."""
        version: str = (await self._request("GET", "/version")).json()["gitVersion"]
        return version

    async def get(self, kind: Kind[T], name: str, namespace: str | None = None) -> T | None:
        """The object; None if it does not exist."""
        try:
            found: T = (await self._request("GET", _path(kind, namespace, name))).json()
        except KubeError as error:
            if error.status == 404:
                return None
            raise
        return found

    async def list(self, kind: Kind[T], namespace: str | None = None, *, labels: str = "", fields: str = "") -> list[T]:
        """The objects of a namespace (None: of all) that match the label and field selectors."""
        query = {key: value for key, value in (("labelSelector", labels), ("fieldSelector", fields)) if value}
        items: list[T] = (await self._request("GET", _path(kind, namespace), query=query)).json()["items"]
        return items

    async def apply(self, manifest: Manifest) -> None:
        """Create the object or update it to match the manifest (server-side apply, taking over conflicting fields)."""
        meta = manifest["metadata"]
        path = _path(f"{manifest['apiVersion']}/{manifest['kind']}", meta.get("namespace"), meta["name"])
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        await self._request("PATCH", path, query=query, body=manifest, content="application/apply-patch+yaml")

    async def resource(self, version: str, kind: str) -> Resource | None:
        """How the API server serves a kind of an API version such as `batch/v1`; None if it does not."""
        try:
            answer = await self._request("GET", f"{'/apis' if '/' in version else '/api'}/{version}")
        except KubeError as error:
            if error.status == 404:
                return None
            raise
        listed: list[Resource] = answer.json()["resources"]
        # Names with a slash are parts, such as `pods/log`.
        return next((each for each in listed if each["kind"] == kind and "/" not in each["name"]), None)

    async def create(self, kind: Kind[T], manifest: Manifest, *, dry_run: bool = False) -> T:
        """Create the object and return it. Fields that its kind does not have are rejected (400).

        `dry_run`: only check whether the API server would accept it.
        """
        path = _path(kind, manifest["metadata"].get("namespace"))
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}
        created: T = (await self._request("POST", path, query=query, body=manifest)).json()
        return created

    async def merge(self, kind: Kind[T], name: str, namespace: str | None, change: Mapping[str, Any]) -> T:
        """Apply a JSON merge patch, in which None removes a field, and return the object."""
        path = _path(kind, namespace, name)
        answer = await self._request("PATCH", path, body=change, content="application/merge-patch+json")
        changed: T = answer.json()
        return changed

    async def annotate(
        self, kind: Kind[object], name: str, namespace: str | None = None, **annotations: str | None
    ) -> None:
        """Set annotations `zerojhub.io/KEY` (underscores become dashes); None removes one."""
        keys = {f"zerojhub.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
        await self.merge(kind, name, namespace, {"metadata": {"annotations": keys}})

    async def delete(
        self,
        kind: Kind[object],
        name: str,
        namespace: str | None = None,
        *,
        wait: float = 0,
        dependents_first: bool = False,
    ) -> None:
        """Delete the object and its dependents, if it exists. `wait`: up to so many seconds until it is gone."""
        path = _path(kind, namespace, name)
        body = {"propagationPolicy": "Foreground" if dependents_first else "Background"}
        try:
            await self._request("DELETE", path, body=body)
        except KubeError as error:
            if error.status != 404:
                raise
            return
        if wait:

            async def is_gone() -> bool | NotYet:
                return NotYet() if await self.get(kind, name, namespace) else True

            try:
                await wait_until(is_gone, timeout=wait, pause=(0.3, 1))
            except TimedOut:
                raise KubeError(f"{kind} {name} still exists {wait:g} s after it was deleted") from None

    async def evict(self, pod: str, namespace: str) -> None:
        """Evict the pod from its node; KubeError 429 while a disruption budget forbids it."""
        meta = {"name": pod, "namespace": namespace}
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": meta}
        await self._request("POST", f"{_path('v1/Pod', namespace, pod)}/eviction", body=body)

    async def logs(
        self,
        namespace: str,
        pod: str,
        container: str | None = None,
        *,
        lines: int | None = 100,
        previous: bool = False,
    ) -> str:
        """The last lines of a container's log (None: all of them); `previous`: of its run before the current one."""
        query = {"container": container, "tailLines": lines and str(lines), "previous": "true" if previous else None}
        path = f"{_path('v1/Pod', namespace, pod)}/log"
        return (await self._request("GET", path, query={key: value for key, value in query.items() if value})).text

    async def follow(self, namespace: str, pod: str, container: str) -> AsyncIterator[str]:
        """The lines of a container's log from its beginning, each as it is written, until the container exits."""
        path = f"{_path('v1/Pod', namespace, pod)}/log"
        async for line in self._lines(path, {"container": container, "follow": "true"}):
            yield line

    async def watch(
        self, kind: Kind[T], namespace: str, *, labels: str = "", fields: str = "", since: str = ""
    ) -> AsyncIterator[T]:
        """The objects that match the selectors, each as it is now and after every change, the last one being its deletion.

        `since`: only changes after this resourceVersion. Ends when the API server ends it, after some minutes.
        """
        query = {"labelSelector": labels, "fieldSelector": fields, "resourceVersion": since}
        chosen = {key: value for key, value in query.items() if value}
        async for line in self._lines(_path(kind, namespace), chosen | {"watch": "true"}):
            event = json.loads(line)
            if event["type"] == "ERROR":
                raise KubeError(event["object"]["message"], status=event["object"].get("code"))
            changed: T = event["object"]
            yield changed

    async def _lines(self, path: str, query: dict[str, str]) -> AsyncIterator[str]:
        import httpx

        timeout = httpx.Timeout(30, read=None)  # nothing may come for hours
        try:
            async with self._client.stream(
                "GET", path, params=query, timeout=timeout, extensions=self._extensions
            ) as answer:
                if answer.is_error:
                    await answer.aread()
                    raise _rejection(answer, "GET", path)
                async for line in answer.aiter_lines():
                    yield line
        except (httpx.TransportError, ssl.SSLError) as error:  # SSLError: the client certificate is rejected
            raise self._no_response(error) from None

    async def close(self) -> None:
        await self._client.aclose()

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content: str = "application/json",
    ) -> httpx.Response:
        import httpx

        data = json.dumps(body).encode() if body is not None else None
        headers = {"content-type": content} if data else {}
        try:
            answer = await self._client.request(
                method, path, params=query, content=data, headers=headers, extensions=self._extensions
            )
        except (httpx.TransportError, ssl.SSLError) as error:  # SSLError: the client certificate is rejected
            raise self._no_response(error) from None
        if answer.is_error:
            raise _rejection(answer, method, path)
        return answer

    def _no_response(self, error: Exception) -> KubeError:
        why = str(error) or type(error).__name__
        return KubeError(f"the Kubernetes API does not respond: {why}", where=str(self._client.base_url))


def connect(kubeconfig: Mapping[str, Any] | bytes, port: int | None = None) -> Kube:
    """A client for the kubeconfig's current context, through the forwarded loopback `port` if there is one.

    Raises KubeError for a kubeconfig that cannot be used.
    """
    import httpx

    from zerojhub.kube.kubeconfig import InvalidKubeconfig, read

    try:
        config = read(kubeconfig)
    except InvalidKubeconfig as error:
        raise KubeError(f"invalid kubeconfig: {error}") from None
    masking.remember(config.token)
    url, server_name = httpx.URL(config.server), config.tls_server_name
    if port:
        # The certificate is valid for the host in the kubeconfig, not for this end of the tunnel.
        url, server_name = url.copy_with(host="127.0.0.1", port=port), server_name or url.host
    headers = {"authorization": f"Bearer {config.token}"} if config.token else {}
    # A proxy from the environment applies to the cloud, not to the tunnel.
    client = httpx.AsyncClient(base_url=url, headers=headers, verify=config.tls, timeout=30, trust_env=port is None)
    return Kube(client, server_name)


def _path(kind: str, namespace: str | None = None, name: str | None = None) -> str:
    version, _, word = kind.rpartition("/")
    plural = word.lower() + ("es" if word.endswith("s") else "s")
    if plural.endswith("ys"):
        plural = plural[:-2] + "ies"
    if word.islower():  # as Resource.name has it
        plural = word
    parts = ["/apis" if "/" in version else "/api", version]
    parts += ["namespaces", namespace] if namespace else []
    return "/".join([*parts, plural, *([name] if name else [])])


def _rejection(answer: httpx.Response, method: str, path: str) -> KubeError:
    try:
        said = answer.json()
        message, causes = said["message"], (said.get("details") or {}).get("causes")
    except (ValueError, KeyError):
        message, causes = f"{answer.status_code} {answer.text[:200]}".strip(), None
    return KubeError(message, status=answer.status_code, causes=causes, where=f"Kubernetes {method} {path}")
