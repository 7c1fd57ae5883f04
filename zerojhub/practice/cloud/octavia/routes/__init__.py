"""Octavia's routes, by what they are about."""

from __future__ import annotations

from zerojhub.practice.cloud import octavia
from zerojhub.practice.cloud.octavia import errors
from zerojhub.practice.cloud.octavia.routes import administrators, members, quotas, resources, status
from zerojhub.practice.cloud.wire import Service

PARTS = (administrators, members, quotas, resources, status)
SERVICE = Service(octavia.TYPES, octavia.ROOT, errors.to_response, (part.routes for part in PARTS))
