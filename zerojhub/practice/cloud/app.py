"""All services in one ASGI app, with a request ID and an audit log line for each request."""

from __future__ import annotations

import contextlib
import importlib
import json
from collections.abc import AsyncIterator
from typing import TextIO

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zerojhub.practice.cloud import services
from zerojhub.practice.cloud.conductor import Conductor
from zerojhub.practice.cloud.contents import new_store
from zerojhub.practice.cloud.settings import Settings
from zerojhub.practice.cloud.store import new_id, now
from zerojhub.practice.cloud.wire import Service
from zerojhub.practice.ground import Ground


def all_services() -> list[Service]:
    return [importlib.import_module(f"{package.__name__}.routes").SERVICE for package in services.packages()]


class Audit:
    """ASGI middleware: adds a request ID, strips the path's trailing slash, and writes a line to the audit log."""

    def __init__(self, app: ASGIApp, log: TextIO):
        self.app, self.log = app, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/v2/"):
            await self.app(scope, receive, send)
            return
        request_id = f"req-{new_id()}"
        path = scope["path"] + ("?" + scope["query_string"].decode() if scope["query_string"] else "")
        scope["state"] = state = {**scope.get("state", {}), "request_id": request_id}
        scope["path"] = scope["path"].rstrip("/") or "/"

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = [b"x-openstack-request-id"]
                if state.get("service") == "compute":
                    names.append(b"x-compute-request-id")
                message["headers"] += [(name, request_id.encode()) for name in names]
                line = {
                    "time": now(),
                    "service": state.get("service"),
                    "method": scope["method"],
                    "path": path,
                    "status": message["status"],
                    "user": state.get("user"),
                    "request_id": request_id,
                }
                self.log.write(json.dumps(line) + "\n")
                self.log.flush()
            await send(message)

        await self.app(scope, receive, send_with_id)


def build_app(ground: Ground, settings: Settings) -> Starlette:
    """The app. Its lifespan runs the conductor; `app.state.store` has the records. It closes the audit log when it ends."""
    store = new_store(ground, settings)
    conductor = Conductor(store, ground)
    log = settings.audit_file.open("a", encoding="utf-8")

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        try:
            async with conductor:
                yield
        finally:
            log.close()

    routes: list[BaseRoute] = [
        route for service in all_services() if store.has(service.root) for route in service.routes()
    ]
    if settings.registry is not None:
        routes.append(Mount("/v2", settings.registry))
    app = Starlette(routes=routes, lifespan=lifespan)
    app.add_middleware(Audit, log=log)
    app.state.store, app.state.ground, app.state.conductor = store, ground, conductor
    return app
