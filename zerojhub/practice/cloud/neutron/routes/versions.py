"""Neutron's versions, extensions, availability zones and service providers."""

from __future__ import annotations

from zerojhub.practice.cloud.neutron.records import tables
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()


EXTENSIONS = {
    "allowed-address-pairs": "Allowed Address Pairs",
    "availability_zone": "Availability Zone",
    "binding": "Port Binding",
    "external-net": "Neutron external network",
    "extra_dhcp_opt": "Neutron Extra DHCP options",
    "extraroute": "Neutron Extra Route",
    "fip-port-details": "Floating IP Port Details Extension",
    "l3-ha": "HA Router extension",
    "net-mtu": "Network MTU",
    "pagination": "Pagination support",
    "port-security": "Port Security",
    "project-id": "project_id field enabled",
    "quota_details": "Quota details management support",
    "quotas": "Quota management support",
    "router": "Neutron L3 Router",
    "security-group": "security-group",
    "sorting": "Sorting support",
    "standard-attr-description": "standard-attr-description",
    "standard-attr-revisions": "Resource revision numbers",
    "standard-attr-tag": "Tag support for resources with standard attribute",
    "standard-attr-timestamp": "Resource timestamps",
    "stateful-security-group": "Stateful security group",
    "tag-creation": "Tag creation extension",
}


@routes("GET", "", public=True)
async def versions(call: Call) -> Record:
    links = [{"rel": "self", "href": f"{call.origin}/network/v2.0/"}]
    return {"versions": [{"id": "v2.0", "status": "CURRENT", "links": links}]}


@routes("GET", "/v2.0", public=True)
async def resources(call: Call) -> Record:
    links = {kind: [{"rel": "self", "href": f"{call.origin}/network/v2.0/{kind}"}] for kind in tables(call.store)}
    return {"resources": [{"name": kind, "collection": kind, "links": link} for kind, link in links.items()]}


def extension(alias: str) -> Record:
    name = EXTENSIONS[alias]
    return {"alias": alias, "name": name, "description": name, "links": [], "updated": "2020-01-01T00:00:00-00:00"}


@routes("GET", "/v2.0/extensions")
async def extensions(call: Call) -> Record:
    return {"extensions": [extension(alias) for alias in EXTENSIONS]}


@routes("GET", "/v2.0/extensions/{alias}")
async def show_extension(call: Call) -> Record:
    alias = call.path_params["alias"]
    if alias not in EXTENSIONS:
        raise Refusal(404, f"Extension with alias {alias} does not exist")
    return {"extension": extension(alias)}


@routes("GET", "/v2.0/availability_zones")
async def zones(call: Call) -> Record:
    kinds = ("network", "router")
    zones = [
        {"name": zone, "resource": kind, "state": "available"}
        for zone in call.store.profile.availability_zones
        for kind in kinds
    ]
    return {"availability_zones": zones}


@routes("GET", "/v2.0/service-providers")
async def service_providers(call: Call) -> Record:
    """The providers of routers; Neutron has these four without configuration."""
    names = ("dvrha", "dvr", "ha", "single_node")
    providers = [{"service_type": "L3_ROUTER_NAT", "name": name, "default": False} for name in names]
    wanted = call.query_params.getlist("service_type")
    return {"service_providers": [each for each in providers if not wanted or each["service_type"] in wanted]}
