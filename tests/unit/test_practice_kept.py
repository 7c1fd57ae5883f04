"""What of a practice cloud outlives its process: clusters with their authorities, and the network with its addresses."""

from __future__ import annotations

import pickle
from ipaddress import IPv4Network
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from zerojhub.practice.ground import KubernetesSpec, Listener, MachineSpec
from zerojhub.practice.machines.cluster import Cluster
from zerojhub.practice.machines.network import Network

MASTER = MachineSpec("m1", "hub-master-0", "10.221.0.5", "core", ("ssh-ed25519 AAAA",), "0" * 32)
SPEC = KubernetesSpec("c1", "hub", "v1.34.4", (MASTER,), "[Global]\n")


def test_a_cluster_has_its_authorities_and_tokens_in_the_next_process(tmp_path: Path) -> None:
    first = Cluster(SPEC, tmp_path / "c1", "10.221.0.1")
    files = {path.name: path.read_bytes() for path in (tmp_path / "c1").iterdir()}
    kept = pickle.loads(pickle.dumps(first.kept()))
    second = Cluster(kept.spec, tmp_path / "c1", "10.221.0.1", kept)
    assert second.ca == first.ca
    assert {path.name: path.read_bytes() for path in (tmp_path / "c1").iterdir()} == files
    assert second.kept() == first.kept()
    # It also signs with the same key as before.
    pair = second.authority.issue("ada")
    issued, authority = (x509.load_pem_x509_certificate(each.encode()) for each in (pair.certificate, first.ca))
    issued.verify_directly_issued_by(authority)
    assert isinstance(authority.public_key(), ec.EllipticCurvePublicKey)


def test_pod_subnets_are_kept_by_machine(tmp_path: Path) -> None:
    cluster, subnet = Cluster(SPEC, tmp_path / "c1", "10.221.0.1"), IPv4Network("10.100.1.0/24")
    machine: object = object()
    cluster.nodes["m1"] = machine, subnet  # type: ignore[assignment]  # which machine does not matter
    assert cluster.kept().nodes == {"m1": subnet}


def test_a_network_keeps_its_addresses_but_not_what_belongs_to_the_process(tmp_path: Path) -> None:
    network = Network(tmp_path, 9580)
    network.cidr, network.public = "10.221.0.0/24", "198.51.100.0/24"
    addresses = network._addresses
    addresses.floating["198.51.100.7"] = "10.221.0.5"
    addresses.balanced["10.221.0.9"] = (Listener(80, (("10.221.0.5", 30080),)),)
    addresses.front = 40000
    addresses.resting.add(("10.221.0.5", 30080))
    kept = pickle.loads(pickle.dumps(network.kept()))
    assert (kept.cidr, kept.public) == (network.cidr, network.public)
    assert (kept.addresses.floating, kept.addresses.balanced) == (addresses.floating, addresses.balanced)
    assert (kept.addresses.front, kept.addresses.resting) == (0, set())
