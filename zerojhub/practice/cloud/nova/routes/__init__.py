"""Nova's routes, by what they are about."""

from __future__ import annotations

from zerojhub.practice.cloud import nova
from zerojhub.practice.cloud.nova import errors, metadata_service, microversions
from zerojhub.practice.cloud.nova.routes import (
    actions,
    administrators,
    attachments,
    events,
    flavors,
    interfaces,
    keypairs,
    metadata,
    quotas,
    server_creation,
    server_groups,
    servers,
    versions,
)
from zerojhub.practice.cloud.wire import Service

PARTS = (
    actions,
    administrators,
    attachments,
    events,
    flavors,
    interfaces,
    keypairs,
    metadata,
    quotas,
    server_creation,
    server_groups,
    servers,
    versions,
)
SERVICE = Service(
    nova.TYPES,
    nova.ROOT,
    errors.to_response,
    (part.routes for part in PARTS),
    negotiate=microversions.negotiate,
    # Nova declares even an empty body as JSON.
    headers={"Content-Type": "application/json"},
    elsewhere=metadata_service.ROUTES,
)
