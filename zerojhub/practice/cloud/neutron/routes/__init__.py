"""Neutron's routes, by what they are about."""

from __future__ import annotations

from zerojhub.practice.cloud import neutron
from zerojhub.practice.cloud.neutron import errors
from zerojhub.practice.cloud.neutron.routes import floatingips, quotas, resources, routers, tags, versions
from zerojhub.practice.cloud.wire import Service

PARTS = (floatingips, quotas, resources, routers, tags, versions)
SERVICE = Service(neutron.TYPES, neutron.ROOT, errors.to_response, (part.routes for part in PARTS))
