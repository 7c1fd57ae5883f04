"""Magnum's routes, by what they are about."""

from __future__ import annotations

from zerojhub.practice.cloud import magnum
from zerojhub.practice.cloud.magnum import errors, microversions
from zerojhub.practice.cloud.magnum.routes import (
    certificates,
    clusters,
    nodegroups,
    quotas,
    templates,
    versions,
)
from zerojhub.practice.cloud.wire import Service

PARTS = (certificates, clusters, nodegroups, quotas, templates, versions)
SERVICE = Service(
    magnum.TYPES, magnum.ROOT, errors.to_response, (part.routes for part in PARTS), negotiate=microversions.negotiate
)
