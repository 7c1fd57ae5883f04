"""Explanations for Kubernetes objects that are not ready. The objects are abridged API responses."""

from __future__ import annotations

import time
from typing import Any

import pytest

from zerojhub.kube.attachments import describe
from zerojhub.kube.explain import (
    Patience,
    Trouble,
    is_available,
    why_claim,
    why_deployment,
    why_pod,
    why_service,
    with_exception,
)


def pod(name="hub-1", phase="Pending", containers=(), conditions=(), **meta):
    status = {"phase": phase, "conditions": list(conditions), "containerStatuses": list(containers)}
    return {"metadata": {"name": name, **meta}, "status": status}


def container(state, image="quay.io/jupyterhub/k8s-hub:4.3.3", restarts=0, last=None):
    return {"name": "hub", "image": image, "state": state, "lastState": last or {}, "restartCount": restarts}


def event(name, reason, message, kind="Warning", when="2026-01-01T10:00:00Z"):
    return {
        "involvedObject": {"name": name}, "reason": reason, "message": message, "type": kind, "lastTimestamp": when,
    }  # fmt: skip


def unscheduled(message):
    return pod(conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}])


def test_a_ready_pod_a_finished_one_and_one_on_its_way_out_are_fine():
    assert why_pod(pod(phase="Running", conditions=[{"type": "Ready", "status": "True"}])) is None
    assert why_pod(pod(phase="Succeeded")) is None
    assert why_pod(pod(deletionTimestamp="2026-01-01T10:00:00Z")) is None


def test_no_room_on_any_node():
    why = why_pod(unscheduled("0/3 nodes are available: 3 Insufficient memory."))
    assert str(why) == "pod hub-1 cannot be scheduled: 0/3 nodes are available: 3 Insufficient memory."


def test_a_pod_that_waits_for_its_volume_leaves_the_reason_to_the_claim():
    why = why_pod(unscheduled("0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims."))
    assert str(why) == "pod hub-1 is waiting for its volume"


def test_an_image_that_is_not_there_is_named_with_what_the_registry_said():
    image = "quay.io/jupyterhub/k8s-hub:4.3.3"
    back_off = container({"waiting": {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{image}"'}})
    said = f'Failed to pull image "{image}": manifest unknown'
    why = why_pod(pod(containers=[back_off]), [event("hub-1", "Failed", said), event("hub-1", "BackOff", "Back-off")])
    assert image in str(why)
    assert "manifest unknown" in str(why)
    assert why and why.lasting


def test_a_container_that_keeps_ending():
    crash = container(
        {"waiting": {"reason": "CrashLoopBackOff"}}, restarts=3,
        last={"terminated": {"exitCode": 1, "reason": "Error"}},
    )  # fmt: skip
    why = why_pod(pod(phase="Running", containers=[crash]))
    assert str(why) == "pod hub-1 (hub) exited with code 1, 4 times so far"
    assert why and why.lasting


def test_a_container_that_ended_before_is_no_better_for_running_again():
    again = container({"running": {}}, restarts=2, last={"terminated": {"exitCode": 1}})
    assert "exited with code 1, 3 times so far" in str(why_pod(pod(phase="Running", containers=[again])))


def test_a_hub_that_does_not_listen_yet_is_starting():
    probe = event("hub-1", "Unhealthy", "Readiness probe failed: dial tcp: connect: connection refused")
    assert str(why_pod(pod(phase="Running"), [probe])) == "pod hub-1 is running but not ready yet"


def test_trap_15_settings_of_a_login_that_are_found_wrong_when_the_hub_starts():
    log = """  File "/usr/local/lib/python3.12/site-packages/oauthenticator/cilogon.py", line 297, in _validate_allowed_idps
    raise ValueError(message)
ValueError: CILogonOAuthenticator.allowed_idps is a required configuration, it must be specified!
[I 2026-11-30 10:00:00.000 JupyterHub app:1] gone
"""
    why = "(hub) exited with code 1"
    assert with_exception(why, log) == (
        f"{why}: ValueError: CILogonOAuthenticator.allowed_idps is a required configuration, it must be specified!"
    )
    newer = f"alembic.util.exc.CommandError: Can't locate revision identified by 'f460b0348206'\n{log}"
    assert with_exception(why, newer).startswith(f"{why}: its database has been changed by a newer JupyterHub, which")
    assert with_exception(why, "Permission denied\n  Error: indented\n") == why


def test_a_container_out_of_memory_says_so():
    crash = container(
        {"waiting": {"reason": "CrashLoopBackOff"}}, restarts=1,
        last={"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
    )  # fmt: skip
    assert "needs more memory than its limit" in str(why_pod(pod(containers=[crash])))


def test_an_old_warning_is_not_taken_for_the_present_reason():
    events = [
        event("hub-1", "FailedScheduling", "no nodes", when="2026-01-01T10:00:00Z"),
        event("hub-1", "Pulling", 'Pulling image "x"', kind="Normal", when="2026-01-01T10:00:09Z"),
    ]
    assert str(why_pod(pod(), events)) == 'pod hub-1 Pulling: Pulling image "x"'


def claim(**spec):
    return {"metadata": {"name": "hub-db-dir"}, "spec": spec, "status": {"phase": "Pending"}}


def test_a_claim_without_a_storage_class():
    why = why_claim(claim())
    assert "volume claim hub-db-dir names no storage class" in str(why)
    assert why and why.lasting


def test_a_claim_that_cinder_refuses():
    why = why_claim(
        claim(storageClassName="cinder"), [event("hub-db-dir", "ProvisioningFailed", "VolumeLimitExceeded")]
    )
    assert "storage class cinder: ProvisioningFailed: VolumeLimitExceeded" in str(why)


def test_a_claim_that_waits_for_its_first_pod_is_fine():
    waits = event("hub-db-dir", "WaitForFirstConsumer", "waiting", kind="Normal")
    assert why_claim(claim(storageClassName="cinder"), [waits]) is None


def deployment(**status):
    return {"metadata": {"name": "hub", "generation": 2}, "spec": {"replicas": 1}, "status": status}


def test_a_deployment_counts_when_its_newest_pods_are_there():
    there = {"updatedReplicas": 1, "availableReplicas": 1, "replicas": 1}
    assert is_available(deployment(observedGeneration=2, **there))
    assert not is_available(deployment(observedGeneration=1, **there))
    assert not is_available(deployment(observedGeneration=2, **there | {"replicas": 2}))
    assert not is_available(deployment())


def test_a_deployment_that_may_make_no_pod():
    refused = event("hub-6f769dfcf", "FailedCreate", "pods is forbidden: exceeded quota")
    assert "deployment hub cannot create pods: FailedCreate: pods is forbidden" in str(
        why_deployment(deployment(), [], [refused])
    )
    assert why_deployment(deployment(), [pod("hub-6f769dfcf-x")], [refused]) is None


def service(ingress=None):
    return {"metadata": {"name": "proxy-public"}, "status": {"loadBalancer": {"ingress": ingress} if ingress else {}}}


def test_a_load_balancer_over_quota():
    said = "Error ensuring load balancer: Quota exceeded for resources: ['loadbalancer']"
    why = why_service(service(), [event("proxy-public", "SyncLoadBalancerFailed", said)])
    assert "quota exceeded" in str(why)
    assert why and why.lasting


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            '{"faultcode":"Client","faultstring":"Quota has been met for resources: Load Balancer","debuginfo":null}',
            "quota exceeded: SyncLoadBalancerFailed: Quota has been met for resources: Load Balancer",
        ),
        (
            '{"NeutronError": {"type": "IpAddressGenerationFailure", "message": "No more IP addresses", "detail": ""}}',
            "SyncLoadBalancerFailed: No more IP addresses",
        ),
    ],
)
def test_of_a_refused_load_balancer_what_openstack_said(answer: str, told: str):
    request = '{"name":"kube_service_x","listeners":[{"protocol":"TCP","default_pool":{"message":"no"}}]}'
    said = f"Error syncing load balancer: failed to ensure load balancer: error creating loadbalancer {request}: "
    said += f"Expected HTTP response code [201 202] when accessing [POST http://x], but got 403 instead: {answer}"
    why = why_service(service(), [event("proxy-public", "SyncLoadBalancerFailed", said)])
    assert str(why) == f"service proxy-public has no load balancer: {told}"


def test_a_cluster_without_load_balancers():
    assert "does the cluster support load balancers at all?" in str(why_service(service()))


def test_a_load_balancer_that_has_its_address():
    assert why_service(service([{"ip": "203.0.113.7"}])) is None


HELD: Any = [{"metadata": {"name": "csi-1"}, "spec": {"nodeName": "w-0", "source": {"persistentVolumeName": "pvc-1"}}}]
VOLUME: Any = {"spec": {"csi": {"driver": "cinder.csi.openstack.org", "volumeHandle": "4f1c"}}}


def node(ready):
    return {
        "metadata": {"name": "w-0"},
        "spec": {"providerID": "openstack:///aa-bb"},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


def test_a_volume_on_a_dead_node_comes_with_the_way_to_free_it():
    said = str(describe("pvc-1", HELD, VOLUME, [node("Unknown")]))
    assert "volume 4f1c (pvc-1), which is attached to w-0, a node that is not ready" in said
    assert "openstack server remove volume aa-bb 4f1c && kubectl delete volumeattachment csi-1" in said
    assert "a node that no longer exists" in str(describe("pvc-1", HELD, VOLUME, []))


def test_a_volume_on_a_live_node_is_not_to_be_torn_away():
    assert "openstack" not in str(describe("pvc-1", HELD, VOLUME, [node("True")]))


def test_a_volume_that_nothing_holds():
    assert describe("pvc-2", HELD, VOLUME, []) is None


def test_patience_ends_for_trouble_that_lasts_and_not_for_what_passes():
    lasting, passing = Trouble("pod a", "cannot pull", lasting=True), Trouble("pod b", "is being started")
    patience = Patience(seconds=0.05)
    assert not patience.is_over([lasting, passing])
    time.sleep(0.1)
    assert not patience.is_over([passing])
    assert not patience.is_over([lasting])
    time.sleep(0.1)
    assert patience.is_over([lasting])
