"""One authenticated session with a cloud of clouds.yaml, and an adapter for each of its services.

Answers are the services' own JSON, as dicts. Calls run in a thread, so that independent ones overlap.
Errors: UserError (exit 2) for a cloud that is not named anywhere, that refuses the credentials or that does not answer at
all; CloudError (exit 1) for what a service refuses later, with its own text and request id.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import types
from collections.abc import AsyncIterator
from functools import cached_property
from typing import Any

import anyio
import anyio.to_thread

from zerojhub.errors import CloudError, UserError
from zerojhub.text import one_line

TIMEOUT = 60.0
"""Seconds that one request may take; nothing the kit asks of an API is slower than that."""

INCOMPLETE = "field/attribute master_count"
"""What Magnum says of a cluster, and of all in a list, in the moment in which it has no node groups: yet, or any more."""
INCOMPLETE_TIMES, INCOMPLETE_PAUSE = 10, 0.5
"""How often, and after how many seconds, such a request is made again."""


def load_config():
    """openstacksdk's reader of clouds.yaml, without the proxies of fifty services.

    `import openstack` pulls in all of them, half a second that a `cluster list` would spend on nothing: an empty stand-in
    for the package's own `__init__` lets `openstack.config` be imported alone.
    """
    if "openstack" not in sys.modules:
        spec = importlib.util.find_spec("openstack")
        package = types.ModuleType("openstack")
        package.__path__, package.__spec__ = spec.submodule_search_locations, spec
        sys.modules["openstack"] = package
    import openstack.config

    return openstack.config.OpenStackConfig


class Cloud:
    """A cloud to work in, named as in clouds.yaml (None: what OS_CLOUD or the OS_* variables say)."""

    def __init__(self, name: str | None = None):
        self._named = name
        self.container_infra = Service(self, "container-infra", version="v1", microversion="latest")
        self.compute = Service(self, "compute", version="v2.1", microversion="2.60")
        self.network = Service(self, "network", version="v2.0")
        self.image = Service(self, "image", version="v2")
        self.volume = Service(self, "block-storage")
        self.load_balancer = Service(self, "load-balancer", version="v2.0")
        self.orchestration = Service(self, "orchestration")

    @cached_property
    def region(self):
        """openstacksdk's CloudRegion: credentials, region, interface, certificates."""
        config_class = load_config()
        from keystoneauth1 import exceptions as ksa
        from openstack.exceptions import ConfigException

        try:
            config = config_class(app_name="zerojhub")
            names = [name for name in config.get_cloud_names() if name]
            wanted = self._named or config.default_cloud
            if self._named and self._named not in names:
                files = " or ".join(str(path) for path in config._config_files[:2])
                known = f"known: {', '.join(sorted(names))}" if names else "none is defined"
                raise UserError(
                    f"no cloud named {self._named!r} in clouds.yaml ({known})",
                    hint=f"add it to {files}, or name its file in OS_CLIENT_CONFIG_FILE",
                )
            return config.get_one(cloud=wanted)
        except (ConfigException, ksa.ClientException) as error:
            hint = "name one with --cloud, in the deployment file or in OS_CLOUD"
            raise UserError(f"clouds.yaml: {one_line(str(error))}", hint=hint) from error

    @property
    def name(self) -> str:
        return self._named or self.region.name or "environment"

    @cached_property
    def session(self):
        """keystoneauth1 Session; authenticates at its first request."""
        from keystoneauth1.exceptions import ClientException

        try:
            session = self.region.get_session()
        except ClientException as error:
            raise UserError(f"cloud {self.name}: {one_line(str(error))}") from error
        session.timeout = TIMEOUT
        return session

    def authenticate(self) -> None:
        """Get a token now. UserError when the credentials or the address of Keystone are wrong."""
        from keystoneauth1 import exceptions as ksa

        auth_url = self.region.config.get("auth", {}).get("auth_url", "?")
        try:
            self.session.get_token()
        except ksa.Unauthorized as error:
            raise UserError(
                f"Keystone refused the credentials of cloud {self.name}: {one_line(error.message)}",
                where=f"keystone {error.request_id or auth_url}",
                hint="check the user, password or application credential in clouds.yaml",
            ) from error
        except (ksa.ConnectionError, ksa.DiscoveryFailure, ksa.NotFound) as error:
            raise UserError(
                f"Keystone of cloud {self.name} does not answer: {one_line(str(error))}",
                where=auth_url,
                hint="check auth_url in clouds.yaml, and the way to it",
            ) from error
        except ksa.ClientException as error:
            raise UserError(f"cloud {self.name}: {one_line(str(error))}", where=auth_url) from error

    @property
    def project_id(self) -> str:
        return self.session.get_project_id()


class Service:
    """One service of the cloud. Paths are below its versioned endpoint: `await cloud.compute.get("/servers")`."""

    def __init__(self, cloud: Cloud, service_type: str, *, version: str | None = None, microversion: str | None = None):
        self._cloud, self.type, self._version, self._microversion = cloud, service_type, version, microversion
        self.newest: tuple[int, ...] | None = None
        """The newest microversion that the service has, once it has answered and if it says so (Magnum does)."""

    @cached_property
    def endpoint(self) -> str:
        """The endpoint in the catalogue; clouds list it with or without a version, the paths here need one."""
        from keystoneauth1.exceptions import EndpointNotFound

        region = self._cloud.region
        self._cloud.authenticate()
        try:
            url = region.get_endpoint(self.type) or self._cloud.session.get_endpoint(
                service_type=self.type,
                interface=region.get_interface(self.type),
                region_name=region.get_region_name(self.type),
            )
        except EndpointNotFound:
            url = None
        if url is None:
            raise CloudError(f"cloud {self._cloud.name} has no {self.type} service in its catalogue")
        url = url.rstrip("/")
        has_version = re.search(r"/v\d[\d.]*(/[^/]+)?$", url)
        return url if has_version or not self._version else f"{url}/{self._version}"

    def _request(self, method: str, path: str, microversion: str | None, **arguments: Any) -> Any:
        from keystoneauth1 import exceptions as ksa

        try:
            answer = self._cloud.session.request(
                path if path.startswith("http") else self.endpoint + path,
                method,
                endpoint_filter={"service_type": self.type},
                microversion=microversion or self._microversion,
                headers={"Accept": "application/json"},
                **arguments,
            )
        except ksa.HttpError as error:
            raise self._refusal(error) from error
        except ksa.ClientException as error:
            raise CloudError(f"{self.type} does not answer: {one_line(str(error))}") from error
        if newest := answer.headers.get("OpenStack-API-Maximum-Version"):
            self.newest = tuple(int(number) for number in newest.split()[-1].split("."))
        return answer.json() if answer.content else None

    def _refusal(self, error) -> CloudError:
        where = f"{self.type} {error.request_id}" if error.request_id else self.type
        return CloudError(refusal_text(error), status=error.http_status, where=where)

    async def _call(self, method: str, path: str, microversion: str | None = None, **arguments: Any) -> Any:
        return await anyio.to_thread.run_sync(
            lambda: self._request(method, path, microversion, **arguments), abandon_on_cancel=True
        )

    async def get(self, path: str, *, microversion: str | None = None, **query: Any) -> Any:
        for _ in range(INCOMPLETE_TIMES):
            try:
                return await self._call("GET", path, microversion, params=query)
            except CloudError as error:
                if INCOMPLETE not in str(error):
                    raise
            await anyio.sleep(INCOMPLETE_PAUSE)
        return await self._call("GET", path, microversion, params=query)

    async def find(self, path: str, **query: Any) -> Any | None:
        """Like get, but None for what is not there (404)."""
        try:
            return await self.get(path, **query)
        except CloudError as error:
            if error.status == 404:
                return None
            raise

    async def post(self, path: str, body: Any, *, microversion: str | None = None) -> Any:
        return await self._call("POST", path, microversion, json=body)

    async def put(self, path: str, body: Any) -> Any:
        return await self._call("PUT", path, json=body)

    async def patch(self, path: str, body: Any, *, microversion: str | None = None) -> Any:
        return await self._call("PATCH", path, microversion, json=body)

    async def delete(self, path: str, **query: Any) -> None:
        """Delete it; quiet when it is not there any more."""
        try:
            await self._call("DELETE", path, params=query)
        except CloudError as error:
            if error.status != 404:
                raise

    async def pages(self, path: str, key: str, **query: Any) -> AsyncIterator[dict]:
        """Every item of a list, over all of its pages (`KEY_links` or `next`, as the services have it)."""
        answer = await self.get(path, **query)
        while True:
            for item in answer[key]:
                yield item
            links = answer.get(f"{key}_links") or []
            following = next((link["href"] for link in links if link.get("rel") == "next"), answer.get("next"))
            if not following:
                return
            answer = await self.get(
                following if following.startswith("http") else path + "?" + following.partition("?")[2]
            )

    async def all(self, path: str, key: str, **query: Any) -> list[dict]:
        return [item async for item in self.pages(path, key, **query)]


def refusal_text(error) -> str:
    """What the service itself said, out of the body that each of them shapes in its own way."""
    try:
        body = error.response.json()
    except (AttributeError, ValueError):
        return one_line(error.message or str(error))
    if errors := body.get("errors"):  # Magnum
        return one_line(errors[0].get("detail") or errors[0].get("title") or "")
    if "faultstring" in body:  # Octavia
        return one_line(body["faultstring"])
    for value in body.values():  # Keystone, Heat: error; Neutron: NeutronError; Nova, Cinder: the fault's name
        if isinstance(value, dict) and value.get("message"):
            return one_line(value["message"])
    return one_line(body.get("message") or error.message or str(error))
