"""The rest of Magnum: certificates and credentials of clusters, quotas, statistics and services."""

from __future__ import annotations

from zerojhub.practice.apis.cloud import Record
from zerojhub.practice.apis.drivers import driver_of
from zerojhub.practice.apis.magnum import links, magnum, since
from zerojhub.practice.apis.magnum_clusters import cluster_auth_url, find_cluster, of_role
from zerojhub.practice.apis.magnum_types import CERTIFICATE, read
from zerojhub.practice.apis.wire import Call, Refusal
from zerojhub.practice.ground import GroundError


def signed_by(call: Call, cluster: Record, **fields: str) -> Record:
    uuid = cluster["uuid"]
    return {"cluster_uuid": uuid, "links": links(call, f"certificates/{uuid}"), **fields}


@magnum.route("GET", "/v1/certificates/{ident}")
async def show_ca(call: Call) -> Record:
    cluster = find_cluster(call)
    return signed_by(call, cluster, pem=call.ground.ca(cluster["uuid"]))


@magnum.route("POST", "/v1/certificates", status=201)
async def sign(call: Call) -> Record:
    wanted = read("certificate", CERTIFICATE, call.data)
    if not wanted["cluster_uuid"]:
        raise Refusal(400, "Cluster None could not be found.")
    try:
        cluster = find_cluster(call, wanted["cluster_uuid"])
    except Refusal as refusal:
        # A body that names no cluster is a bad request to Magnum, not a missing page.
        refusal.status = 400 if refusal.status == 404 else refusal.status
        raise
    csr = wanted["csr"] or ""
    try:
        pem = call.ground.sign(cluster["uuid"], csr)
    except ValueError:
        raise Refusal(400, f"Received invalid csr {csr.encode()}.") from None
    return signed_by(call, cluster, csr=csr, pem=pem)


@magnum.route("PATCH", "/v1/certificates/{ident}", status=202)
async def rotate_ca(call: Call) -> Record:
    cluster = find_cluster(call)
    template = call.cloud.templates[cluster["cluster_template_id"]]
    if "ca" not in driver_of(call.cloud, cluster).rotates:
        raise Refusal(400, "'rotate_ca_certificate' is not supported by this driver.")
    if template["cluster_distro"] != "fedora-coreos":
        where = f"cluster with cluster_distro: {template['cluster_distro']}"
        raise Refusal(400, f"Rotating the CA certificate is not supported for {where}.")
    if not cluster["status"].endswith("_COMPLETE"):
        raise Refusal(400, f'Updating a cluster when status is "{cluster["status"]}" is not supported.')
    call.conductor.rotate_ca(cluster)
    return signed_by(call, cluster)


@magnum.route("PATCH", "/v1/credentials/{ident}", status=202)
async def rotate_credential(call: Call) -> Record:
    since(call, 12, "patch")
    cluster = find_cluster(call)
    status = cluster["status"]
    if not (status.endswith("_COMPLETE") or status.startswith("UPDATE")):
        handler = "magnum.conductor.handlers.credential_conductor"
        raise Refusal(400, f'{handler} when cluster status is "{status}" is not supported.')
    if "credentials" not in driver_of(call.cloud, cluster).rotates:
        raise Refusal(400, "Credential rotation is not supported by driver.")
    try:
        await call.conductor.rotate_credential(cluster, cluster_auth_url(call))
    except GroundError as error:
        raise Refusal(500, str(error)) from error
    return {"uuid": cluster["uuid"]}


@magnum.route("GET", "/v1/quotas/{project}/{resource}")
async def show_quota(call: Call) -> Record:
    if call.path_params["project"] != call.project:
        raise Refusal(403, "Not authorized.")
    limit = call.cloud.quotas["container-infra"]["Cluster"]
    return {"project_id": call.project, "resource": call.path_params["resource"], "hard_limit": limit}


@magnum.route("GET", "/v1/stats")
async def stats(call: Call) -> Record:
    kind = call.query_params.get("type", "cluster")
    if kind.lower() != "cluster":
        raise Refusal(400, "Invalid stats type. Allowed values are 'cluster'")
    if call.query_params.get("project_id", call.project) != call.project:
        raise Refusal(403, "Not authorized.")
    clusters = call.cloud.clusters.where(project_id=call.project)
    groups = [group for cluster in clusters for role in ("master", "worker") for group in of_role(cluster, role)]
    return {"clusters": len(clusters), "nodes": sum(group["node_count"] for group in groups)}


@magnum.route("GET", "/v1/mservices")
async def services(call: Call) -> None:
    raise Refusal(403, "Policy doesn't allow magnum-service:get_all to be performed.")
