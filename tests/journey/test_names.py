"""A hub with a name in the project's zone, and with an address that outlives its load balancer. Each test continues where the
one before ended. The cluster is adopted, so that `down` leaves it."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.conftest import Shell
from tests.journey.names import Named, Zone
from tests.waiting import until

ZONE = "lab.example.org."
NAME = f"hub.{ZONE}"
FILE = """
name: keep
cloud: practice
cluster: {name: lab, template: kubernetes-v1.34.4-capi, workers: 1}
hub: {chart: embedded, values: values.yaml, host: hub, address: keep}
"""
VALUES = """
hub:
  config:
    JupyterHub: {authenticator_class: dummy}
    DummyAuthenticator: {password: practice}
    Authenticator: {allow_all: true}
singleuser:
  memory: {guarantee: 64M, limit: 1G}
  cpu: {guarantee: 0.01}
  storage: {type: none}
scheduling: {userScheduler: {enabled: false}}
prePuller: {hook: {enabled: false}, continuous: {enabled: false}}
"""


@pytest.fixture(scope="module")
def zone(cloud: Shell) -> Zone:
    return Zone(cloud, ZONE)


@pytest.fixture(scope="module")
def site(cloud: Shell, zone: Zone) -> Named:
    """A shell on a machine whose name server is the cloud's, with a cluster."""
    (cloud.folder / "values.yaml").write_text(VALUES)
    (cloud.folder / "hub.yaml").write_text(FILE)
    cloud.zerojhub("cluster", "create", "lab", "--template", "kubernetes-v1.34.4-capi", "--workers", "1")
    return Named(cloud.folder, cloud.environment)


@pytest.fixture(scope="module")
def hub(site: Named, zone: Zone) -> dict[str, Any]:
    """The hub, and its address."""
    up: dict[str, Any] = site.json("up")
    [address] = zone.seen(NAME) or [""]
    return up | {"address": address}


def detail(result: dict[str, Any], stage: str) -> str:
    return next(str(each["detail"]) for each in result["stages"] if each["name"] == stage)


def floating_ips(site: Named) -> dict[str, dict[str, Any]]:
    """Those that are kept for the hub, by address."""
    listed = json.loads(site.openstack("floating", "ip", "list", "--long", "-f", "json"))
    return {each["Floating IP Address"]: each for each in listed if "the hub's address" in (each["Description"] or "")}


def test_up_creates_the_record_and_the_hub_answers_at_its_name(site, zone, hub):
    assert hub["url"] == "http://hub.lab.example.org/"
    assert detail(hub, "dns") == f"{NAME} A {hub['address']}, in zone {ZONE}"
    record = zone.record(NAME)
    assert record
    assert (record["records"], record["description"], record["ttl"]) == ([hub["address"]], "zerojhub:keep", 300)
    health = httpx.get(f"http://{hub['address']}/hub/health", headers={"Host": "hub.lab.example.org"}, timeout=10)
    assert health.status_code == 200
    assert floating_ips(site).keys() == {hub["address"]}


def test_up_again_writes_nothing(site, hub):
    before = len(site.audit())
    assert site.json("up")["ready"] is True
    assert site.writes(before) == []


def test_a_record_that_leads_elsewhere_is_corrected(site, zone, hub):
    zone.put(NAME, "192.0.2.1")
    plan = site.json("plan", code=3)
    assert detail(plan, "dns") == f"zone {ZONE} has {NAME} A 192.0.2.1"
    assert site.json("up")["url"] == hub["url"]
    assert zone.seen(NAME) == {hub["address"]}


def test_down_keeps_the_address_and_its_record(site, zone, hub):
    record = zone.record(NAME)
    said = site.zerojhub("down", "--yes", "--delete-data").stderr
    assert f"the address {hub['address']} is kept; to release it: openstack floating ip delete {hub['address']}" in said
    assert [each["name"] for each in site.json("cluster", "list")] == ["lab"]
    kept = floating_ips(site)[hub["address"]]
    assert (kept["Port"], kept["Description"]) == (None, "zerojhub:keep: the hub's address")
    assert zone.record(NAME) == record


def test_the_next_up_has_the_hub_at_the_same_address(site, zone, hub):
    record = zone.record(NAME)
    again = site.json("up")
    assert (again["url"], zone.record(NAME)) == (hub["url"], record)
    assert f"{hub['address']}:80 (LoadBalancer)" == detail(again, "address")
    assert floating_ips(site).keys() == {hub["address"]}


def test_a_hub_that_needs_its_address_no_longer_leaves_neither_address_nor_record(site, zone, hub):
    (site.folder / "hub.yaml").write_text(FILE.replace(", address: keep", ""))
    site.zerojhub("down", "--yes", "--delete-data")
    assert floating_ips(site) == {}
    assert hub["address"] not in site.openstack("floating", "ip", "list", "-f", "value")
    until(lambda: zone.seen(NAME) is None)
    assert zone.record(NAME) is None
    assert [each["name"] for each in site.json("cluster", "list")] == ["lab"]
