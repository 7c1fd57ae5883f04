"""A cluster with several masters behind a load balancer."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.conftest import Shell
from tests.waiting import until
from zerojhub.practice import build

NAME = "three"


def status(cloud: Shell) -> str:
    return cloud.openstack("coe", "cluster", "show", NAME, "-f", "value", "-c", "status").strip()


def kubectl(folder: Path, *words: str) -> str:
    argv = [build.cache() / "programs" / "kube", "kubectl", f"--kubeconfig={folder / 'config'}", *words]
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_three_masters_answer_at_one_address(cloud: Shell, tmp_path: Path):
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True, timeout=30)
    cloud.openstack("keypair", "create", "--public-key", f"{key}.pub", NAME)
    parts = ["--image", "fedora-coreos-38", "--external-network", "public", "--network-driver", "flannel"]
    parts += ["--master-flavor", "m1.medium", "--flavor", "m1.small", "--labels", f"kube_tag={build.KUBERNETES}"]
    cloud.openstack("coe", "cluster", "template", "create", NAME, "--coe", "kubernetes", *parts, "--master-lb-enabled")
    counts = ["--master-count", "3", "--node-count", "1", "--floating-ip-disabled"]
    cloud.openstack("coe", "cluster", "create", NAME, "--cluster-template", NAME, "--keypair", NAME, *counts)
    try:
        until(lambda: status(cloud) != "CREATE_IN_PROGRESS")
        assert status(cloud) == "CREATE_COMPLETE"

        (balancer,) = json.loads(cloud.openstack("loadbalancer", "list", "-f", "json"))
        shown = json.loads(cloud.openstack("coe", "cluster", "show", NAME, "-f", "json"))
        assert shown["api_address"] == f"https://{balancer['vip_address']}:6443"
        assert len(shown["master_addresses"]) == 3

        # The ordinary client's own kubeconfig leads to the load balancer; three masters and a worker are there.
        cloud.openstack("coe", "cluster", "config", NAME, "--dir", str(tmp_path), "--force")
        assert balancer["vip_address"] in kubectl(tmp_path, "config", "view")
        masters = kubectl(tmp_path, "get", "nodes", "-l", "magnum.openstack.org/role=master", "-o", "name").split()
        assert len(masters) == 3
        assert len(kubectl(tmp_path, "get", "nodes", "-o", "name").split()) == 4

        # One of them holds the lease of each controller, and every one has an API server.
        holder = "jsonpath={.spec.holderIdentity}"
        for name in ("kube-controller-manager", "kube-scheduler"):
            held = kubectl(tmp_path, "-n", "kube-system", "get", "lease", name, "-o", holder)
            assert f"node/{held.rpartition('_')[0]}" in masters
        addresses = "jsonpath={.endpoints[*].addresses[*]}"
        found = kubectl(tmp_path, "get", "endpointslice", "kubernetes", "-o", addresses).split()
        assert sorted(found) == sorted(shown["master_addresses"])
    finally:
        cloud.openstack("coe", "cluster", "delete", NAME)
        until(lambda: NAME not in cloud.openstack("coe", "cluster", "list", "-f", "value", "-c", "name").split())
        cloud.openstack("coe", "cluster", "template", "delete", NAME)
        cloud.openstack("keypair", "delete", NAME)
    assert json.loads(cloud.openstack("loadbalancer", "list", "-f", "json")) == []
