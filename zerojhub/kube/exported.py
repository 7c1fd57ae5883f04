"""Exported objects (`kubectl get -o yaml`) without what the API server and its controllers had set in them."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zerojhub.kube.types import Manifest

METADATA = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
)
GENERATED = {"batch.kubernetes.io/controller-uid", "controller-uid"}
"""Labels of a job and its pods that only the API server sets."""
LABELS = {*GENERATED, "batch.kubernetes.io/job-name", "job-name"}
"""What it sets along with them."""
ANNOTATIONS = (
    "batch.kubernetes.io/cronjob-scheduled-timestamp",
    "batch.kubernetes.io/job-tracking",
    "cronjob.kubernetes.io/instantiate",
    "deployment.kubernetes.io/revision",
    "kubectl.kubernetes.io/last-applied-configuration",
    "kubernetes.io/service-account.uid",
    "pv.kubernetes.io/bind-completed",
    "pv.kubernetes.io/bound-by-controller",
    "volume.beta.kubernetes.io/storage-provisioner",
    "volume.kubernetes.io/selected-node",
    "volume.kubernetes.io/storage-provisioner",
)
FINALIZERS = ("foregroundDeletion", "kubernetes.io/pvc-protection", "orphan")
SPEC = {
    "PersistentVolumeClaim": ("volumeName",),
    "Pod": ("nodeName",),
    "Service": ("clusterIP", "clusterIPs", "healthCheckNodePort"),
}
"""Parts of a spec that the cluster fills in, and that a manifest may set as well: left out of exported objects only."""
IN_EVERY_NAMESPACE = (("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default"))


def is_exported(manifest: Manifest) -> bool:
    """Whether an API server has stored the object."""
    metadata = manifest.get("metadata")
    return isinstance(metadata, dict) and bool({"uid", "resourceVersion"} & metadata.keys())


def is_made_by_the_cluster(manifest: Manifest) -> bool:
    """Whether a controller made the object, for another one or in every namespace: it will do so again."""
    if not is_exported(manifest):
        return False
    metadata = manifest["metadata"]
    owners = metadata.get("ownerReferences")
    return (
        (isinstance(owners, list) and any(isinstance(owner, dict) and owner.get("controller") for owner in owners))
        or (manifest["kind"], metadata.get("name")) in IN_EVERY_NAMESPACE
        or manifest.get("type") == "kubernetes.io/service-account-token"
    )


def cleaned(manifest: Manifest) -> Manifest:
    """The manifest without what the API server sets."""
    clean = _template({key: value for key, value in manifest.items() if key != "status"})
    if is_exported(manifest) and isinstance(clean.get("spec"), dict):
        # `None` is what a headless service says itself.
        given = [key for key in SPEC.get(manifest["kind"], ()) if clean["spec"].get(key) != "None"]
        clean["spec"] = _without(clean["spec"], given)
    return clean


def _template(given: Manifest, *, manual: bool = False) -> Manifest:
    """An object, or the template of one, without what the API server sets in it or in templates inside it.

    `manual`: its labels are those that a selector of the user's own selects.
    """
    clean, spec = dict(given), given.get("spec")
    manual = manual or bool(isinstance(spec, dict) and spec.get("manualSelector"))
    if isinstance(given.get("metadata"), dict):
        clean["metadata"] = _metadata(given["metadata"], () if manual else LABELS)
    if not isinstance(spec, dict):
        return clean
    clean["spec"] = spec = dict(spec)
    if not manual and isinstance(selector := spec.get("selector"), dict) and _is_generated(selector.get("matchLabels")):
        del spec["selector"]
    for key in ("template", "jobTemplate"):
        if isinstance(spec.get(key), dict):
            spec[key] = _template(spec[key], manual=manual)
    return clean


def _metadata(given: dict[str, Any], labels: Collection[str]) -> dict[str, Any]:
    clean = {key: value for key, value in given.items() if key not in METADATA}
    if _is_generated(given.get("labels")):
        clean["labels"] = _without(given["labels"], labels)
    if isinstance(given.get("annotations"), dict):
        clean["annotations"] = _without(given["annotations"], ANNOTATIONS)
    if isinstance(given.get("finalizers"), list):
        clean["finalizers"] = [each for each in given["finalizers"] if each not in FINALIZERS]
    return {key: value for key, value in clean.items() if value not in ({}, [])}


def _is_generated(labels: object) -> bool:
    """Whether the labels, or the selector, are those that the API server generates for a job."""
    return isinstance(labels, dict) and bool(labels.keys() & GENERATED)


def _without(given: dict[str, Any], keys: Collection[str]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key not in keys}
