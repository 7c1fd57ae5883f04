"""The Kubernetes API, thin: a kubeconfig as the `kubernetes` library reads it, and objects as the API gives them."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import anyio

from zerojhub.errors import ZeroJHubError

if TYPE_CHECKING:
    import httpx

FIELD_MANAGER = "zerojhub"
OURS = {"app.kubernetes.io/managed-by": "zerojhub"}
"""The label of what this program makes in a cluster."""


class KubeError(ZeroJHubError):
    """The Kubernetes API refused a request, or gives no answer: then `status` (HTTP) is None (exit code 1).

    `causes`: what is wrong with an object, each with `field` and `message`, where the API lists it.
    """

    def __init__(
        self, message: str, *, status: int | None = None, causes: list[dict] | None = None, **more: str | None
    ):
        super().__init__(message, **more)
        self.status, self.causes = status, causes or []


class Kube:
    """A cluster's API. Kinds are written with their version: `v1/Pod`, `apps/v1/Deployment`.

    Every method raises KubeError. Objects are the API's own JSON, as dicts.
    """

    def __init__(self, client: httpx.AsyncClient, server_name: str | None):
        self._client = client
        self._extensions = {"sni_hostname": server_name} if server_name else {}

    async def version(self) -> str:
        """The API server's version, such as `v1.34.4`."""
        return (await self._json("GET", "/version"))["gitVersion"]

    async def get(self, kind: str, name: str, namespace: str | None = None) -> dict | None:
        """The object, or None when there is none of the name."""
        try:
            return await self._json("GET", _path(kind, namespace, name))
        except KubeError as error:
            if error.status == 404:
                return None
            raise

    async def list(self, kind: str, namespace: str | None = None, *, labels: str = "", fields: str = "") -> list[dict]:
        """The objects in a namespace (or in all of them) that fit the label and field selectors."""
        query = {key: value for key, value in (("labelSelector", labels), ("fieldSelector", fields)) if value}
        return (await self._json("GET", _path(kind, namespace), query=query))["items"]

    async def apply(self, manifest: dict) -> dict:
        """Make the object, or bring it to what the manifest says (server-side apply; our word wins)."""
        meta = manifest["metadata"]
        path = _path(f"{manifest['apiVersion']}/{manifest['kind']}", meta.get("namespace"), meta["name"])
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return await self._json("PATCH", path, query=query, body=manifest, content="application/apply-patch+yaml")

    async def create(self, manifest: dict) -> dict:
        """Make the object, which is not there yet; what the manifest has beyond its kind's fields is refused (400)."""
        path = _path(f"{manifest['apiVersion']}/{manifest['kind']}", manifest["metadata"].get("namespace"))
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        return await self._json("POST", path, query=query, body=manifest, content="application/json")

    async def merge(self, kind: str, name: str, namespace: str | None, change: dict) -> dict:
        """Change the fields that are said (a JSON merge patch); None takes one away."""
        path = _path(kind, namespace, name)
        return await self._json("PATCH", path, body=change, content="application/merge-patch+json")

    async def annotate(self, kind: str, name: str, namespace: str | None = None, **annotations: str | None) -> None:
        """Set annotations `zerojhub.io/KEY` (underscores become dashes); None takes one away."""
        keys = {f"zerojhub.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
        await self.merge(kind, name, namespace, {"metadata": {"annotations": keys}})

    async def delete(self, kind: str, name: str, namespace: str | None = None, *, wait: float = 0) -> None:
        """Delete the object and what hangs on it; quiet when it is not there. `wait` for it to be gone, in seconds."""
        path, body = _path(kind, namespace, name), {"propagationPolicy": "Background"}
        try:
            await self._json("DELETE", path, body=body, content="application/json")
            with anyio.fail_after(wait) if wait else anyio.CancelScope():
                while wait and await self.get(kind, name, namespace):
                    await anyio.sleep(0.5)
        except KubeError as error:
            if error.status != 404:
                raise
        except TimeoutError:
            raise KubeError(f"{kind} {name} is still there {wait:g} s after it was deleted") from None

    async def evict(self, pod: str, namespace: str) -> None:
        """Have the pod leave its node; KubeError 429 while a disruption budget forbids it."""
        meta = {"name": pod, "namespace": namespace}
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": meta}
        await self._json("POST", f"{_path('v1/Pod', namespace, pod)}/eviction", body=body, content="application/json")

    async def logs(
        self, namespace: str, pod: str, container: str | None = None, *, lines: int | None = 100, **query
    ) -> str:
        """The end of a container's log, or all of it; `previous="true"` asks for the run before the present one."""
        query |= {key: value for key, value in (("tailLines", lines), ("container", container)) if value}
        return (await self._request("GET", f"{_path('v1/Pod', namespace, pod)}/log", query=query)).text

    async def follow(self, namespace: str, pod: str, container: str) -> AsyncIterator[str]:
        """The lines of a container's log from its beginning, each as it comes, until the container has ended."""
        import httpx

        path, query = f"{_path('v1/Pod', namespace, pod)}/log", {"container": container, "follow": "true"}
        timeout = httpx.Timeout(30, read=None)  # it may have nothing to say for hours
        asked = {"params": query, "timeout": timeout, "extensions": self._extensions}
        try:
            async with self._client.stream("GET", path, **asked) as answer:
                if answer.is_error:
                    await answer.aread()
                    raise _refusal(answer, "GET", path)
                async for line in answer.aiter_lines():
                    yield line
        except httpx.TransportError as error:
            raise self._silence(error) from None

    async def close(self) -> None:
        await self._client.aclose()

    async def _json(self, method: str, path: str, **more: Any) -> dict:
        return (await self._request(method, path, **more)).json()

    async def _request(
        self, method: str, path: str, *, query: dict | None = None, body: dict | None = None, content: str | None = None
    ) -> httpx.Response:
        import httpx

        data = json.dumps(body).encode() if body is not None else None
        headers = {"content-type": content} if content else {}
        try:
            answer = await self._client.request(
                method, path, params=query, content=data, headers=headers, extensions=self._extensions
            )
        except httpx.TransportError as error:
            raise self._silence(error) from None
        if answer.is_error:
            raise _refusal(answer, method, path)
        return answer

    def _silence(self, error: Exception) -> KubeError:
        why = str(error) or type(error).__name__
        return KubeError(f"the Kubernetes API does not answer: {why}", where=str(self._client.base_url))


def connect(kubeconfig: dict | bytes, port: int | None = None) -> Kube:
    """A client for the kubeconfig's current context; through the forwarded loopback `port` when there is one.

    Raises KubeError for a kubeconfig that cannot be used.
    """
    import httpx
    from kubernetes.client import Configuration
    from kubernetes.config import ConfigException, load_kube_config_from_dict
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    config = Configuration()
    try:
        if isinstance(kubeconfig, bytes):
            kubeconfig = YAML(typ="safe").load(kubeconfig)
        load_kube_config_from_dict(kubeconfig, client_configuration=config, persist_config=False)
        tls = _tls(config)
    except (ConfigException, YAMLError, OSError, ValueError) as error:
        raise KubeError(f"the kubeconfig cannot be used: {error}") from None
    url, server_name = httpx.URL(config.host), getattr(config, "tls_server_name", None)
    if port:
        # The certificate is for the name that the kubeconfig gives, not for this end of the forward.
        url, server_name = url.copy_with(host="127.0.0.1", port=port), server_name or url.host
    headers = {setting["key"]: setting["value"] for setting in config.auth_settings().values()}
    # A proxy of the environment is for the way to the cloud, not for the forward.
    client = httpx.AsyncClient(base_url=url, headers=headers, verify=tls, timeout=30, trust_env=port is None)
    return Kube(client, server_name)


def _tls(config) -> ssl.SSLContext:
    tls = ssl.create_default_context(cafile=config.ssl_ca_cert)
    # Cluster CAs seldom have all the extensions that Python 3.13 came to ask for.
    tls.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    if not config.verify_ssl:
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    if config.cert_file:
        tls.load_cert_chain(config.cert_file, config.key_file)
    return tls


def _path(kind: str, namespace: str | None = None, name: str | None = None) -> str:
    version, _, word = kind.rpartition("/")
    plural = word.lower() + ("es" if word.endswith("s") else "s")
    if plural.endswith("ys"):
        plural = plural[:-2] + "ies"
    parts = ["/apis" if "/" in version else "/api", version]
    parts += ["namespaces", namespace] if namespace else []
    return "/".join([*parts, plural, *([name] if name else [])])


def _refusal(answer: httpx.Response, method: str, path: str) -> KubeError:
    try:
        said = answer.json()
        message, causes = said["message"], (said.get("details") or {}).get("causes")
    except (ValueError, KeyError):
        message, causes = f"{answer.status_code} {answer.text[:200]}".strip(), None
    return KubeError(message, status=answer.status_code, causes=causes, where=f"Kubernetes {method} {path}")
