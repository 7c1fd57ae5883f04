"""One authenticated session with a cloud of clouds.yaml, and a client for each of its services.

Answers are the services' own JSON; the modules named after the services give them types. Calls run in a thread, so that
independent ones overlap.
Errors: UserError (exit 2) for a cloud that is not defined, refuses the credentials or does not respond at all; CloudError
(exit 1) for what a service refuses later, with its own text and request id.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from zerojhub.errors import CloudError, UserError
from zerojhub.openstack.clouds_yaml import Clouds
from zerojhub.text import one_line
from zerojhub.waiting import NotYet, wait_until

if TYPE_CHECKING:
    from keystoneauth1.exceptions import HttpError
    from keystoneauth1.session import Session
    from openstack.config.cloud_region import CloudRegion

REQUEST_TIMEOUT = 60.0
"""Seconds that one request may take; no API call of the product is slower."""

INCOMPLETE = "field/attribute master_count"
"""What Magnum answers (500) for a cluster, or a list with one, while it has no node groups: just created, or almost deleted."""
INCOMPLETE_TIMEOUT, INCOMPLETE_PAUSE = 5.0, 0.5
"""Seconds to ask again for, and between two such requests."""


class Cloud:
    """A cloud to work in, named as in clouds.yaml (None: the one that OS_CLOUD or the OS_* variables select)."""

    def __init__(self, name: str | None = None):
        self._requested_name = name
        self.container_infra = Service(self, "container-infra", version="v1", microversion="latest")
        self.compute = Service(self, "compute", version="v2.1", microversion="2.60")
        self.network = Service(self, "network", version="v2.0")
        self.image = Service(self, "image", version="v2")
        self.volume = Service(self, "block-storage")
        self.load_balancer = Service(self, "load-balancer", version="v2.0")
        self.orchestration = Service(self, "orchestration")

    @cached_property
    def _clouds(self) -> Clouds:
        return Clouds()

    @cached_property
    def region(self) -> CloudRegion:
        """Credentials, region, interface and certificates. UserError when clouds.yaml does not define the cloud."""
        return self._clouds.region(self._requested_name)

    @property
    def name(self) -> str:
        return self._requested_name or self.region.name or "environment"

    @cached_property
    def session(self) -> Session:
        """The session that every request goes through; it authenticates at the first one."""
        session = self.region.get_session()
        session.timeout = REQUEST_TIMEOUT
        return session

    def authenticate(self) -> None:
        """Get a token now. UserError when the credentials or the address of Keystone are wrong."""
        from keystoneauth1 import exceptions as ksa

        auth_url = self.region.config.get("auth", {}).get("auth_url", "?")
        try:
            self.session.get_token()
        except ksa.Unauthorized as error:
            if self._clouds.secure.problems:  # which should have had the password
                raise self._clouds.secure.problems[0] from error
            raise UserError(
                f"Keystone refused the credentials of cloud {self.name}: {one_line(error.message)}",
                where=f"keystone {error.request_id or auth_url}",
                hint="check the user, password or application credential in clouds.yaml",
            ) from error
        except (ksa.ConnectionError, ksa.DiscoveryFailure, ksa.NotFound) as error:
            raise UserError(
                f"Keystone of cloud {self.name} does not respond: {one_line(str(error))}",
                where=auth_url,
                hint="check auth_url in clouds.yaml, and the network between here and there",
            ) from error
        except ksa.ClientException as error:
            raise UserError(f"cloud {self.name}: {one_line(str(error))}", where=auth_url) from error
        except OSError as error:  # a certificate or key that is there, but is none
            raise UserError(f"cloud {self.name}: {one_line(str(error))}", where=auth_url) from error
        except (LookupError, TypeError, ValueError, AttributeError) as error:  # keystoneauth checks no types
            message = f"Keystone of cloud {self.name} answered something unexpected: {type(error).__name__} {one_line(str(error))}"
            raise UserError(message, where=auth_url, hint="check auth_url in clouds.yaml") from error

    @property
    def project_id(self) -> str | None:
        """The project that the credentials are scoped to; None when they are not scoped to one."""
        return self.session.get_project_id()


class Service:
    """One service of the cloud. Paths are below its versioned endpoint: `await cloud.compute.get("/servers")`.

    Every method raises CloudError for what the service refuses, with its `status`, and when it does not respond.
    """

    def __init__(self, cloud: Cloud, service_type: str, *, version: str | None = None, microversion: str | None = None):
        self._cloud, self.type, self._version, self._microversion = cloud, service_type, version, microversion
        self.max_microversion: tuple[int, ...] | None = None
        """The newest microversion that the service has, once it has answered and if it says so (Magnum does)."""

    @cached_property
    def endpoint(self) -> str:
        """The endpoint in the catalog; clouds list it with or without a version, the paths here need one."""
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
            raise self._not_in_catalog()
        url = url.rstrip("/")
        has_version = re.search(r"/v\d[\d.]*(/[^/]+)?$", url)
        return url if has_version or not self._version else f"{url}/{self._version}"

    def _not_in_catalog(self) -> CloudError:
        catalog = self._cloud.region.get_service_catalog()
        offered = catalog.get_endpoints_data(service_type=self.type).get(self.type, []) if catalog else []
        message = f"cloud {self._cloud.name} has no {self.type} service in its catalog"
        if not offered:
            return CloudError(message)
        regions = ", ".join(sorted({str(each.region_name) for each in offered}))
        interfaces = ", ".join(sorted({str(each.interface) for each in offered}))
        region, interface = self._cloud.region.get_region_name(self.type), self._cloud.region.get_interface(self.type)
        hint = f"set region_name (of {regions}) or interface (of {interfaces}) in clouds.yaml"
        return CloudError(f"{message} for region {region} and interface {interface}", hint=hint)

    async def get(self, path: str, **query: Any) -> Any:
        """The decoded answer. Asks again while Magnum cannot show a cluster that it is creating or deleting."""
        deadline = time.monotonic() + INCOMPLETE_TIMEOUT

        async def look() -> Any:
            try:
                return await self._call("GET", path, params=query)
            except CloudError as error:
                if INCOMPLETE not in error.message or time.monotonic() > deadline:
                    raise
                return NotYet()

        return await wait_until(look, pause=(INCOMPLETE_PAUSE, INCOMPLETE_PAUSE))

    async def find(self, path: str, **query: Any) -> Any | None:
        """Like get, but None for what does not exist (404)."""
        try:
            return await self.get(path, **query)
        except CloudError as error:
            if error.status == 404:
                return None
            raise

    async def post(self, path: str, body: object) -> Any:
        return await self._call("POST", path, json=body)

    async def put(self, path: str, body: object) -> Any:
        return await self._call("PUT", path, json=body)

    async def patch(self, path: str, body: object) -> Any:
        return await self._call("PATCH", path, json=body)

    async def delete(self, path: str, **query: Any) -> None:
        """Delete it; not an error when it does not exist (404)."""
        try:
            await self._call("DELETE", path, params=query)
        except CloudError as error:
            if error.status != 404:
                raise

    async def pages(self, path: str, key: str, **query: Any) -> AsyncIterator[Any]:
        """Every item of a list, over all of its pages: the next one is in `KEY_links` or in `next`, by service."""
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

    async def all(self, path: str, key: str, **query: Any) -> list[Any]:
        """All that `pages` gives."""
        return [item async for item in self.pages(path, key, **query)]

    async def _call(self, method: str, path: str, **arguments: Any) -> Any:
        return await anyio.to_thread.run_sync(lambda: self._request(method, path, **arguments), abandon_on_cancel=True)

    def _request(self, method: str, path: str, **arguments: Any) -> Any:
        """The one place that requests pass through. `arguments` are those of keystoneauth1's Session.request."""
        from keystoneauth1 import exceptions as ksa

        try:
            answer = self._cloud.session.request(
                path if path.startswith("http") else self.endpoint + path,
                method,
                endpoint_filter={"service_type": self.type},
                microversion=self._microversion,
                headers={"Accept": "application/json"},
                **arguments,
            )
        except ksa.HttpError as error:
            where = f"{self.type} {error.request_id}" if error.request_id else self.type
            raise CloudError(refusal_text(error), status=error.http_status, where=where) from error
        except ksa.ClientException as error:
            raise CloudError(f"{self.type} does not respond: {one_line(str(error))}") from error
        if newest := answer.headers.get("OpenStack-API-Maximum-Version"):
            self.max_microversion = tuple(int(number) for number in newest.split()[-1].split("."))
        return answer.json() if answer.content else None


def refusal_text(error: HttpError) -> str:
    """The service's own message from the body of its refusal, which each service shapes differently."""
    fallback = one_line(error.message or str(error)).partition(" (Request-ID: ")[0]
    try:
        body = error.response.json() if error.response is not None else None
    except ValueError:
        return fallback
    if not isinstance(body, dict):
        return fallback
    if errors := body.get("errors"):  # Magnum
        return one_line(errors[0].get("detail") or errors[0].get("title") or "") or fallback
    if "faultstring" in body:  # Octavia
        return one_line(body["faultstring"])
    for value in body.values():  # Keystone, Heat: error; Neutron: NeutronError; Nova, Cinder: the fault's name
        if isinstance(value, dict) and value.get("message"):
            return one_line(value["message"])
    return one_line(body.get("message") or "") or fallback
