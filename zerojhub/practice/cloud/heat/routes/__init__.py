"""Heat's routes, by what they are about."""

from __future__ import annotations

from zerojhub.practice.cloud import heat
from zerojhub.practice.cloud.heat import errors
from zerojhub.practice.cloud.heat.routes import catalog, events, resources, stack_changes, stacks, templates, versions
from zerojhub.practice.cloud.wire import Service

PARTS = (catalog, events, resources, stack_changes, stacks, templates, versions)
SERVICE = Service(heat.TYPES, heat.ROOT, errors.to_response, (part.routes for part in PARTS))
