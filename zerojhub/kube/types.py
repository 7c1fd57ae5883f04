"""The Kubernetes objects that zerojhub reads: only the fields that it uses, as the API writes them.

The API leaves out what is empty, so only fields that are always there are required. Every answer is checked to be of its
type (`answers`): the type of a kind's objects has the kind's name.
"""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, Required, TypeAlias

from typing_extensions import TypedDict

from zerojhub.answers import Base64, MinLen, Predicate, Timestamp
from zerojhub.kube.quantity import QUANTITY

Manifest = dict[str, Any]
"""An object to send to the API: apiVersion, kind, metadata and whatever its kind has."""


def _is_quantity(text: str) -> bool:
    return QUANTITY.fullmatch(text) is not None


Quantity: TypeAlias = Annotated[str, Predicate(_is_quantity)]
"""`500m`, `2Gi`."""


# -- common to all kinds ------------------------------------------------------------------------------------------------


class OwnerReference(TypedDict):
    apiVersion: str
    kind: str
    name: str
    uid: str
    controller: NotRequired[bool]


class ObjectMeta(TypedDict, total=False):
    name: Required[str]
    namespace: str
    """Always there for a kind that lives in namespaces."""
    uid: Required[str]
    resourceVersion: str
    creationTimestamp: Required[Timestamp]
    deletionTimestamp: Timestamp
    generation: int
    labels: dict[str, str]
    annotations: dict[str, str]
    finalizers: list[str]
    ownerReferences: list[OwnerReference]


class TemplateMeta(TypedDict, total=False):
    """The metadata of a template, which objects made from it get."""

    labels: dict[str, str]
    annotations: dict[str, str]


class Object(TypedDict):
    """Any object."""

    metadata: ObjectMeta


class Condition(TypedDict, total=False):
    type: Required[str]
    status: Required[str]
    """True, False or Unknown."""
    reason: str
    message: str
    lastTransitionTime: Timestamp | None


class ObjectReference(TypedDict, total=False):
    kind: str
    name: str
    namespace: str
    uid: str


class Event(Object):
    involvedObject: ObjectReference
    reason: NotRequired[str]
    message: NotRequired[str]
    type: NotRequired[str]
    """Normal or Warning."""
    lastTimestamp: NotRequired[str | None]
    eventTime: NotRequired[str | None]
    series: NotRequired[EventSeries | None]


class EventSeries(TypedDict, total=False):
    count: int
    lastObservedTime: str | None


# -- nodes and pods -----------------------------------------------------------------------------------------------------


class Taint(TypedDict):
    key: str
    value: NotRequired[str]
    effect: str


class NodeSpec(TypedDict, total=False):
    providerID: str
    unschedulable: bool
    taints: list[Taint]


class NodeAddress(TypedDict):
    type: str
    """InternalIP, ExternalIP, Hostname …"""
    address: str


class NodeInfo(TypedDict):
    machineID: str
    systemUUID: str
    kubeletVersion: str
    containerRuntimeVersion: str


class NodeStatus(TypedDict):
    addresses: NotRequired[list[NodeAddress]]
    allocatable: NotRequired[dict[str, Quantity]]
    conditions: NotRequired[list[Condition]]
    nodeInfo: NodeInfo


class Node(Object):
    spec: NodeSpec
    status: NodeStatus


class Resources(TypedDict, total=False):
    requests: dict[str, Quantity]
    limits: dict[str, Quantity]


class Container(TypedDict, total=False):
    name: Required[str]
    image: Required[str]
    command: list[str]
    args: list[str]
    env: list[dict[str, Any]]
    resources: Resources


class ClaimSource(TypedDict):
    claimName: str


class SecretSource(TypedDict, total=False):
    secretName: str


class Volume(TypedDict, total=False):
    name: Required[str]
    persistentVolumeClaim: ClaimSource
    secret: SecretSource


class PodSpec(TypedDict, total=False):
    containers: Required[Annotated[list[Container], MinLen(1)]]
    initContainers: list[Container]
    nodeName: str
    volumes: list[Volume]


class Waiting(TypedDict, total=False):
    reason: str
    message: str


class Running(TypedDict, total=False):
    startedAt: Timestamp | None


class Terminated(TypedDict, total=False):
    exitCode: Required[int]
    reason: str
    message: str
    finishedAt: Timestamp | None


class ContainerState(TypedDict, total=False):
    """One of the three."""

    waiting: Waiting
    running: Running
    terminated: Terminated


class ContainerStatus(TypedDict, total=False):
    name: Required[str]
    image: Required[str]
    restartCount: Required[int]
    state: ContainerState
    lastState: ContainerState


class PodStatus(TypedDict, total=False):
    phase: Required[str]
    """Pending, Running, Succeeded, Failed or Unknown."""
    reason: str
    message: str
    conditions: list[Condition]
    initContainerStatuses: list[ContainerStatus]
    containerStatuses: list[ContainerStatus]


class Pod(Object):
    spec: PodSpec
    status: PodStatus


# -- what makes pods ----------------------------------------------------------------------------------------------------


class PodTemplate(TypedDict):
    metadata: NotRequired[TemplateMeta]
    spec: PodSpec


class WorkloadSpec(TypedDict):
    template: PodTemplate


class Workload(Object):
    """What a Deployment, a DaemonSet and a StatefulSet have in common."""

    spec: WorkloadSpec


class StatefulSet(Workload):
    """Its pods are numbered, and keep their volumes."""


class DaemonSetStatus(TypedDict, total=False):
    desiredNumberScheduled: int
    numberReady: int


class DaemonSet(Workload):
    status: DaemonSetStatus


class DeploymentSpec(WorkloadSpec):
    replicas: NotRequired[int]


class DeploymentStatus(TypedDict, total=False):
    observedGeneration: int
    replicas: int
    updatedReplicas: int
    availableReplicas: int


class Deployment(Object):
    spec: DeploymentSpec
    status: DeploymentStatus


class JobSpec(TypedDict, total=False):
    template: Required[PodTemplate]
    completions: int | None
    parallelism: int | None
    suspend: bool


class JobStatus(TypedDict, total=False):
    active: int
    succeeded: int
    failed: int
    startTime: Timestamp
    completionTime: Timestamp
    conditions: list[Condition]


class Job(Object):
    spec: JobSpec
    status: JobStatus


class JobTemplate(TypedDict):
    metadata: NotRequired[TemplateMeta]
    spec: JobSpec


class CronJobSpec(TypedDict, total=False):
    schedule: Required[str]
    timeZone: str
    suspend: bool
    jobTemplate: Required[JobTemplate]


class CronJobStatus(TypedDict, total=False):
    active: list[ObjectReference]
    lastScheduleTime: Timestamp


class CronJob(Object):
    spec: CronJobSpec
    status: CronJobStatus


# -- services and configuration -----------------------------------------------------------------------------------------


class ServicePort(TypedDict, total=False):
    name: str
    port: Required[int]
    nodePort: int


class ServiceSpec(TypedDict):
    type: str
    """ClusterIP, NodePort, LoadBalancer or ExternalName."""
    ports: NotRequired[list[ServicePort]]


class Ingress(TypedDict, total=False):
    """An address of a load balancer: one of the two."""

    ip: str
    hostname: str


class LoadBalancerStatus(TypedDict, total=False):
    ingress: list[Ingress]


class ServiceStatus(TypedDict):
    loadBalancer: NotRequired[LoadBalancerStatus]


class Service(Object):
    spec: ServiceSpec
    status: ServiceStatus


class ConfigMap(Object):
    data: NotRequired[dict[str, str]]


class Secret(Object):
    data: NotRequired[dict[str, Base64]]


# -- storage ------------------------------------------------------------------------------------------------------------


class Capacity(TypedDict):
    storage: Quantity


class ClaimResources(TypedDict, total=False):
    requests: Capacity


class ClaimSpec(TypedDict, total=False):
    storageClassName: str
    volumeName: str
    resources: ClaimResources


class ClaimStatus(TypedDict, total=False):
    phase: str
    """Pending, Bound or Lost."""
    capacity: Capacity
    conditions: list[Condition]


class PersistentVolumeClaim(Object):
    spec: ClaimSpec
    status: ClaimStatus


class CSISource(TypedDict):
    driver: str
    volumeHandle: str
    """With the Cinder driver, the volume's UUID."""
    fsType: NotRequired[str]


class CinderSource(TypedDict):
    volumeID: str
    fsType: NotRequired[str]


class PersistentVolumeSpec(TypedDict, total=False):
    capacity: Required[Capacity]
    claimRef: ObjectReference
    persistentVolumeReclaimPolicy: str
    """Delete or Retain."""
    csi: CSISource
    cinder: CinderSource


class PersistentVolumeStatus(TypedDict, total=False):
    phase: str
    """Pending, Available, Bound, Released or Failed."""


class PersistentVolume(Object):
    spec: PersistentVolumeSpec
    status: NotRequired[PersistentVolumeStatus]


class AttachmentSource(TypedDict, total=False):
    persistentVolumeName: str


class VolumeAttachmentSpec(TypedDict):
    nodeName: str
    source: AttachmentSource


class VolumeAttachment(Object):
    spec: VolumeAttachmentSpec


class StorageClass(Object):
    provisioner: str
    reclaimPolicy: NotRequired[str]
    """Delete (the default) or Retain."""
    parameters: NotRequired[dict[str, str]]
    allowVolumeExpansion: NotRequired[bool]


# -- what a kubelet measures --------------------------------------------------------------------------------------------


class ClaimReference(TypedDict):
    name: str
    namespace: str


class VolumeStats(TypedDict, total=False):
    """A mounted volume of a pod."""

    usedBytes: int
    pvcRef: ClaimReference
    """Missing for a volume that no claim has."""


class PodStats(TypedDict, total=False):
    volume: list[VolumeStats]


class NodeStats(TypedDict):
    """The statistics of a node's pods."""

    pods: list[PodStats]
