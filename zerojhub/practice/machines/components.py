"""The Kubernetes programs as services of a machine, with their flags and configuration files."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from zerojhub.practice.ground import KubernetesSpec, MachineSpec
from zerojhub.practice.machines.pki import Pair

Service = tuple[list[str], dict[str, str]]
"""Command line and environment."""

PKI = "/etc/kubernetes/pki"
API_PORT = 6443
CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
NODE_PROGRAMS = ("kubelet", "kube-proxy", "kubectl")
# All machines share one computer, so spend more time on garbage collection to save memory.
SMALL = {"GOGC": "50"}


def master_services(cluster: KubernetesSpec, machine: MachineSpec) -> dict[str, Service]:
    """etcd and the control plane of one master."""
    return {
        "etcd": (_etcd(cluster, machine), SMALL),
        "kube-apiserver": (_apiserver(cluster, machine), SMALL),
        "kube-controller-manager": (_controller_manager(cluster), SMALL),
        "kube-scheduler": (_scheduler(cluster), SMALL),
    }


def node_services(cluster: KubernetesSpec, machine: MachineSpec) -> dict[str, Service]:
    """What makes a machine a node, besides containerd."""
    kubelet = ["kubelet", "--config=/etc/kubernetes/kubelet.yaml", "--kubeconfig=/etc/kubernetes/kubelet.conf"]
    kubelet += [f"--hostname-override={machine.name}", f"--node-ip={machine.address}", f"--cert-dir={PKI}"]
    kubelet += _cloud_provider(cluster)
    proxy = ["kube-proxy", "--config=/etc/kubernetes/proxy.yaml", f"--hostname-override={machine.name}"]
    return {"kubelet": (kubelet, SMALL), "kube-proxy": (proxy, SMALL)}


def kubeconfig(server: str, ca: str, pair: Pair) -> str:
    """A self-contained kubeconfig (JSON, which is valid YAML)."""

    def data(pem: str) -> str:
        return base64.b64encode(pem.encode()).decode()

    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "default", "cluster": {"server": server, "certificate-authority-data": data(ca)}}],
            "users": [
                {
                    "name": "default",
                    "user": {"client-certificate-data": data(pair.certificate), "client-key-data": data(pair.key)},
                }
            ],
            "contexts": [{"name": "default", "context": {"cluster": "default", "user": "default"}}],
            "current-context": "default",
        },
        indent=1,
    )


def kubelet_config(cluster: KubernetesSpec, machine: MachineSpec, dns: str) -> str:
    master = machine in cluster.masters
    taint = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
    return json.dumps(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": f"{PKI}/ca.crt"},
            },
            "authorization": {"mode": "Webhook"},
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": "/kubelet",
            "clusterDomain": "cluster.local",
            "clusterDNS": [dns],
            "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
            "enforceNodeAllocatable": [],
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            "failSwapOn": False,
            "imageGCHighThresholdPercent": 100,
            "oomScoreAdj": 0,
            "providerID": f"openstack:///{machine.id}",
            "registerWithTaints": [taint] if master else [],
            "serializeImagePulls": False,
            "tlsCertFile": f"{PKI}/kubelet.crt",
            "tlsPrivateKeyFile": f"{PKI}/kubelet.key",
            "tlsMinVersion": "VersionTLS12",
        },
        indent=1,
    )


def proxy_config(cluster: KubernetesSpec) -> str:
    return json.dumps(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "clientConnection": {"kubeconfig": "/etc/kubernetes/proxy.conf"},
            "clusterCIDR": cluster.pod_network,
            "mode": "iptables",
            "oomScoreAdj": 0,
            # Connection tracking limits belong to the host; a machine must not set them.
            "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        },
        indent=1,
    )


def cni_config(subnet: str) -> str:
    """A node's pod network: a bridge, addresses from the node's subnet, host ports."""
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "hairpinMode": True,
        "ipam": {"type": "host-local", "ranges": [[{"subnet": subnet}]], "routes": [{"dst": "0.0.0.0/0"}]},
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps({"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge, ports]}, indent=1)


def _etcd(cluster: KubernetesSpec, machine: MachineSpec) -> list[str]:
    tls = [f"--peer-cert-file={PKI}/etcd.crt", f"--peer-key-file={PKI}/etcd.key", "--peer-client-cert-auth"]
    return [
        "etcd",
        f"--name={machine.name}",
        "--data-dir=/var/lib/etcd/data",
        "--listen-client-urls=http://127.0.0.1:2379",
        "--advertise-client-urls=http://127.0.0.1:2379",
        f"--listen-peer-urls=https://{machine.address}:2380",
        f"--initial-advertise-peer-urls=https://{machine.address}:2380",
        "--initial-cluster=" + ",".join(f"{master.name}=https://{master.address}:2380" for master in cluster.masters),
        f"--initial-cluster-token={cluster.id}",
        f"--peer-trusted-ca-file={PKI}/etcd-ca.crt",
        *tls,
        # Nothing outlives the machine, so etcd need not wait for writes to reach the disk.
        "--unsafe-no-fsync",
    ]


def _apiserver(cluster: KubernetesSpec, machine: MachineSpec) -> list[str]:
    return [
        "kube-apiserver",
        "--etcd-servers=http://127.0.0.1:2379",
        f"--secure-port={API_PORT}",
        f"--advertise-address={machine.address}",
        f"--tls-cert-file={PKI}/apiserver.crt",
        f"--tls-private-key-file={PKI}/apiserver.key",
        f"--client-ca-file={PKI}/ca.crt",
        f"--kubelet-client-certificate={PKI}/apiserver-kubelet.crt",
        f"--kubelet-client-key={PKI}/apiserver-kubelet.key",
        "--kubelet-preferred-address-types=InternalIP",
        f"--requestheader-client-ca-file={PKI}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={PKI}/front-proxy.crt",
        f"--proxy-client-key-file={PKI}/front-proxy.key",
        f"--service-account-key-file={PKI}/sa.pub",
        f"--service-account-signing-key-file={PKI}/sa.key",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-cluster-ip-range={cluster.service_network}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        # Shortens the grace period for watches at shutdown from 60 s to 2 s.
        "--shutdown-send-retry-after=true",
        "--profiling=false",
    ]


def _controller_manager(cluster: KubernetesSpec) -> list[str]:
    return [
        "kube-controller-manager",
        *_own_kubeconfig("controller-manager"),
        f"--cluster-cidr={cluster.pod_network}",
        "--allocate-node-cidrs=false",
        f"--service-cluster-ip-range={cluster.service_network}",
        f"--service-account-private-key-file={PKI}/sa.key",
        "--use-service-account-credentials=true",
        f"--root-ca-file={PKI}/ca.crt",
        f"--cluster-signing-cert-file={PKI}/ca.crt",
        f"--cluster-signing-key-file={PKI}/ca.key",
        *_cloud_provider(cluster),
        *_leader(cluster.masters),
        "--profiling=false",
    ]


def _scheduler(cluster: KubernetesSpec) -> list[str]:
    return ["kube-scheduler", *_own_kubeconfig("scheduler"), *_leader(cluster.masters), "--profiling=false"]


def _own_kubeconfig(name: str) -> list[str]:
    path = f"/etc/kubernetes/{name}.conf"
    return [f"--{use}={path}" for use in ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")]


def _cloud_provider(cluster: KubernetesSpec) -> list[str]:
    """Use the external cloud controller manager, if the cluster has a cloud provider."""
    return ["--cloud-provider=external"] if cluster.cloud_provider else []


def _leader(masters: Sequence[MachineSpec]) -> list[str]:
    return [f"--leader-elect={'true' if len(masters) > 1 else 'false'}"]
