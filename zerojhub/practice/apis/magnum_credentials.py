"""What Magnum gives each cluster to act in the cloud with: a trust or an application credential, as its driver has it."""

from __future__ import annotations

import secrets

from zerojhub.practice.apis.cloud import Cloud, Record
from zerojhub.practice.apis.drivers import is_cluster_api
from zerojhub.practice.apis.keystone_grants import end_credential, new_credential, new_trust


def grant(cloud: Cloud, cluster: Record) -> Record:
    """A new one, which the cluster's record names from now on: the settings of its cloud-config that log in with it."""
    user, project = cluster["user_id"], cluster["project_id"]
    if is_cluster_api(cloud, cluster):
        name = f"magnum-{cluster['uuid']}-{secrets.token_hex(4)}"
        credential = new_credential(cloud, user, project, name, description=f"Magnum cluster ({cluster['name']})")
        cluster["application_credential"] = credential["id"]
        return {
            "application-credential-id": credential["id"],
            "application-credential-secret": credential["secret"],
            "tls-insecure": "false",
        }
    trustee = cloud.new_user(f"{cluster['uuid']}_{project}", secrets.token_urlsafe(24))
    cluster["trustee"] = trustee["id"]
    return {
        "user-id": trustee["id"],
        "password": cloud.passwords[trustee["id"]],
        "trust-id": new_trust(cloud, user, trustee["id"], project)["id"],
        "ca-file": "/etc/kubernetes/ca-bundle.crt",
    }


def end(cloud: Cloud, cluster: Record) -> None:
    """The cluster's credential goes with it; one that failed early may have none."""
    if "trustee" in cluster:
        cloud.forget_user(cluster["trustee"])
    end_credential(cloud, cluster.get("application_credential", ""))
