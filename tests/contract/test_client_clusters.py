"""The `openstack coe` commands work as on a real cloud."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.contract.clouds import Site
from tests.contract.conftest import Magnum


@pytest.fixture
def hub(magnum: Magnum) -> Iterator[str]:
    """A cluster with one worker."""
    yield magnum.create("hub", node_count=1)
    magnum.settled("hub")


def test_the_client_takes_a_template_through_its_life(site: Site) -> None:
    create = (
        "coe cluster template create mine --coe kubernetes --image fedora-coreos-38 --external-network public"
        " --flavor m1.small --master-flavor m1.medium --labels kube_tag=v1.34.4,a=b"
    )
    made, changed, listed = site.asked(
        create,
        "coe cluster template update --flavor m1.medium --label c=d --name other mine",
        "coe cluster template list --fields flavor_id",
    )
    assert (made["flavor_id"], made["labels"]) == ("m1.small", {"kube_tag": "v1.34.4", "a": "b"})
    assert (changed["name"], changed["flavor_id"]) == ("other", "m1.medium")
    assert changed["labels"]["c"] == "d"
    assert {"other": "m1.medium"}.items() <= {item["name"]: item["flavor_id"] for item in listed}.items()
    assert "has been accepted" in site.openstack("coe cluster template delete other")
    assert "could not be found" in site.refused("coe cluster template show other")


def test_the_client_takes_a_node_group_through_its_life(site: Site, magnum: Magnum, hub: str) -> None:
    magnum.settled(hub)
    site.openstack("coe nodegroup create hub pool --node-count 1 --min-nodes 1 --max-nodes 3 --role gpu")
    magnum.settled(hub)
    site.openstack("coe nodegroup update --max-nodes 4 hub pool")
    magnum.settled(hub)
    site.openstack("coe cluster resize --nodegroup pool hub 2")
    magnum.settled(hub)
    pool, groups = site.asked("coe nodegroup show hub pool", "coe nodegroup list --role gpu hub")
    assert (pool["node_count"], pool["min_node_count"], pool["max_node_count"], pool["role"]) == (2, 1, 4, "gpu")
    assert [group["name"] for group in groups] == ["pool"]
    assert len(site.ground.nodes[hub]) == 4
    assert "Deleting a default nodegroup is not supported" in site.refused("coe nodegroup delete hub default-worker")
    site.openstack("coe nodegroup delete hub pool")
    magnum.settled(hub)
    assert len(site.ground.nodes[hub]) == 2


def test_the_client_gets_into_a_cluster(site: Site, magnum: Magnum, hub: str, tmp_path: Path) -> None:
    magnum.settled(hub)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "me")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    csr = tmp_path / "me.csr"
    csr.write_bytes(request.public_bytes(serialization.Encoding.PEM))
    authority, certificate = site.openstack("coe ca show hub"), site.openstack(f"coe ca sign hub {csr}")
    issued, ca = (x509.load_pem_x509_certificate(text.strip().encode()) for text in (certificate, authority))
    issued.verify_directly_issued_by(ca)
    assert issued.subject == name

    said = site.openstack(f"coe cluster config --dir {tmp_path} hub")
    assert f"export KUBECONFIG={tmp_path}/config" in said
    config = yaml.safe_load((tmp_path / "config").read_text())
    assert config["clusters"][0]["cluster"]["server"] == magnum.show(hub)["api_address"]


def test_the_client_says_what_only_administrators_may(site: Site, hub: str) -> None:
    project = next(iter(site.store.projects))
    refused = site.refused("coe quotas list", "coe service list")
    for policy in ("quota:get_all", "magnum-service:get_all"):
        assert f"Policy doesn't allow {policy} to be performed" in refused
    said = site.openstack(
        f"coe quotas create --project-id {project} --resource Cluster --hard-limit 3",
        f"coe quotas update --project-id {project} --resource Cluster --hard-limit 3",
        f"coe quotas delete --project-id {project} --resource Cluster",
        f"coe quotas show --project-id {project} --resource Cluster",
        f"coe stats list {project}",
    )
    for policy in ("quota:create", "quota:update", "quota:delete"):
        assert f"Policy doesn't allow {policy} to be performed" in said
    assert "hard_limit" in said
    assert "clusters" in said
