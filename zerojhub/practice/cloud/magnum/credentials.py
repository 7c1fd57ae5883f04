"""The credential that each cluster uses in the cloud: a trust or an application credential, depending on its driver."""

from __future__ import annotations

import secrets

from zerojhub.practice.cloud.keystone.records import end_credential, new_credential, new_trust
from zerojhub.practice.cloud.magnum.drivers import is_cluster_api
from zerojhub.practice.cloud.store import Record, Store


def grant(store: Store, cluster: Record) -> Record:
    """Create a credential for the cluster, and return the cloud-config settings that log in with it."""
    user, project = cluster["user_id"], cluster["project_id"]
    if is_cluster_api(store, cluster):
        name = f"magnum-{cluster['uuid']}-{secrets.token_hex(4)}"
        credential = new_credential(store, user, project, name, description=f"Magnum cluster ({cluster['name']})")
        cluster["application_credential"] = credential["id"]
        return {
            "application-credential-id": credential["id"],
            "application-credential-secret": credential["secret"],
            "tls-insecure": "false",
        }
    trustee = store.new_user(f"{cluster['uuid']}_{project}", secrets.token_urlsafe(24))
    cluster["trustee"] = trustee["id"]
    return {
        "user-id": trustee["id"],
        "password": store.passwords[trustee["id"]],
        "trust-id": new_trust(store, user, trustee["id"], project)["id"],
        "ca-file": "/etc/kubernetes/ca-bundle.crt",
    }


def revoke(store: Store, cluster: Record) -> None:
    """Delete the cluster's credential, if it has one."""
    if "trustee" in cluster:
        store.forget_user(cluster["trustee"])
    end_credential(store, cluster.get("application_credential", ""))
