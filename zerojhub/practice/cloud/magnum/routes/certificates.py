"""Certificates and credentials of clusters."""

from __future__ import annotations

from zerojhub.practice.cloud.magnum.drivers import driver_of
from zerojhub.practice.cloud.magnum.microversions import since
from zerojhub.practice.cloud.magnum.pages import links
from zerojhub.practice.cloud.magnum.routes.clusters import cluster_auth_url, find_cluster
from zerojhub.practice.cloud.magnum.schema import CERTIFICATE, parse_body
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, Routes
from zerojhub.practice.ground import CA, GroundError

routes = Routes()

KINDS: dict[str | None, CA] = {"etcd": "etcd", "front_proxy": "front-proxy", "front-proxy": "front-proxy"}
"""What clients call the CAs. Magnum takes any other name for that of Kubernetes."""


def signed_by(call: Call, cluster: Record, **fields: str) -> Record:
    uuid = cluster["uuid"]
    return {"cluster_uuid": uuid, "links": links(call, f"certificates/{uuid}"), **fields}


@routes("GET", "/v1/certificates/{ident}")
async def show_ca(call: Call) -> Record:
    wanted = call.query_params.get("ca_cert_type")
    if wanted and "ca_cert_type" in call.store.profile.lacks.certificate:
        raise Refusal(400, 'Unknown argument: "ca_cert_type"')
    cluster = find_cluster(call)
    return signed_by(call, cluster, pem=call.ground.ca(cluster["uuid"], KINDS.get(wanted, "kubernetes")))


@routes("POST", "/v1/certificates", status=201)
async def sign(call: Call) -> Record:
    wanted = parse_body("certificate", CERTIFICATE, call.data, call.store.profile.lacks.certificate)
    if not wanted["cluster_uuid"]:
        raise Refusal(400, "Cluster None could not be found.")
    try:
        cluster = find_cluster(call, wanted["cluster_uuid"])
    except Refusal as refusal:
        # In a body, an unknown cluster is a bad request.
        refusal.status = 400 if refusal.status == 404 else refusal.status
        raise
    csr = wanted["csr"] or ""
    try:
        pem = call.ground.sign(cluster["uuid"], csr, KINDS.get(wanted["ca_cert_type"], "kubernetes"))
    except ValueError:
        raise Refusal(400, f"Received invalid csr {csr.encode()!r}.") from None
    kind = {"ca_cert_type": wanted["ca_cert_type"]} if wanted["ca_cert_type"] else {}
    return signed_by(call, cluster, csr=csr, pem=pem, **kind)


@routes("PATCH", "/v1/certificates/{ident}", status=202)
async def rotate_ca(call: Call) -> Record:
    cluster = find_cluster(call)
    template = call.store.templates[cluster["cluster_template_id"]]
    if "ca" not in driver_of(call.store, cluster).rotates:
        raise Refusal(400, "'rotate_ca_certificate' is not supported by this driver.")
    if template["cluster_distro"] != "fedora-coreos":
        where = f"cluster with cluster_distro: {template['cluster_distro']}"
        raise Refusal(400, f"Rotating the CA certificate is not supported for {where}.")
    if not cluster["status"].endswith("_COMPLETE"):
        raise Refusal(400, f'Updating a cluster when status is "{cluster["status"]}" is not supported.')
    call.conductor.rotate_ca(cluster)
    return signed_by(call, cluster)


@routes("PATCH", "/v1/credentials/{ident}", status=202)
async def rotate_credential(call: Call) -> Record:
    since(call, 12, "patch")
    cluster = find_cluster(call)
    status = cluster["status"]
    if not (status.endswith("_COMPLETE") or status.startswith("UPDATE")):
        handler = "magnum.conductor.handlers.credential_conductor"
        raise Refusal(400, f'{handler} when cluster status is "{status}" is not supported.')
    if "credentials" not in driver_of(call.store, cluster).rotates:
        raise Refusal(400, "Credential rotation is not supported by driver.")
    try:
        await call.conductor.rotate_credential(cluster, cluster_auth_url(call))
    except GroundError as error:
        raise Refusal(500, str(error)) from error
    return {"uuid": cluster["uuid"]}
