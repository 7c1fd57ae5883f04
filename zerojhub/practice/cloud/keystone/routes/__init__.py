"""Keystone's routes, by what they are about."""

from __future__ import annotations

from zerojhub.practice.cloud import keystone
from zerojhub.practice.cloud.keystone import errors
from zerojhub.practice.cloud.keystone.routes import (
    access_rules,
    application_credentials,
    catalog,
    ec2,
    lookups,
    tokens,
    trusts,
)
from zerojhub.practice.cloud.wire import Service

PARTS = (access_rules, application_credentials, catalog, ec2, lookups, tokens, trusts)
SERVICE = Service(
    keystone.TYPES, keystone.ROOT, errors.to_response, (part.routes for part in PARTS), headers={"Vary": "X-Auth-Token"}
)
