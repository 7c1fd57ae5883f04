"""Networks that cannot be told apart, routers that lead elsewhere, exhausted pools, and load balancers that failed."""

from __future__ import annotations

from zerojhub.doctor.finding import Finding
from zerojhub.doctor.subject import Subject
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.kube import explain, kinds
from zerojhub.kube.types import Event
from zerojhub.openstack import names, neutron, nova, reasons, templates
from zerojhub.openstack.session import if_allowed
from zerojhub.stages import Cluster, Template
from zerojhub.text import elapsed, one_line, seconds_between

PENDING_SECONDS = 900
"""For a load balancer to be created or changed."""
ROUTER_PORTS = "network:router_interface"
"""The owner of a router's port on a network."""


async def ambiguous(subject: Subject) -> list[Finding]:
    """What the cluster template names that does not exist, or exists more than once: networks above all.

    Without a cluster also what the quotas have no room for.
    """
    if subject.found is None:
        problems = await _of_stages(subject)
        name, ident = subject.deployment.cluster_name, None
    else:
        template = await subject.template()
        problems = await templates.problems(subject.cloud, template)
        name, ident = template["name"], template["uuid"]
    why = "Magnum cannot create the next server or cluster of it"
    see = subject.zerojhub(f"template show {ident}") if ident else subject.on_deployment("plan")
    return [Finding("template", name, ident, each.message, why, each.hint or see) for each in _each(problems)]


async def _of_stages(subject: Subject) -> list[ZeroJHubError]:
    """What would stop `up` from creating the cluster."""
    problems: list[ZeroJHubError] = []
    for stage in (Template(), Cluster()):
        try:
            problems += await stage.check(subject.run)
        except UserError as error:
            problems.append(error)
    return problems


def _each(problems: list[ZeroJHubError]) -> list[ZeroJHubError]:
    # A template's own keypair is of whoever made it, and each cluster has another one.
    return [each for each in problems if not each.message.startswith("no keypair")]


async def unreachable(subject: Subject) -> list[Finding]:
    """Where there are several external networks: floating IPs of one that the cluster's router does not lead to."""
    external = await subject.external_networks()
    wanted = (await subject.template()).get("external_network_id")
    if len(external) < 2 or not wanted:
        return []
    pool = names.one("external network", wanted, external)
    ports = [each for server in (await subject.servers())[:1] for each in await nova.port_ids(subject.cloud, server)]
    if not ports:
        return []
    network = (await neutron.get_port(subject.cloud, ports[0]))["network_id"]
    attached = await neutron.ports(subject.cloud, network_id=network, device_owner=ROUTER_PORTS)
    ids = {each["device_id"] for each in attached if each["network_id"] == network}
    routers = [each for each in await neutron.routers(subject.cloud) if each["id"] in ids]
    leads = {gateway["network_id"] for each in routers if (gateway := each["external_gateway_info"])}
    if not leads or pool["id"] in leads:
        return []
    where = ", ".join(each["name"] for each in external if each["id"] in leads) or ", ".join(leads)
    return [
        Finding(
            "network",
            pool["name"],
            pool["id"],
            f"floating IPs are taken from it, but the cluster's router {routers[0]['name']} leads to {where}",
            "Neutron refuses to attach such a floating IP, so neither the master nor a load balancer gets an address",
            f"name {where} as external_network in the cluster template, then {subject.recreate()}",
        )
    ]


async def exhausted(subject: Subject) -> list[Finding]:
    """Pools of floating IPs without a free address, as far as the cloud tells."""
    found = []
    for network in await subject.external_networks():
        with if_allowed():
            there = await neutron.availability(subject.cloud, network["id"])
            if there["used_ips"] >= there["total_ips"]:
                problem = f"all of its {there['total_ips']} addresses are in use"
                why = "nobody gets another floating IP from it, whatever the quota says"
                unused = subject.openstack(f"floating ip list --network {network['id']} --status DOWN")
                do = f"release what nobody uses: {unused}; or ask your cloud's operators for more addresses"
                found.append(Finding("network", network["name"], network["id"], problem, why, do))
    return found


async def load_balancers(subject: Subject) -> list[Finding]:
    """Load balancers in ERROR, that never become active, or without a member that answers."""
    listed, found = await subject.load_balancers(), []
    now = subject.cloud.load_balancer.clock.now()
    for each in listed:
        name, ident, provisioning = each["name"] or each["id"], each["id"], each["provisioning_status"]
        seconds = seconds_between(each.get("updated_at") or each["created_at"], now)
        show = subject.openstack(f"loadbalancer status show {ident}")
        service = name.startswith("kube_service_")
        if provisioning == "ERROR" and service:
            problem, why = "its provisioning_status is ERROR", "Octavia refuses every change of it, and may not forward"
            delete = subject.openstack(f"loadbalancer delete --cascade {ident}")
            do = f"{delete}; the cluster creates another one, with another address unless the Service asks for one"
        elif provisioning == "ERROR":
            problem, why = "its provisioning_status is ERROR", "the cluster's API is behind it"
            do = f"only your cloud's operators can: openstack loadbalancer failover {ident}"
        elif provisioning.startswith("PENDING") and seconds > PENDING_SECONDS:
            problem = f"it is {provisioning} for {elapsed(seconds)}"
            why = "Octavia refuses every change of it, and its deletion"
            do = f"only your cloud's operators can end that; give them {ident} ({show})"
        elif each["operating_status"] == "ERROR":
            problem, why = "its operating_status is ERROR", "none of its members answers, so nobody gets through"
            do = f"see which members: {show}"
        else:
            continue
        found.append(Finding("load balancer", name, ident, problem, why, do))
    return found


async def without_address(subject: Subject) -> list[Finding]:
    """Hubs without their Service, and Services of type LoadBalancer without a load balancer, with OpenStack's reason."""
    events, now = await subject.objects(kinds.EVENT), await subject.kube_time()
    services = await subject.objects(kinds.SERVICE)
    public, hubs = (
        {
            each["metadata"].get("namespace")
            for each in objects
            if each["metadata"].get("labels", {}).get("component") == name
        }
        for objects, name in ((services, "proxy-public"), (await subject.objects(kinds.DEPLOYMENT), "hub"))
    )
    found = [
        Finding(
            "service",
            f"{namespace}/proxy-public",
            None,
            "is missing",
            "nobody reaches the hub",
            subject.on_deployment("up"),
        )
        for namespace in sorted(hubs - public, key=str)
    ]
    for service in services:
        meta = service["metadata"]
        if service["spec"]["type"] != "LoadBalancer":
            continue
        trouble = explain.why_service(service, [each for each in events if _is_of(each, meta.get("namespace"))])
        if trouble is None or not (
            trouble.lasting or seconds_between(meta["creationTimestamp"], now) > PENDING_SECONDS
        ):
            continue
        known = reasons.meaning(trouble.why)
        name = f"{meta.get('namespace')}/{meta['name']}"
        why = f"{known.why}; nobody reaches it" if known else "nobody reaches it"
        describe = f"kubectl -n {meta.get('namespace')} describe service {meta['name']}"
        instead = "; or set hub.expose: NodePort" if subject.has_file else ""
        do = f"{known.do if known else describe}{instead}"
        found.append(Finding("service", name, meta["uid"], one_line(trouble.why), why, do))
    return found


def _is_of(event: Event, namespace: str | None) -> bool:
    return event["involvedObject"].get("namespace") == namespace
