"""The Kubernetes API over httpx: requests by kind and name, answers as typed objects (see `kinds` and `types`)."""

from __future__ import annotations

import json
import re
import secrets
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from types import GenericAlias
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from typing_extensions import TypedDict

from zerojhub import clocks, masking, retry
from zerojhub.answers import Unexpected, checked
from zerojhub.clocks import Clock
from zerojhub.errors import ZeroJHubError
from zerojhub.retry import Fault, Transient
from zerojhub.waiting import NotYet, TimedOut, wait_until

if TYPE_CHECKING:
    import httpx
    from websockets.asyncio.client import connect as connect_websocket

    from zerojhub.kube.kinds import Kind
    from zerojhub.kube.types import Manifest, NodeStats

T = TypeVar("T")

FIELD_MANAGER = "zerojhub"
OURS = {"app.kubernetes.io/managed-by": "zerojhub"}
"""The label of every object that zerojhub creates."""
REQUEST = "zerojhub.io/request"
"""The annotation that tells whether an object was created by a request whose answer was lost."""
SERVICE = "Kubernetes"
"""As progress calls it."""
CONNECT_TIMEOUT, READ_TIMEOUT, WRITE_TIMEOUT = 10.0, 20.0, 60.0
"""Seconds until a connection is made, and until the answer to a read or a write begins."""
STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\S+) ")
"""What a line of a log begins with, if it was requested with timestamps."""


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


class Status(TypedDict, total=False):
    """What the API server says instead of an object."""

    message: str
    code: int
    details: StatusDetails | None


class StatusDetails(TypedDict, total=False):
    """More about a rejection."""

    causes: list[StatusCause] | None


class WatchEvent(TypedDict):
    """A line of a watch: `object` has changed, or is a Status if the type is ERROR."""

    type: str
    object: dict[str, object]


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


class KubeUnavailable(KubeError):
    """The Kubernetes API kept failing: another attempt later may succeed (exit code 1)."""


class Kube:
    """A cluster's API. Every method raises KubeError; those that are not repeatable OutcomeUnknown.

    Requests that fail with a transient fault are sent again as zerojhub/retry.py decides.
    """

    def __init__(self, client: httpx.AsyncClient, server_name: str | None, tls: ssl.SSLContext | None = None):
        self._client, self._server_name, self._tls = client, server_name, tls
        self._extensions = {"sni_hostname": server_name} if server_name else {}
        self._renewing = anyio.Lock()
        self._replaced: list[httpx.AsyncClient] = []
        self.clock = Clock()
        self.renew: Callable[[], Awaitable[Kube]] | None = None
        """Connects with new credentials when the API server no longer accepts the current ones."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port at which this client reaches the API server: perhaps this end of a tunnel."""
        url = self._client.base_url
        return url.host, url.port or 443

    async def version(self) -> str:
        """The API server's version, such as `v1.34.4`."""
        version: str = await self._request("GET", "/version", of=str, within="gitVersion")
        return version

    async def get(self, kind: Kind[T], name: str, namespace: str | None = None) -> T | None:
        """The object; None if it does not exist."""
        try:
            found: T = await self._request("GET", _path(kind, namespace, name), of=kind.type)
        except KubeError as error:
            if error.status == 404:
                return None
            raise
        return found

    async def list(self, kind: Kind[T], namespace: str | None = None, *, labels: str = "", fields: str = "") -> list[T]:
        """The objects of a namespace (None: of all) that match the label and field selectors."""
        query = {"labelSelector": labels, "fieldSelector": fields}
        several = GenericAlias(list, (kind.type,)) | None  # Go writes an empty list as null
        items: list[T] | None = await self._request(
            "GET", _path(kind, namespace), query=query, of=several, within="items"
        )
        return items or []

    async def apply(self, manifest: Manifest) -> None:
        """Create the object or update it to match the manifest (server-side apply, taking over conflicting fields)."""
        meta = manifest["metadata"]
        path = _path(f"{manifest['apiVersion']}/{manifest['kind']}", meta.get("namespace"), meta["name"])
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        await self._request("PATCH", path, query=query, body=manifest, content="application/apply-patch+yaml")

    async def resource(self, version: str, kind: str) -> Resource | None:
        """How the API server serves a kind of an API version such as `batch/v1`; None if it does not."""
        try:
            path = f"{'/apis' if '/' in version else '/api'}/{version}"
            listed: list[Resource] = await self._request(
                "GET", path, of=GenericAlias(list, (Resource,)), within="resources"
            )
        except KubeError as error:
            if error.status == 404:
                return None
            raise
        # Names with a slash are parts, such as `pods/log`.
        return next((each for each in listed if each["kind"] == kind and "/" not in each["name"]), None)

    async def create(self, kind: Kind[T], manifest: Manifest, *, dry_run: bool = False) -> T:
        """Create the object and return it. Fields that its kind does not have are rejected (400).

        `dry_run`: only check whether the API server would accept it.
        """
        meta, mark = manifest["metadata"], secrets.token_hex(8)
        path = _path(kind, meta.get("namespace"))
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict", "dryRun": "All" if dry_run else ""}
        marked = manifest | {"metadata": meta | {"annotations": (meta.get("annotations") or {}) | {REQUEST: mark}}}

        async def send() -> T:
            created: T = await self._request("POST", path, query=query, body=marked, repeatable=dry_run, of=kind.type)
            return created

        async def look() -> T | None:
            listed: list[Any] = await self.list(kind, meta.get("namespace"))
            return next((each for each in listed if each["metadata"].get("annotations", {}).get(REQUEST) == mark), None)

        return await retry.settle(send, look)

    async def merge(self, kind: Kind[T], name: str, namespace: str | None, change: Mapping[str, Any]) -> T:
        """Apply a JSON merge patch, in which None removes a field, and return the object."""
        path = _path(kind, namespace, name)
        content = "application/merge-patch+json"
        changed: T = await self._request("PATCH", path, body=change, content=content, of=kind.type)
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

    async def force_delete(self, pod: str, namespace: str) -> None:
        """Delete the pod without waiting for its kubelet to say that it has ended. Only for a node that is off."""
        body = {"gracePeriodSeconds": 0, "propagationPolicy": "Background"}
        try:
            await self._request("DELETE", _path("v1/Pod", namespace, pod), body=body)
        except KubeError as error:
            if error.status != 404:
                raise

    async def evict(self, pod: str, namespace: str) -> None:
        """Evict the pod from its node; OutcomeUnknown also while a disruption budget forbids it (429)."""
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
        attempts: int = retry.ATTEMPTS,
    ) -> str:
        """The last lines of a container's log (None: all of them); `previous`: of its run before the current one."""
        path = f"{_path('v1/Pod', namespace, pod)}/log"
        query = {
            "container": container or "",
            "tailLines": str(lines or ""),
            "previous": "true" if previous else "",
        }
        text: str = await self._request("GET", path, query=query, decode=_text, attempts=attempts)
        return text

    async def stats(self, node: str) -> NodeStats:
        """What the node's kubelet measures. A single request: a kubelet that does not respond is not waited for."""
        from zerojhub.kube import types

        path = f"{_path('v1/Node', None, node)}/proxy/stats/summary"
        measured: NodeStats = await self._request("GET", path, of=types.NodeStats, attempts=1)
        return measured

    async def follow(self, namespace: str, pod: str, container: str) -> AsyncIterator[str]:
        """The lines of a container's log from its beginning, each as it is written, until the container exits.

        Continues where it was when the connection is lost.
        """
        path = f"{_path('v1/Pod', namespace, pod)}/log"
        query = {"container": container, "follow": "true", "timestamps": "true"}
        last, given = "", 0  # the time of the last line, and how many lines of that time there were

        async def rest() -> AsyncIterator[tuple[str, str]]:
            """Times and lines after those that were given."""
            until, again = last, given
            async for line in self._lines(path, query | {"sinceTime": until}):
                stamp = STAMP.match(line)
                time = stamp[1] if stamp else ""
                if until and (time < until or (time == until and again > 0)):
                    again -= time == until
                    continue
                until = ""
                yield time, line[stamp.end() :] if stamp else line

        resumed = retry.Resumed(rest)
        while (following := await retry.attempts(resumed.next, repeatable=True)) is not None:
            time, line = following
            if time:
                last, given = time, given + 1 if time == last else 1
            yield line

    async def watch(
        self, kind: Kind[T], namespace: str, *, labels: str = "", fields: str = "", since: str = ""
    ) -> AsyncIterator[T]:
        """The objects that match the selectors, each as it is now and after every change, the last one being its deletion.

        `since`: only changes after this resourceVersion. Ends when the API server ends it, after some minutes.
        """
        query = {"labelSelector": labels, "fieldSelector": fields, "resourceVersion": since, "watch": "true"}
        try:
            async for line in self._lines(_path(kind, namespace), query):
                event: WatchEvent = _checked(json.loads(line), WatchEvent, None, _path(kind, namespace))
                if event["type"] == "ERROR":
                    status: Status = _checked(event["object"], Status, None, _path(kind, namespace))
                    raise KubeError(status.get("message") or "the watch failed", status=status.get("code"))
                changed: T = _checked(event["object"], kind.type, None, _path(kind, namespace))
                yield changed
        except Transient as failed:
            raise failed.error from None
        except ValueError:
            raise KubeError(f"the watch ended: {retry.INCOMPLETE}") from None

    async def _lines(self, path: str, query: dict[str, str]) -> AsyncIterator[str]:
        """The lines of an answer that has no end. Raises Transient."""
        import httpx

        timeout = httpx.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT, read=None)  # nothing may come for hours
        try:
            async with self._client.stream(
                "GET", path, params=_given(query), timeout=timeout, extensions=self._extensions
            ) as answer:
                if answer.is_error:
                    await answer.aread()
                    raise _rejection(answer, "GET", path)
                async for line in answer.aiter_lines():
                    yield line
        except (httpx.RequestError, ssl.SSLError) as error:  # SSLError: the client certificate is rejected
            raise self._no_response(error) from None

    def websocket(self, path: str, query: Sequence[tuple[str, str]], protocol: str) -> connect_websocket:
        """A WebSocket, to be used with `async with`. It raises what websockets does."""
        from urllib.parse import urlencode

        from websockets.asyncio.client import connect
        from websockets.typing import Subprotocol

        url = self._client.base_url
        headers = {key: value for key, value in self._client.headers.items() if key.lower() == "authorization"}
        return connect(
            f"{str(url).replace('http', 'ws', 1).rstrip('/')}{path}?{urlencode(query)}",
            subprotocols=[Subprotocol(protocol)],
            additional_headers=headers,
            ssl=self._tls,
            server_hostname=self._server_name or url.host if self._tls else None,
            proxy=True if self._client.trust_env else None,
            max_size=None,
        )

    async def close(self) -> None:
        for client in (self._client, *self._replaced):
            await client.aclose()

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content: str = "application/json",
        repeatable: bool | None = None,
        decode: Callable[[httpx.Response], Any] | None = None,
        attempts: int = retry.ATTEMPTS,
        of: Any = object,
        within: str | None = None,
    ) -> Any:
        """The answer, decoded from JSON. `repeatable` as for `retry.attempts`; every request is, except POST.

        The answer, or what is at its key `within`, is checked to be of the type `of` (see `answers`).
        """
        import httpx

        params, data = _given(query or {}), json.dumps(body).encode() if body is not None else None
        headers = {"content-type": content} if data else {}
        timeout = httpx.Timeout(READ_TIMEOUT if method == "GET" else WRITE_TIMEOUT, connect=CONNECT_TIMEOUT)

        async def attempt() -> Any:
            try:
                answer = await self._send(method, path, params=params, content=data, headers=headers, timeout=timeout)
            except (httpx.RequestError, ssl.SSLError) as error:  # SSLError: the client certificate is rejected
                raise self._no_response(error) from None
            self.clock.hear(answer.headers)
            if answer.is_error:
                raise _rejection(answer, method, path)
            try:
                found = decode(answer) if decode else answer.json()
            except (ValueError, RecursionError):
                incomplete = KubeUnavailable(retry.INCOMPLETE, where=f"Kubernetes {method} {path}")
                raise Transient(Fault(SERVICE, retry.INCOMPLETE), incomplete) from None
            return _checked(found, of, within, f"{method} {path} {answer.headers.get('Audit-Id', '')}".rstrip())

        return await retry.attempts(
            attempt, repeatable=method != "POST" if repeatable is None else repeatable, limit=attempts
        )

    async def _send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Send the request, with new credentials if the current ones are rejected."""
        client = self._client
        answer = await client.request(method, path, extensions=self._extensions, **arguments)
        if answer.status_code != 401 or self.renew is None:
            return answer
        async with self._renewing:
            if client is self._client:  # no other request has renewed them meanwhile
                renewed = await self.renew()
                self._replaced.append(client)  # other requests may still use it
                self._client, self._extensions, self._tls = renewed._client, renewed._extensions, renewed._tls
        return await self._client.request(method, path, extensions=self._extensions, **arguments)

    def _no_response(self, error: Exception) -> KubeError | Transient:
        fault, where = retry.of_exception(SERVICE, error), str(self._client.base_url)
        silence = "the Kubernetes API does not respond"
        if fault is None:
            return KubeError(f"{silence}: {error or type(error).__name__}", where=where, hint=clocks.hint(error))
        return Transient(fault, KubeUnavailable(f"{silence}: {fault.answer}", where=where))


def _checked(found: Any, kind: Any, within: str | None, where: str) -> Any:
    """What was found, or what is at its key `within`. Raises KubeError unless it is of that type."""
    try:
        return checked(found, kind, within=within)
    except Unexpected as error:
        message = f"the Kubernetes API answered something unexpected: {error}"
        raise KubeError(message, where=f"Kubernetes {where}") from None


def _given(query: dict[str, str]) -> dict[str, str]:
    """The parameters that are not empty."""
    return {key: value for key, value in query.items() if value}


def _text(answer: httpx.Response) -> str:
    return answer.text


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
    client = httpx.AsyncClient(base_url=url, headers=headers, verify=config.tls, trust_env=port is None)
    return Kube(client, server_name, config.tls)


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


def _rejection(answer: httpx.Response, method: str, path: str) -> KubeError | Transient:
    try:
        given: Status = checked(answer.json(), Status)
    except (ValueError, RecursionError):  # not from the API server, but from a proxy in front of it
        given = {}
    message, causes = given.get("message"), (given.get("details") or {}).get("causes")
    if not message:
        message = f"{answer.status_code} {answer.text[:200].strip() or answer.reason_phrase}"
    where, status = f"Kubernetes {method} {path}", answer.status_code
    fault = retry.of_status(SERVICE, status, answer.headers)
    if fault is None:
        return KubeError(message, status=status, causes=causes, where=where)
    said = message if message.startswith(fault.answer) else f"{fault.answer} {message}"
    return Transient(fault, KubeUnavailable(said, status=status, where=where))
