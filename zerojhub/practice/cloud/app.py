"""All services in one ASGI app, with a request ID and an audit log line for each request, and faults on purpose."""

from __future__ import annotations

import contextlib
import hmac
import importlib
import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TextIO

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zerojhub.errors import UserError
from zerojhub.practice import faults
from zerojhub.practice.cloud import services, swift
from zerojhub.practice.cloud.breaking import Breaking
from zerojhub.practice.cloud.conductor import Conductor
from zerojhub.practice.cloud.contents import new_store
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.settings import Settings
from zerojhub.practice.cloud.snapshot import KeepAnswers, Keeper
from zerojhub.practice.cloud.store import Store, new_id, now
from zerojhub.practice.cloud.swift.routes import is_s3
from zerojhub.practice.cloud.wire import INSIDE, Service
from zerojhub.practice.faults import Fault, Faults, What
from zerojhub.practice.ground import Ground
from zerojhub.practice.inject import Inject

OBJECT_STORE = swift.ROOT.strip("/")
ERRED = "The server has either erred or is incapable of performing the request."


def all_services() -> list[Service]:
    return [importlib.import_module(f"{package.__name__}.routes").SERVICE for package in services.packages()]


class Audit:
    """ASGI middleware: adds a request ID, strips the path's trailing slash, and writes a line to the audit log."""

    def __init__(self, app: ASGIApp, log: TextIO):
        self.app, self.log = app, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(("/v2/", faults.PATH)):
            await self.app(scope, receive, send)
            return
        request_id = f"req-{new_id()}"
        path = scope["path"] + ("?" + scope["query_string"].decode() if scope["query_string"] else "")
        scope["state"] = state = {**scope.get("state", {}), "request_id": request_id}
        scope["path"] = scope["path"].rstrip("/") or "/"

        def write(status: int | None) -> None:
            line = {
                "time": now(),
                "service": state.get("service"),
                "method": scope["method"],
                "path": path,
                "status": status,
                "user": state.get("user"),
                "request_id": request_id,
            }
            self.log.write(json.dumps(line | ({"fault": state["fault"]} if "fault" in state else {})) + "\n")
            self.log.flush()

        answered = False

        async def send_with_id(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                names = [b"x-openstack-request-id"]
                if state.get("service") == "compute":
                    names.append(b"x-compute-request-id")
                message["headers"] += [(name, request_id.encode()) for name in names]
                write(message["status"])
            await send(message)

        await self.app(scope, receive, send_with_id)
        if not answered:  # a fault took the answer away
            write(None)


class FaultInjection:
    """The faults of the APIs: which service a request is for, its own errors, and the end of tokens."""

    def __init__(self, store: Store):
        self.store, self.services = store, {service.root.strip("/"): service for service in all_services()}

    def service_of(self, scope: Scope) -> str | None:
        """None for requests of other services, and of clusters, which use the address on the machines' network.

        Requests to the object store count wherever they come from: its clients run in clusters.
        """
        name, from_cloud = scope["path"].split("/")[1], scope["client"][0] == INSIDE
        if is_s3(scope) or name == OBJECT_STORE:
            return OBJECT_STORE
        return name if name in self.services and scope["server"][0] != self.store.gateway and not from_cloud else None

    def error(self, service: str) -> Response:
        return self.services[service].to_response(Refusal(500, ERRED))

    def end_token(self, scope: Scope, what: What) -> None:
        token = self.store.tokens.get(Request(scope).headers.get("x-auth-token", ""))
        if token and what is What.token_expired:
            token.expires = datetime.now(UTC)
        elif token:
            del self.store.tokens[token.id]


async def control_faults(request: Request) -> JSONResponse:
    """Add a fault (POST), or clear those in `id`, or all (DELETE). The response lists the faults."""
    given = request.headers.get("authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {request.app.state.password}".encode()):
        return JSONResponse({"error": "unauthorized"}, 401)
    injected: Faults = request.app.state.faults
    breaking: Breaking = request.app.state.breaking
    if request.method == "POST":
        try:
            wanted = faults.of(**await request.json())
            if isinstance(wanted, Fault):
                injected.add(wanted)
            else:
                await breaking.begin(wanted)
        except UserError as error:
            return JSONResponse({"error": error.message}, 400)
    elif request.method == "DELETE":
        chosen = [int(ident) for ident in request.query_params.getlist("id")]
        for fault in list(injected.active):
            if not chosen or fault.id in chosen:
                await breaking.end(fault.id)
        injected.clear(*chosen)
    await request.app.state.ground.inject(injected)
    return JSONResponse([asdict(fault) for fault in injected.active])


def build_app(ground: Ground, settings: Settings, kept: Store | None = None) -> Starlette:
    """The app. Its lifespan runs the conductor; `app.state.store` has the records, and `app.state.faults` the faults.

    `kept`: the records of a practice cloud whose process was killed, to go on with. It closes the audit log when it ends.
    """
    store = kept or new_store(ground, settings)
    conductor = Conductor(store, ground)
    if kept:
        conductor.end_what_was_interrupted()
    keeper = Keeper(store, ground, settings.snapshot) if settings.snapshot else None
    log = settings.audit_file.open("a", encoding="utf-8")

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        try:
            async with conductor, keeper.watching() if keeper else contextlib.nullcontext():
                await ground.inject(store.faults)
                yield
        finally:
            log.close()

    served = [service for service in all_services() if store.has(service.root)]
    # First those that are known by more than their path.
    routes: list[BaseRoute] = [route for service in served for route in service.elsewhere]
    routes += [route for service in served for route in service.routes()]
    routes.append(Route(faults.PATH, control_faults, methods=["GET", "POST", "DELETE"]))
    if settings.registry is not None:
        routes.append(Mount("/v2", settings.registry))
    app = Starlette(routes=routes, lifespan=lifespan)
    injection = FaultInjection(store)
    app.state.store, app.state.ground, app.state.conductor = store, ground, conductor
    app.state.faults, app.state.password = store.faults, settings.password
    app.state.breaking = Breaking(store, ground, store.faults)
    if keeper:
        app.add_middleware(KeepAnswers, keeper=keeper)
    app.add_middleware(
        Inject,
        faults=app.state.faults,
        service_of=injection.service_of,
        error=injection.error,
        end_token=injection.end_token,
    )
    app.add_middleware(Audit, log=log)
    return app
