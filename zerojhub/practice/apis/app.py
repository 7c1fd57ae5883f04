"""All services in one ASGI app, with a request id for each request and one audit line."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import TextIO

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zerojhub.practice.apis import (
    Settings,
    administrators,
    cinder_actions,
    cinder_backups,
    cinder_snapshots,
    cinder_types,
    glance_changes,
    heat_catalogue,
    heat_changes,
    heat_resources,
    keystone_grants,
    keystone_lookups,
    keystone_tokens,
    magnum_certificates,
    magnum_nodegroups,
    neutron_creation,
    neutron_floatingips,
    nova_actions,
    nova_attachments,
    nova_boot,
    nova_events,
    nova_interfaces,
    nova_keypairs,
    nova_metadata,
    nova_metadata_service,
    nova_refused,
    nova_resize,
    nova_servers,
    octavia_status,
)
from zerojhub.practice.apis.cinder import cinder
from zerojhub.practice.apis.cloud import new_id, now
from zerojhub.practice.apis.conductor import Conductor
from zerojhub.practice.apis.contents import new_cloud
from zerojhub.practice.apis.glance import glance
from zerojhub.practice.apis.heat import heat
from zerojhub.practice.apis.keystone import keystone
from zerojhub.practice.apis.magnum import magnum
from zerojhub.practice.apis.neutron import neutron
from zerojhub.practice.apis.nova import nova
from zerojhub.practice.apis.octavia import octavia
from zerojhub.practice.ground import Ground

# A service's further files add their routes to it when they are imported.
PARTS = (
    administrators,
    cinder_actions,
    cinder_backups,
    cinder_snapshots,
    cinder_types,
    glance_changes,
    heat_catalogue,
    heat_changes,
    heat_resources,
    keystone_grants,
    keystone_lookups,
    keystone_tokens,
    magnum_certificates,
    magnum_nodegroups,
    neutron_creation,
    neutron_floatingips,
    nova_actions,
    nova_attachments,
    nova_boot,
    nova_events,
    nova_interfaces,
    nova_keypairs,
    nova_metadata,
    nova_refused,
    nova_resize,
    nova_servers,
    octavia_status,
)
SERVICES = (keystone, magnum, nova, neutron, glance, cinder, octavia, heat)


class Audit:
    """ASGI middleware: every request gets an id, a path without a trailing slash, and a line in the audit log."""

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
    """The app that `build` promises; the audit file is opened here and closed when the app ends."""
    cloud = new_cloud(ground, settings)
    conductor = Conductor(cloud, ground)
    log = settings.audit_file.open("a", encoding="utf-8")

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        try:
            async with conductor:
                yield
        finally:
            log.close()

    routes: list[BaseRoute] = [route for service in SERVICES if cloud.has(service.prefix) for route in service.routes()]
    routes += nova_metadata_service.ROUTES
    if settings.registry is not None:
        routes.append(Mount("/v2", settings.registry))
    app = Starlette(routes=routes, lifespan=lifespan)
    app.add_middleware(Audit, log=log)
    app.state.cloud, app.state.ground, app.state.conductor = cloud, ground, conductor
    return app
