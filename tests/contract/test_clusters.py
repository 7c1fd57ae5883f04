"""Creating a cluster: its machines, records and stack, and how creation fails."""

from __future__ import annotations

import configparser
import re

import httpx
import pytest

from tests.contract.clouds import Site, until
from tests.contract.conftest import Magnum


def stack_resources(site: Site, cluster: dict, depth: int = 3) -> list[dict]:
    heat = site.client(site.heat, **{"Accept": "application/json"})
    stack = heat.get(f"/stacks/{cluster['cluster_id']}", follow_redirects=True).json()["stack"]
    path = f"/stacks/{stack['stack_name']}/{stack['id']}/resources?nested_depth={depth}"
    return heat.get(path).json()["resources"]


def test_three_machines_boot_and_their_records_agree(site: Site, magnum: Magnum) -> None:
    cluster = magnum.settled(magnum.create())
    assert (cluster["status"], cluster["health_status"]) == ("CREATE_COMPLETE", "HEALTHY")
    assert cluster["coe_version"] == "v1.34.4"
    servers = site.client("/compute/v2.1").get("/servers/detail").json()["servers"]
    stack = site.store.stacks[cluster["cluster_id"]]["stack_name"]
    assert stack.startswith("hub-")
    assert len(stack) == len("hub-") + 12
    assert {server["name"] for server in servers} == {f"{stack}-master-0", f"{stack}-node-0", f"{stack}-node-1"}
    assert {server["id"] for server in servers} == set(site.ground.machines)
    fixed = {server["name"]: server["addresses"]["hub"][0]["addr"] for server in servers}
    assert cluster["api_address"] == f"https://{fixed[f'{stack}-master-0']}:6443"
    assert set(cluster["node_addresses"]) == {fixed[f"{stack}-node-0"], fixed[f"{stack}-node-1"]}
    ready = {f"{name}.Ready": "True" for name in fixed}
    assert cluster["health_status_reason"] == {**ready, "api": "ok"}
    spec = site.ground.machines[servers[0]["id"]]
    assert spec.login == "core"
    # Made up at the first boot, as the user guide describes it.
    assert re.fullmatch(r"[0-9a-f]{32}", spec.machine_id)
    assert spec.machine_id != spec.id.replace("-", "")
    assert spec.public_keys[0].startswith("ssh-ed25519 ")


def test_the_image_decides_who_logs_in(site: Site, magnum: Magnum) -> None:
    body = {"name": "old", "coe": "kubernetes", "image_id": "fedora-atomic-29", "external_network_id": "public"}
    body |= {"flavor_id": "m1.small", "master_flavor_id": "m1.small"}
    labels = {"kube_tag": "v1.14.3"}
    template = magnum.client.post("/clustertemplates", json={**body, "labels": labels}).json()["uuid"]
    uuid = magnum.create(cluster_template_id=template, node_count=1, master_flavor_id="m1.small")
    assert magnum.settled(uuid)["coe_version"] == "v1.14.3"
    assert {machine.login for machine in site.ground.machines.values()} == {"fedora"}
    answer = magnum.client.delete("/clustertemplates/old")
    assert answer.status_code == 400
    detail = f"ClusterTemplate {template} is referenced by one or multiple clusters."
    assert answer.json()["errors"][0]["detail"] == detail
    flavor = [{"op": "replace", "path": "/flavor_id", "value": "m1.large"}]
    assert magnum.client.patch("/clustertemplates/old", json=flavor).json()["errors"][0]["detail"] == detail
    magnum.delete(uuid)
    assert magnum.client.patch("/clustertemplates/old", json=flavor).json()["flavor_id"] == "m1.large"
    assert magnum.client.delete("/clustertemplates/old").status_code == 204


def test_floating_ips_lead_to_every_machine_and_are_in_the_certificate(site: Site, magnum: Magnum) -> None:
    cluster = magnum.settled(magnum.create(floating_ip_enabled=True))
    shown = cluster["master_addresses"] + cluster["node_addresses"]
    assert set(shown) == set(site.ground.routes)
    assert set(site.ground.routes.values()) == {machine.address for machine in site.ground.machines.values()}
    assert cluster["api_address"] == f"https://{cluster['master_addresses'][0]}:6443"
    assert site.ground.clusters[cluster["uuid"]].api_addresses == tuple(cluster["master_addresses"])


def test_three_masters_stand_behind_a_load_balancer(site: Site, magnum: Magnum) -> None:
    balanced = magnum.create(master_count=3, master_lb_enabled=True, floating_ip_enabled=True, node_count=1)
    cluster = magnum.settled(balanced)
    spec = site.ground.clusters[cluster["uuid"]]
    assert len(spec.masters) == 3
    address = cluster["api_address"].removeprefix("https://").removesuffix(":6443")
    (listener,) = site.ground.balanced[address]
    assert listener.port == 6443
    assert sorted(listener.members) == sorted((master.address, 6443) for master in spec.masters)
    assert address in spec.api_addresses


def test_kubernetes_gets_credentials_that_work_until_the_cluster_is_gone(site: Site, magnum: Magnum) -> None:
    cluster = magnum.settled(magnum.create(node_count=1))
    config = configparser.ConfigParser(interpolation=None)
    config.read_string(site.ground.clusters[cluster["uuid"]].cloud_config)
    given = config["Global"]
    assert given["auth-url"].startswith(f"http://{site.ground.gateway}:")
    assert given["region"] == "practice"
    assert config["LoadBalancer"]["subnet-id"] in site.store.subnets
    identity = {"methods": ["password"], "password": {"user": {"id": given["user-id"], "password": given["password"]}}}
    scope = {"OS-TRUST:trust": {"id": given["trust-id"]}}
    answer = site.token(identity=identity, scope=scope)
    assert answer.json()["token"]["project"]["name"] == "practice"
    headers = {"X-Auth-Token": answer.headers["X-Subject-Token"]}
    assert httpx.get(f"{site.url}/volume/v3/x/volumes", headers=headers).status_code == 200
    project = {"project": {"name": "practice", "domain": {"id": "default"}}}
    assert site.token(identity=identity, scope=project).status_code == 401
    magnum.delete(cluster["uuid"])
    assert site.token(identity=identity, scope=scope).status_code == 401
    assert httpx.get(f"{site.url}/volume/v3/x/volumes", headers=headers).status_code == 401


def test_the_stack_shows_what_is_being_made(site: Site, magnum: Magnum) -> None:
    site.ground.held = {"boot"}
    uuid = magnum.create(node_count=1)
    until(lambda: len(site.store.servers) == 2)
    states = {each["resource_name"]: each["resource_status"] for each in stack_resources(site, magnum.show(uuid))}
    assert states["network"] == "CREATE_COMPLETE"
    assert states["kube_masters"] == "CREATE_IN_PROGRESS"
    assert states["kube-minion"] == "CREATE_IN_PROGRESS"
    server = next(iter(site.store.servers))
    console = site.client("/compute/v2.1").post(f"/servers/{server}/action", json={"os-getConsoleOutput": {}})
    assert console.json() == {"conflictingRequest": {"code": 409, "message": f"Instance {server} is not ready"}}
    site.ground.held = set()
    cluster = magnum.settled(uuid)
    found = stack_resources(site, cluster)
    assert {each["resource_status"] for each in found} == {"CREATE_COMPLETE"}
    servers = {each["physical_resource_id"] for each in found if each["resource_type"] == "OS::Nova::Server"}
    assert servers == set(site.ground.machines)


def test_a_failure_names_the_resource_and_the_servers_fault(site: Site, magnum: Magnum) -> None:
    cluster = magnum.settled(magnum.create(labels={"practice_fail": "kube_minions"}, node_count=1))
    assert cluster["status"] == "CREATE_FAILED"
    assert cluster["status_reason"] == "default-master failed, default-worker failed"
    reason = cluster["faults"]["default-worker"]
    assert reason.startswith("Resource CREATE failed: ResourceInError: resources.kube_minions.resources[")
    assert reason.endswith(
        ".resources.kube-minion: Went to status ERROR due to "
        '"Message: No valid host was found. There are not enough hosts available., Code: 500"'
    )
    failed = [each for each in stack_resources(site, cluster) if each["resource_status"] == "CREATE_FAILED"]
    (server,) = [
        each for each in failed if each["resource_status_reason"].startswith("ResourceInError: resources.kube-m")
    ]
    shown = site.client("/compute/v2.1").get(f"/servers/{server['physical_resource_id']}").json()["server"]
    assert shown["status"] == "ERROR"
    assert shown["fault"]["message"] == "No valid host was found. There are not enough hosts available."


def test_a_machine_that_does_not_boot_fails_its_cluster(site: Site, magnum: Magnum) -> None:
    cluster = magnum.settled(magnum.create("unbootable", node_count=1))
    assert cluster["status"] == "CREATE_FAILED"
    assert 'Went to status ERROR due to "Message: the machine did not answer' in cluster["faults"]["default-master"]


@pytest.mark.parametrize(
    ("quota", "resource", "words"),
    [
        ("compute", "cores", "Forbidden: resources.kube_mi"),
        ("network", "router", "OverQuotaClient: resources.network.resources.extrouter: Quota exceeded for resources: "),
    ],
)
def test_a_quota_that_is_too_small_fails_it(site: Site, magnum: Magnum, quota: str, resource: str, words: str) -> None:
    limits = site.store.quotas[quota]
    before, limits[resource] = limits[resource], {"cores": 3, "router": 1}[resource]
    try:
        cluster = magnum.settled(magnum.create())
    finally:
        limits[resource] = before
    assert cluster["status"] == "CREATE_FAILED"
    assert words in cluster["faults"]["default-master"]


def test_an_unknown_kubernetes_fails_it_and_names_those_there_are(magnum: Magnum) -> None:
    cluster = magnum.settled(magnum.create(labels={"kube_tag": "v9.9.9"}, node_count=1))
    assert cluster["status"] == "CREATE_FAILED"
    assert (
        "Kubernetes v9.9.9 has not been built (available: v1.14.3, v1.15.7, v1.34.4)"
        in cluster["faults"]["default-master"]
    )


def test_the_time_that_creation_may_take_is_kept(site: Site, magnum: Magnum, monkeypatch: pytest.MonkeyPatch) -> None:
    # A minute is Magnum's smallest timeout, and too long for a test.
    monkeypatch.setattr("zerojhub.practice.cloud.conductor.MINUTE", 0.5)
    monkeypatch.setattr(site.ground, "held", {"boot"})
    cluster = magnum.settled(magnum.create(create_timeout=1))
    assert cluster["status"] == "CREATE_FAILED"
    assert cluster["faults"]["default-master"] == "Create timed out"


def test_labels_bring_an_autoscaler_into_the_cluster_or_one_outside_of_it(site: Site, magnum: Magnum) -> None:
    labels = {"auto_scaling_enabled": "true", "min_node_count": "1", "max_node_count": "4"}
    inside = magnum.create(labels=labels, merge_labels=True)
    outside = magnum.create(cluster_template_id="kubernetes-v1.34.4-capi", labels=labels, merge_labels=True)
    plain = magnum.create()
    for uuid in (inside, outside, plain):
        magnum.settled(uuid)
    specs = site.ground.clusters
    [deployment] = [each for each in specs[inside].manifests if each["kind"] == "Deployment"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "docker.io/openstackmagnum/cluster-autoscaler:v1.18.1"
    assert f"--cluster-name={inside}" in container["command"]
    assert "--nodes=1:4:default-worker" in container["command"]
    assert (specs[inside].autoscaler, specs[outside].autoscaler, specs[plain].autoscaler) == (False, True, False)
    assert specs[outside].manifests == specs[plain].manifests == ()
