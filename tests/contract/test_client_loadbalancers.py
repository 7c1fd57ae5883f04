"""The `openstack loadbalancer` commands work as on a real cloud."""

from __future__ import annotations

from tests.contract.clouds import Site, values
from zerojhub.practice.ground import Listener


def test_the_client_takes_a_load_balancer_through_its_life(site: Site) -> None:
    web, http, pages, one, alive = site.asked(
        "loadbalancer create --name web --vip-subnet-id private-subnet --description pages --wait",
        "loadbalancer listener create --name http --protocol TCP --protocol-port 80 --wait web",
        "loadbalancer pool create --name pages --lb-algorithm ROUND_ROBIN --listener http --protocol TCP"
        " --session-persistence type=SOURCE_IP --wait",
        "loadbalancer member create --name one --address 10.0.0.11 --protocol-port 8080 --wait pages",
        "loadbalancer healthmonitor create --name alive --delay 7 --max-retries 3 --timeout 5 --type HTTP"
        " --url-path /health --wait pages",
    )
    assert (web["provisioning_status"], http["loadbalancers"]) == ("ACTIVE", [{"id": web["id"]}])
    assert (pages["listeners"], pages["session_persistence"]) == ([{"id": http["id"]}], {"type": "SOURCE_IP"})
    assert (one["operating_status"], alive["pools"]) == ("NO_MONITOR", [{"id": pages["id"]}])
    assert site.ground.balanced == {web["vip_address"]: (Listener(80, (("10.0.0.11", 8080),)),)}

    assert not site.openstack(
        "loadbalancer set --name site --description other --wait web",
        "loadbalancer unset --description --wait site",
        "loadbalancer listener set --connection-limit 100 --timeout-client-data 600000 --wait http",
        "loadbalancer listener unset --connection-limit --wait http",
        "loadbalancer pool set --lb-algorithm LEAST_CONNECTIONS --wait pages",
        "loadbalancer pool unset --session-persistence --wait pages",
        "loadbalancer member set --weight 5 --wait pages one",
        "loadbalancer healthmonitor set --delay 9 --wait alive",
        "loadbalancer healthmonitor unset --url-path --wait alive",
    ).strip()
    web, http, pages, one, alive, traffic, quota, providers, flavors = site.asked(
        "loadbalancer show site",
        "loadbalancer listener show http",
        "loadbalancer pool show pages",
        "loadbalancer member list pages",
        "loadbalancer healthmonitor show alive",
        "loadbalancer stats show site",
        "loadbalancer quota show practice",
        "loadbalancer provider list",
        "loadbalancer flavor list",
    )
    assert (web["name"], web["description"]) == ("site", "")
    assert (http["connection_limit"], http["timeout_client_data"]) == (-1, 600000)
    assert (pages["lb_algorithm"], pages["session_persistence"]) == ("LEAST_CONNECTIONS", None)
    assert (one[0]["weight"], one[0]["operating_status"]) == (5, "ONLINE")
    assert (alive["delay"], alive["url_path"], alive["http_method"]) == (9, "/", "GET")
    # This one prints JSON, and takes no word on how to print.
    tree = values(site.openstack("loadbalancer status show site"))[0]
    pool = tree["loadbalancer"]["listeners"][0]["pools"][0]
    assert (pool["members"][0]["address"], pool["health_monitor"]["type"]) == ("10.0.0.11", "HTTP")
    assert (traffic["request_errors"], quota["load_balancer"], flavors) == (0, 10, [])
    assert [provider["name"] for provider in providers] == ["amphora"]

    assert not site.openstack(
        "loadbalancer healthmonitor delete --wait alive",
        "loadbalancer member delete --wait pages one",
        "loadbalancer pool delete --wait pages",
        "loadbalancer listener delete --wait http",
        "loadbalancer delete --wait site",
    ).strip()
    assert (site.store.loadbalancers, site.store.listeners, site.store.pools, site.ground.balanced) == ({}, {}, {}, {})


def test_the_client_says_what_octavia_refuses(site: Site) -> None:
    site.openstack(
        "loadbalancer create --name web --vip-subnet-id private-subnet --wait",
        "loadbalancer listener create --name http --protocol TCP --protocol-port 80 --wait web",
        "loadbalancer pool create --name pages --lb-algorithm ROUND_ROBIN --listener http --protocol TCP --wait",
        "loadbalancer member create --name one --address 10.0.0.11 --protocol-port 8080 --wait pages",
        "loadbalancer healthmonitor create --delay 7 --max-retries 3 --timeout 5 --type TCP --wait pages",
    )
    refused = site.refused(
        "loadbalancer listener create --protocol HTTP --protocol-port 80 web",
        "loadbalancer pool create --lb-algorithm ROUND_ROBIN --listener http --protocol TCP",
        "loadbalancer member create --address 10.0.0.11 --protocol-port 8080 pages",
        "loadbalancer healthmonitor create --delay 7 --max-retries 3 --timeout 5 --type TCP pages",
        "loadbalancer l7policy create --action REJECT http",
        "loadbalancer failover web",
        "loadbalancer delete web",
        "loadbalancer show nothing",
    )
    said = [line.partition(" (HTTP")[0] for line in refused.splitlines() if line]
    assert said == [
        "Another Listener on this Load Balancer is already using protocol TCP and protocol_port 80",
        "This listener already has a default pool",
        "Another member on this pool is already using ip 10.0.0.11 on protocol_port 8080",
        "This pool already has a health monitor",
        "Provider 'amphora' does not support a requested action: This provider does not support creating l7policies.",
        "Policy does not allow this request to be performed.",
        f"Validation failure: Cannot delete Load Balancer {next(iter(site.store.loadbalancers))} - it has children",
        "Unable to locate nothing in loadbalancers",
    ]
    assert not site.openstack("loadbalancer delete --cascade --wait web").strip()
    assert (site.store.members, site.store.healthmonitors, site.ground.balanced) == ({}, {}, {})
