"""A fake cloud over HTTP: a Keystone that issues tokens, and services that return the responses set by a test."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, NotRequired, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl, urlsplit

from zerojhub.answers import Time

PASSWORD = "secret"
PROJECT = "0a1b2c"
CATALOG = {
    "container-infra": "/container-infra/v1",
    "compute": "/compute/v2.1",
    "network": "/network",
    "image": "/image",
    "block-storage": f"/volume/v3/{PROJECT}",
    "load-balancer": "/load-balancer",
    "orchestration": f"/orchestration/v1/{PROJECT}",
}


@dataclass(frozen=True)
class Answer:
    """A service's response. `body` is JSON data or plain text."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    """Lower-case names."""
    body: Any


def record(kind: Any, **given: Any) -> dict[str, Any]:
    """An object of a service: what is given, and something for each key besides that the TypedDict requires."""
    plain: dict[Any, Any] = {str: "", int: 0, bool: False, list: [], dict: {}, Time: "2026-01-01T00:00:00Z"}

    def some(hint: Any) -> Any:
        return (
            None if type(None) in get_args(hint) else plain.get(hint, plain.get(getattr(hint, "__origin__", None), {}))
        )

    hints = get_type_hints(kind, include_extras=True)
    # Python 3.11 does not see a NotRequired in an annotation that is text.
    required = [key for key in kind.__required_keys__ if get_origin(hints[key]) is not NotRequired]
    return {key: some(hints[key]) for key in required} | given


class FakeCloud:
    """Tests set `answers`: method and path -> responses, returned one after the other. The last one is repeated."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.catalog = dict(CATALOG)
        self.answers: dict[str, list[Answer]] = {}
        self.keystone: dict[str, Any] = {}
        """Path -> the body of Keystone's response, in place of its own."""
        self.in_token: dict[str, Any] = {}
        """What Keystone says in a token besides."""
        self.requests: list[Request] = []
        """All requests except those to Keystone."""
        self.tokens = 0
        """How many were issued: "token 1" and so on."""
        self.revoked: set[str] = set()

    def answer(self, request: str, *answers: Answer) -> None:
        """Set the responses to a request such as `GET /compute/v2.1/servers`."""
        self.answers[request] = list(answers)

    def handle(self, request: Request) -> Answer:
        if request.path.startswith("/identity"):
            answer = self._keystone(request)
            return replace(answer, body=self.keystone.get(request.path, answer.body))
        self.requests.append(request)
        if request.headers.get("x-auth-token") in self.revoked:
            return Answer(401, {"error": {"message": "The request you have made requires authentication."}})
        answers = self.answers.get(f"{request.method} {request.path}")
        if not answers:
            return Answer(404, {"error": {"message": f"no {request.path}"}})
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def _keystone(self, request: Request) -> Answer:
        identity = f"{self.url}/identity/v3"
        if request.path != "/identity/v3/auth/tokens":
            version = {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": f"{identity}/"}]}
            return Answer(200, {"version": version})
        if request.body["auth"]["identity"]["password"]["user"]["password"] != PASSWORD:
            refusal = {"code": 401, "message": "The request you have made requires authentication."}
            return Answer(401, {"error": refusal}, {"x-openstack-request-id": "req-1"})
        self.tokens += 1
        catalog = [
            {
                "type": service,
                "name": service,
                "endpoints": [{"interface": "public", "region_id": "R1", "region": "R1", "url": self.url + path}],
            }
            for service, path in self.catalog.items()
        ]
        token = {
            "methods": ["password"],
            "user": {"id": "u1", "name": "me", "domain": {"id": "default", "name": "Default"}},
            "project": {"id": PROJECT, "name": "mine", "domain": {"id": "default", "name": "Default"}},
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "expires_at": "2099-01-01T00:00:00.000000Z",
            "catalog": catalog,
            **self.in_token,
        }
        return Answer(201, {"token": token}, {"X-Subject-Token": f"token {self.tokens}"})


def clouds_yaml(path: Path, auth_url: str, *, password: str = PASSWORD) -> Path:
    """Write a clouds.yaml with the entry `fake`."""
    auth = {
        "auth_url": auth_url,
        "username": "me",
        "password": password,
        "project_name": "mine",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    path.write_text(json.dumps({"clouds": {"fake": {"region_name": "R1", "auth": auth}}}))
    return path


@contextmanager
def served(tls: ssl.SSLContext | None = None) -> Iterator[FakeCloud]:
    """The fake cloud, on its own port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {}))
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hangs up is no failure
    cloud = FakeCloud(f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}")
    server.RequestHandlerClass.cloud = cloud  # type: ignore[attr-defined]  # of the class made two lines above
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield cloud
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    disable_nagle_algorithm = True  # or each body waits 40 ms for its headers' acknowledgement
    cloud: ClassVar[FakeCloud]
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.cloud.handle(
            Request(
                self.command,
                parts.path,
                dict(parse_qsl(parts.query)),
                {name.lower(): value for name, value in self.headers.items()},
                json.loads(text) if text else None,
            )
        )
        body = answer.body if isinstance(answer.body, str) else "" if answer.body is None else json.dumps(answer.body)
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Keep requests out of the test's output."""
