"""One authenticated session with a cloud of clouds.yaml, and a client for each of its services.

Answers are the services' own JSON; the modules named after the services give them types. Calls run in a thread, so that
independent ones overlap.
Requests that fail with a transient fault are sent again as zerojhub/retry.py decides.
Errors: UserError (exit 2) for a cloud that is not defined or refuses the credentials; CloudError (exit 1) for what a service
refuses later, with its own text and request id; Unavailable (exit 1) for one that kept failing; OutcomeUnknown (exit 1) for a
write whose answer is lost.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from types import GenericAlias
from typing import TYPE_CHECKING, Any, NotRequired, TypeVar, cast

import anyio.to_thread
from typing_extensions import TypedDict

from zerojhub import clocks, masking, retry
from zerojhub.answers import Unexpected, checked
from zerojhub.clocks import Clock
from zerojhub.errors import CloudError, Unavailable, UserError
from zerojhub.openstack import reasons
from zerojhub.openstack.clouds_yaml import Clouds
from zerojhub.retry import Fault, Transient
from zerojhub.text import one_line

if TYPE_CHECKING:
    from keystoneauth1.access import AccessInfoV3
    from keystoneauth1.exceptions import ClientException, HttpError
    from keystoneauth1.identity import BaseIdentityPlugin
    from keystoneauth1.session import Session
    from openstack.config.cloud_region import CloudRegion
    from requests import Response

T = TypeVar("T")

CONNECT_TIMEOUT, READ_TIMEOUT, WRITE_TIMEOUT = 5.0, 20.0, 60.0
"""Seconds until a connection is made, and until the answer to a read or a write begins."""

NO_NODE_GROUPS = "field/attribute master_count"
"""What Magnum answers (400 or 500) for a cluster, or a list with one, while it has no node groups: just created, or almost deleted."""

UNEXPECTED = "the service answered something unexpected"
MISREAD = (LookupError, TypeError, ValueError, AttributeError)
"""What keystoneauth1, which checks no types, runs into in answers of another type."""


class Cloud:
    """A cloud to work in, named as in clouds.yaml (None: the one that OS_CLOUD or the OS_* variables select)."""

    def __init__(self, name: str | None = None):
        self._requested_name = name
        self._discarding = threading.Lock()
        self.container_infra = Service(self, "container-infra", version="v1", microversion="latest")
        self.compute = Service(self, "compute", version="v2.1", microversion="2.60")
        self.network = Service(self, "network", version="v2.0")
        self.image = Service(self, "image", version="v2")
        self.volume = Service(self, "block-storage")
        self.load_balancer = Service(self, "load-balancer", version="v2.0")
        self.orchestration = Service(self, "orchestration")
        self.identity = Service(self, "identity", version="v3")
        self.dns = Service(self, "dns", version="v2")

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
        session.timeout = READ_TIMEOUT
        # It warns of every fault of Keystone's, which is reported here already.
        logging.getLogger("keystoneauth.identity").setLevel(logging.ERROR)
        return session

    @property
    def _auth_url(self) -> str:
        """The address of Keystone for messages, without a password in it."""
        return masking.mask(str(self.region.config.get("auth", {}).get("auth_url", "?")))

    async def authenticate(self) -> None:
        """Get a token, unless there is a valid one. UserError when the credentials or the address of Keystone are wrong."""
        await retry.attempts(
            lambda: anyio.to_thread.run_sync(self.log_in, abandon_on_cancel=True),
            repeatable=True,
        )

    def log_in(self) -> None:
        """One attempt to authenticate. Raises Transient for a fault that may pass."""
        from zerojhub.openstack.keystone_errors import ksa

        auth_url = self._auth_url
        hint = "check auth_url in clouds.yaml, and the network between here and there"
        try:
            with self.reading_keystone():
                self.session.get_token()
        except ksa.Unauthorized as error:
            if self._clouds.secure.problems:  # which should have had the password
                raise self._clouds.secure.problems[0] from error
            raise UserError(
                f"Keystone refused the credentials of cloud {self.name}: {one_line(error.message)}",
                where=f"keystone {error.request_id or auth_url}",
                hint="check the user, password or application credential in clouds.yaml",
            ) from error
        except ksa.ClientException as error:
            if fault := fault_of("identity", error):
                raise Transient(fault, Unavailable(fault.answer, where=f"identity at {auth_url}", hint=hint)) from error
            if isinstance(error, ksa.ConnectionError | ksa.DiscoveryFailure | ksa.NotFound):
                raise UserError(
                    f"Keystone of cloud {self.name} does not respond: {one_line(str(error))}",
                    where=auth_url,
                    hint=clocks.hint(error) or hint,
                ) from error
            raise UserError(f"cloud {self.name}: {one_line(str(error))}", where=auth_url) from error
        except OSError as error:  # a certificate or key that is there, but is none
            raise UserError(f"cloud {self.name}: {one_line(str(error))}", where=auth_url) from error

    @contextmanager
    def reading_keystone(self) -> Iterator[None]:
        """Within: what keystoneauth1 runs into in Keystone's answers is a UserError."""
        try:
            yield
        except MISREAD as error:
            said = f"{type(error).__name__} {one_line(str(error))}"
            message = f"Keystone of cloud {self.name} answered something unexpected: {said}"
            raise UserError(message, where=self._auth_url, hint="check auth_url in clouds.yaml") from error

    def token(self) -> str | None:
        """The current token; authenticates if there is none."""
        self.log_in()
        return self.session.get_token()

    def discard(self, token: str | None) -> None:
        """Authenticate again for the next request, because a service rejected this token.

        Of several requests that were rejected at the same time, only the first has it discarded.
        """
        with self._discarding:
            if self.session.get_token() == token:
                self.session.invalidate()

    @property
    def access(self) -> AccessInfoV3:
        """Whom the current token is for, and how it was obtained; authenticates if there is none."""
        self.log_in()
        with self.reading_keystone():
            return cast("AccessInfoV3", self._auth.get_access(self.session))

    @property
    def auth_url(self) -> str:
        """The address of Keystone, which is reachable from here."""
        return str(self._auth.auth_url)

    @property
    def _auth(self) -> BaseIdentityPlugin:
        """How this program logs in; every kind of credential that it takes is one of Keystone's."""
        return cast("BaseIdentityPlugin", self.session.auth)

    @property
    def project_id(self) -> str | None:
        """The project that the credentials are scoped to; None when they are not scoped to one."""
        with self.reading_keystone():
            return self.session.get_project_id()


EXHAUSTED = (403, 409, 413)
"""Statuses with which services refuse what a quota or a pool has no room for."""


@contextmanager
def if_allowed() -> Iterator[None]:
    """Within: what the project may not see, or the cloud does not have, is not there. Unavailable for what failed to answer."""
    try:
        yield
    except Unavailable:
        raise
    except CloudError:
        pass


class NoService(CloudError):
    """The cloud's catalog does not have the service."""


class Page(TypedDict):
    """A page of a list. Its items are at a key of the service's own."""

    next: NotRequired[str | None]
    links: NotRequired[Any]


class Link(TypedDict):
    """A link, such as one to the next page; `rel` says where it leads."""

    rel: str
    href: str


@dataclass(frozen=True)
class Answer:
    """What a service has answered, decoded; `where` names the service and the request ID."""

    data: Any
    where: str

    def of(self, kind: type[T], within: str | None = None) -> T:
        """The answer, or what is at its key `within`, checked to be of that type. CloudError if it is of another."""
        return self._checked(kind, within)  # type: ignore[no-any-return]  # of the type that was checked

    def items(self, kind: type[T], within: str) -> list[T]:
        """The list at the key, with each item checked likewise."""
        return self._checked(GenericAlias(list, (kind,)), within)  # type: ignore[no-any-return]  # as above

    def _checked(self, kind: Any, within: str | None) -> Any:
        try:
            return checked(self.data, kind, within=within)
        except Unexpected as error:
            raise CloudError(f"{UNEXPECTED}: {error}", where=self.where) from None


class Service:
    """One service of the cloud. Paths are below its versioned endpoint: `await cloud.compute.get("/servers")`.

    `kind` is the type of the answer, or of what is at its key `within`; every answer is checked to be of it (see `answers`).
    Every method raises CloudError for what the service refuses, with its `status`, when it does not respond, and for an
    answer of another type.
    """

    def __init__(self, cloud: Cloud, service_type: str, *, version: str | None = None, microversion: str | None = None):
        self._cloud, self.type, self._version, self._microversion = cloud, service_type, version, microversion
        self.max_microversion: tuple[int, ...] | None = None
        """The newest microversion that the service has, once it has answered and if it says so (Magnum does)."""
        self.clock = Clock()

    @cached_property
    def endpoint(self) -> str:
        """The endpoint in the catalog; clouds list it with or without a version, the paths here need one."""
        from zerojhub.openstack.keystone_errors import ksa

        region = self._cloud.region
        self._cloud.log_in()
        url = None
        with self._cloud.reading_keystone(), suppress(ksa.EndpointNotFound):
            url = region.get_endpoint(self.type) or self._cloud.session.get_endpoint(
                service_type=self.type,
                interface=region.get_interface(self.type),
                region_name=region.get_region_name(self.type),
            )
        if url is None:
            with self._cloud.reading_keystone():
                raise self._not_in_catalog()
        url = url.rstrip("/")
        has_version = re.search(r"/v\d[\d.]*(/[^/]+)?$", url)
        return url if has_version or not self._version else f"{url}/{self._version}"

    def _not_in_catalog(self) -> NoService:
        catalog = self._cloud.region.get_service_catalog()
        offered = catalog.get_endpoints_data(service_type=self.type).get(self.type, []) if catalog else []
        message = f"cloud {self._cloud.name} has no {self.type} service in its catalog"
        if not offered:
            return NoService(message)
        regions = ", ".join(sorted({str(each.region_name) for each in offered}))
        interfaces = ", ".join(sorted({str(each.interface) for each in offered}))
        region, interface = self._cloud.region.get_region_name(self.type), self._cloud.region.get_interface(self.type)
        hint = f"set region_name (of {regions}) or interface (of {interfaces}) in clouds.yaml"
        return NoService(f"{message} for region {region} and interface {interface}", hint=hint)

    async def get(self, path: str, kind: type[T], *, within: str | None = None, **query: Any) -> T:
        """The decoded answer."""
        return (await self._call("GET", path, params=query)).of(kind, within)

    async def find(self, path: str, kind: type[T], *, within: str | None = None, **query: Any) -> T | None:
        """Like get, but None for what does not exist (404)."""
        try:
            return await self.get(path, kind, within=within, **query)
        except CloudError as error:
            if error.status == 404:
                return None
            raise

    async def post(
        self, path: str, body: object, kind: type[T], *, within: str | None = None, repeatable: bool = False
    ) -> T:
        """`repeatable`: it creates nothing, or nothing that matters if it is created twice."""
        return (await self._call("POST", path, json=body, repeatable=repeatable)).of(kind, within)

    async def act(self, path: str, body: object, *, repeatable: bool = False) -> None:
        """Post something whose answer does not matter."""
        await self._call("POST", path, json=body, repeatable=repeatable)

    async def put(self, path: str, body: object) -> None:
        await self._call("PUT", path, json=body, repeatable=True)

    async def patch(self, path: str, body: object, *, repeatable: bool = False) -> None:
        await self._call("PATCH", path, json=body, repeatable=repeatable)

    async def delete(self, path: str, *, repeatable: bool = True, **query: Any) -> None:
        """Delete it; not an error when it does not exist (404). Not `repeatable`: it is refused while it is being deleted."""
        try:
            await self._call("DELETE", path, params=query, repeatable=repeatable)
        except CloudError as error:
            if error.status != 404:
                raise

    async def all(self, path: str, key: str, kind: type[T], **query: Any) -> list[T]:
        """Every item of a list, over all of its pages: the next one is in `KEY_links`, `next` or `links`, by service."""
        return await self.first(path, key, kind, None, query)

    async def first(self, path: str, key: str, kind: type[T], most: int | None, query: dict[str, Any]) -> list[T]:
        """Like all, but only the first ones: `most`, unless it is None."""
        found: list[T] = []
        answer = await self._call("GET", path, params=query | ({"limit": most} if most else {}))
        while True:
            found += answer.items(kind, key)
            if most and len(found) >= most:
                return found[:most]
            page = answer.of(Page)
            links = answer.of(list[Link], f"{key}_links") if page.get(f"{key}_links") else []
            following = next((link["href"] for link in links if link["rel"] == "next"), page.get("next"))
            if page.get("links") and isinstance(page["links"], dict):  # Designate's, and Keystone's
                following = answer.of(dict[str, str | None], "links").get("next")
            if not following:
                return found
            here = following if following.startswith("http") else path + "?" + following.partition("?")[2]
            answer = await self._call("GET", here)

    async def _call(self, method: str, path: str, *, repeatable: bool | None = None, **arguments: Any) -> Answer:
        """The decoded answer of the request. `repeatable` as for `retry.attempts`; a GET always is."""
        return await retry.attempts(
            lambda: anyio.to_thread.run_sync(lambda: self._request(method, path, **arguments), abandon_on_cancel=True),
            repeatable=method == "GET" if repeatable is None else repeatable,
        )

    def _request(self, method: str, path: str, **arguments: Any) -> Answer:
        """One attempt; the one place that requests pass through. `arguments` are those of keystoneauth1's Session.request.

        Raises Transient for a fault that may pass.
        """
        from zerojhub.openstack.keystone_errors import ksa

        url = path if path.startswith("http") else self.endpoint + path
        try:
            answer = self._send(url, method, **arguments)
        except ksa.HttpError as error:
            where = f"{self.type} {error.request_id}" if error.request_id else self.type
            text = refusal_text(error)
            if fault := fault_of(self.type, error):
                text = f"{fault.answer} {text}".removesuffix(f" (HTTP {fault.answer})")
                raise Transient(fault, Unavailable(text, status=error.http_status, where=where)) from error
            known = reasons.meaning(text) if error.http_status in EXHAUSTED else None
            raise CloudError(text, status=error.http_status, where=where, hint=known.do if known else None) from error
        except ksa.ClientException as error:
            if fault := fault_of(self.type, error):
                raise Transient(fault, Unavailable(fault.answer, where=self.type)) from error
            raise CloudError(
                f"{self.type} does not respond: {one_line(str(error))}", hint=clocks.hint(error)
            ) from error
        except MISREAD as error:  # in the body of an error
            raise CloudError(f"{UNEXPECTED}: {type(error).__name__} {one_line(str(error))}", where=self.type) from error
        self.clock.hear(answer.headers)
        if newest := re.search(r"(\d+)\.(\d+)$", answer.headers.get("OpenStack-API-Maximum-Version", "")):
            self.max_microversion = (int(newest[1]), int(newest[2]))
        where = " ".join(filter(None, [self.type, answer.headers.get("X-Openstack-Request-Id")]))
        if not answer.content and method != "GET":
            return Answer(None, where)
        try:
            return Answer(answer.json(), where)
        except ValueError as error:
            raise Transient(
                Fault(self.type, retry.INCOMPLETE), Unavailable(retry.INCOMPLETE, where=self.type)
            ) from error
        except RecursionError as error:
            raise CloudError(f"{UNEXPECTED}: nested too deep", where=where) from error

    def _send(self, url: str, method: str, **arguments: Any) -> Response:
        """Send the request, with a new token if the current one is rejected; a second one, as others can end the first."""
        from zerojhub.openstack.keystone_errors import ksa

        send = partial(
            self._cloud.session.request,
            url,
            method,
            endpoint_filter={"service_type": self.type},
            microversion=self._microversion,
            headers={"Accept": "application/json"},
            timeout=(CONNECT_TIMEOUT, READ_TIMEOUT if method == "GET" else WRITE_TIMEOUT),
            allow_reauth=False,
            **arguments,
        )
        for _ in range(2):
            token = self._cloud.token()
            try:
                return send()
            except ksa.Unauthorized:
                self._cloud.discard(token)
                self._cloud.log_in()
        return send()


def fault_of(service: str, error: ClientException) -> Fault | None:
    """The transient fault behind keystoneauth1's exception; None for a final answer."""
    from zerojhub.openstack.keystone_errors import ksa

    if isinstance(error, ksa.InvalidResponse):
        return Fault(service, retry.INCOMPLETE)
    if isinstance(error, ksa.DiscoveryFailure):  # Keystone's versions could not be read: it says why in its context
        inner = error.__context__
        if isinstance(inner, ksa.ClientException):
            return fault_of(service, inner)
        return Fault(service, retry.INCOMPLETE) if "Bad version data returned: {" in str(error) else None
    if isinstance(error, ksa.HttpError):
        headers = error.response.headers if error.response is not None else {}
        if NO_NODE_GROUPS in refusal_text(error):
            return Fault(service, str(error.http_status), expected=True)
        return retry.of_status(service, error.http_status, headers)
    return retry.of_exception(service, error) if isinstance(error, ksa.ConnectionError | ksa.SSLError) else None


def refusal_text(error: HttpError) -> str:
    """The service's own message from the body of its refusal, which each service shapes differently."""
    try:
        body = error.response.json() if error.response is not None else None
    except (ValueError, RecursionError):
        body = None
    return one_line(_said(body)) or one_line(str(error.message or error)).partition(" (Request-ID: ")[0]


def _said(body: object) -> str:
    match body:
        case {"errors": [{"detail": str(text)}, *_]} if text:  # Magnum
            return text
        case {"errors": [{"title": str(text)}, *_]} | {"faultstring": str(text)}:  # Magnum, Octavia
            return text
        case {"errors": {"errors": [{"message": str(text)}, *_]}}:  # Designate, for what does not match its schema
            return text
        case dict():  # Keystone, Heat: error; Neutron: NeutronError; Nova, Cinder: the fault's name; or nothing around it
            for each in [*body.values(), body]:
                match each:
                    case {"message": str(text)} if text:
                        return text
    return ""
