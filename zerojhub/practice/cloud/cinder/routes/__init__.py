"""Cinder's routes, by what they are about."""

from __future__ import annotations

from zerojhub.practice.cloud import cinder
from zerojhub.practice.cloud.cinder import errors, microversions
from zerojhub.practice.cloud.cinder.routes import (
    absent,
    actions,
    administrators,
    attachments,
    quotas,
    snapshots,
    types,
    versions,
    volumes,
)
from zerojhub.practice.cloud.wire import Service

PARTS = (absent, actions, administrators, attachments, quotas, snapshots, types, versions, volumes)
SERVICE = Service(
    cinder.TYPES, cinder.ROOT, errors.to_response, (part.routes for part in PARTS), negotiate=microversions.negotiate
)
