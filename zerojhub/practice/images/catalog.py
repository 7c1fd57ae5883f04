"""The images that the practice cloud builds, and the public repositories that each one stands in for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Image:
    name: str
    """The name of its folder here (a Containerfile and the files it copies), and of the image in the OCI layout."""
    answers: tuple[str, ...]
    """Public repositories, including the registry. One image of a repository stands in for every tag that the others do
    not take."""
    base: str | None = None
    """The image here that its Containerfile builds on (FROM)."""
    program: str | None = None
    """The program from the practice build that it contains."""
    beside: str | None = None
    """The program from the practice build that it runs beside; without it, the image is of no use."""
    on_request: str | None = None
    """The part of `practice build --with` that makes that program, if it is built only on request."""
    before: int | None = None
    """It takes only tags of versions before this major one."""
    since: int | None = None
    """It takes only tags of this major version and of later ones."""

    @property
    def folder(self) -> Path:
        return HERE / self.name

    @property
    def on_demand(self) -> bool:
        """Whether it is built only when it is first pulled, or with `practice build --all`."""
        return self.before is not None or self.since is not None

    def takes(self, tag: str) -> bool:
        """Whether it stands in for the tag. Tags without a version, such as `latest`, are for images that take any."""
        if not self.on_demand:
            return True
        if not (version := re.match(r"v?(\d+)\.", tag, re.ASCII)):
            return False
        major = int(version[1])
        return (self.before is None or major < self.before) and (self.since is None or major >= self.since)


def _z2jh(name: str) -> tuple[str, ...]:
    """The chart's images moved from Docker Hub to Quay in version 3.0."""
    return f"quay.io/jupyterhub/{name}", f"docker.io/jupyterhub/{name}"


def _cloud_provider(name: str) -> tuple[str, ...]:
    """OpenStack's programs for Kubernetes moved from Docker Hub to the Kubernetes registry."""
    return f"registry.k8s.io/provider-os/{name}", f"docker.io/k8scloudprovider/{name}"


HUB = *_z2jh("k8s-hub"), *_z2jh("k8s-hub-slim")
SINGLEUSER = _z2jh("k8s-singleuser-sample")

IMAGES = (
    Image("debian", ("docker.io/library/debian", "docker.io/library/python")),
    Image("jupyterhub", _z2jh("jupyterhub"), base="debian"),
    Image("k8s-hub-3.3.8", HUB, base="debian", before=4),
    Image("k8s-hub", HUB, base="jupyterhub"),
    Image("k8s-hub-5", HUB, base="k8s-hub", since=5),
    Image("k8s-singleuser-sample", SINGLEUSER, base="jupyterhub"),
    Image("k8s-singleuser-sample-5", SINGLEUSER, base="k8s-singleuser-sample", since=5),
    Image("configurable-http-proxy", _z2jh("configurable-http-proxy"), base="debian"),
    Image("k8s-network-tools", _z2jh("k8s-network-tools"), base="debian"),
    Image("k8s-image-awaiter", _z2jh("k8s-image-awaiter"), base="debian"),
    Image("perl", ("docker.io/library/perl",), base="debian"),
    Image("busybox", ("docker.io/library/busybox",), base="debian"),
    Image(
        "cluster-autoscaler",
        tuple(
            f"{registry}/cluster-autoscaler"
            for registry in ("registry.k8s.io/autoscaling", "k8s.gcr.io/autoscaling", "docker.io/openstackmagnum")
        ),
        base="debian",
    ),
    Image("kube-scheduler", ("registry.k8s.io/kube-scheduler",), base="debian", program="kube"),
    Image("coredns", ("registry.k8s.io/coredns/coredns", "docker.io/coredns/coredns"), program="coredns"),
    Image(
        "openstack-cloud-controller-manager",
        _cloud_provider("openstack-cloud-controller-manager"),
        program="openstack-cloud-controller-manager",
    ),
    Image("cinder-csi-plugin", _cloud_provider("cinder-csi-plugin"), base="debian", program="cinder-csi-plugin"),
    *(
        Image(name, (f"registry.k8s.io/sig-storage/{name}", f"quay.io/k8scsi/{name}"), program=name)
        for name in ("csi-attacher", "csi-provisioner", "csi-resizer", "csi-node-driver-registrar")
    ),
    Image("restic", ("docker.io/restic/restic",), base="debian", program="restic", on_request="object-store"),
    Image("traefik", ("docker.io/library/traefik",), base="debian", program="traefik", on_request="https"),
    Image("k8s-secret-sync", _z2jh("k8s-secret-sync"), base="debian", beside="traefik", on_request="https"),
    Image("pause", ("registry.k8s.io/pause", "k8s.gcr.io/pause"), program="pause"),
)
