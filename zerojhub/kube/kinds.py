"""The kinds of Kubernetes objects that zerojhub uses, each with the type of its objects.

`await kube.list(POD, namespace)` is a list of `types.Pod`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    # Only the type checker reads them, and creating them takes 4 ms.
    from zerojhub.kube.types import (
        ConfigMap,
        CronJob,
        DaemonSet,
        Deployment,
        Event,
        Job,
        Node,
        Object,
        PersistentVolume,
        PersistentVolumeClaim,
        Pod,
        Secret,
        Service,
        StatefulSet,
        StorageClass,
        VolumeAttachment,
    )

T_co = TypeVar("T_co", covariant=True)


class Kind(str, Generic[T_co]):
    """A kind with its API version, such as `v1/Pod`; the type parameter is the type of its objects."""

    __slots__ = ()

    @property
    def type(self) -> Any:
        """The type of its objects: the one in `types` with its name, or else that of any object."""
        from zerojhub.kube import types

        return getattr(types, self.rpartition("/")[2], types.Object)


CONFIG_MAP: Kind[ConfigMap] = Kind("v1/ConfigMap")
EVENT: Kind[Event] = Kind("v1/Event")
NAMESPACE: Kind[Object] = Kind("v1/Namespace")
NODE: Kind[Node] = Kind("v1/Node")
PERSISTENT_VOLUME: Kind[PersistentVolume] = Kind("v1/PersistentVolume")
PERSISTENT_VOLUME_CLAIM: Kind[PersistentVolumeClaim] = Kind("v1/PersistentVolumeClaim")
POD: Kind[Pod] = Kind("v1/Pod")
SECRET: Kind[Secret] = Kind("v1/Secret")
SERVICE: Kind[Service] = Kind("v1/Service")
DAEMON_SET: Kind[DaemonSet] = Kind("apps/v1/DaemonSet")
DEPLOYMENT: Kind[Deployment] = Kind("apps/v1/Deployment")
STATEFUL_SET: Kind[StatefulSet] = Kind("apps/v1/StatefulSet")
JOB: Kind[Job] = Kind("batch/v1/Job")
CRON_JOB: Kind[CronJob] = Kind("batch/v1/CronJob")
CSI_DRIVER: Kind[Object] = Kind("storage.k8s.io/v1/CSIDriver")
STORAGE_CLASS: Kind[StorageClass] = Kind("storage.k8s.io/v1/StorageClass")
VOLUME_ATTACHMENT: Kind[VolumeAttachment] = Kind("storage.k8s.io/v1/VolumeAttachment")
