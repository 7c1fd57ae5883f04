"""Designate's routes, by what they are about."""

from __future__ import annotations

from zerojhub.practice.cloud import designate
from zerojhub.practice.cloud.designate import errors
from zerojhub.practice.cloud.designate.routes import quotas, recordsets, versions, zones
from zerojhub.practice.cloud.wire import Service

PARTS = (quotas, recordsets, versions, zones)
SERVICE = Service(designate.TYPES, designate.ROOT, errors.to_response, (part.routes for part in PARTS))
