"""A cluster's certificate authorities, what they sign, and the kubeconfigs that are made of it."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.contract.clouds import Site
from tests.contract.conftest import Magnum, Program, practice, program_in

TYPES = ("kubernetes", "etcd", "front-proxy")


@pytest.fixture
def hub(magnum: Magnum) -> Iterator[str]:
    """A cluster with one worker."""
    uuid = magnum.create("hub", node_count=1)
    magnum.settled(uuid)
    yield uuid
    magnum.settled(uuid)


@pytest.fixture
def csr(tmp_path: Path) -> Path:
    """A certificate signing request for the user `me`."""
    own_key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "me")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(own_key, hashes.SHA256())
    path = tmp_path / "me.csr"
    path.write_bytes(request.public_bytes(serialization.Encoding.PEM))
    return path


def certificate(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


@pytest.mark.parametrize("kind", TYPES)
def test_each_ca_is_shown_and_signs(program: Program, hub: str, csr: Path, kind: str) -> None:
    of = [] if kind == "kubernetes" else ["--type", kind]
    shown = {other: program.zerojhub("ca", "show", "hub", "--type", other).stdout for other in TYPES}
    assert len(set(shown.values())) == len(TYPES)
    signed = certificate(program.zerojhub("ca", "sign", "hub", csr, *of).stdout)
    signed.verify_directly_issued_by(certificate(program.zerojhub("ca", "show", "hub", *of).stdout))
    assert signed.subject.rfc4514_string() == "CN=me"
    assert program.json("ca", "show", "hub", *of)["pem"].strip() == shown[kind].strip()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "me.csr: cannot be read: No such file or directory"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n", "me.csr: has a private key, not a certificate signing request"),
        ("nothing", "me.csr: is not in PEM"),
        ("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n", "me.csr: has a damaged certificate signing request"),
    ],
)
def test_what_is_no_request_is_not_sent(site: Site, program: Program, content: str | None, said: str) -> None:
    if content is not None:
        (program.folder / "me.csr").write_text(content)
    before = site.audit.read_text()
    error = program.zerojhub("ca", "sign", "hub", "me.csr", code=2).stderr
    assert said in error
    assert site.audit.read_text() == before


def test_a_magnum_with_one_ca_says_so(tmp_path: Path) -> None:
    with practice(tmp_path, "magnum-heat") as site, program_in(tmp_path, site) as program:
        compute = site.client("/compute/v2.1")
        compute.post("/os-keypairs", json={"keypair": {"name": "mykey"}}).raise_for_status()
        create = ("cluster", "create", "old", "--template", "kubernetes-v1.34.4", "--keypair", "mykey")
        program.zerojhub(*create)
        assert program.zerojhub("ca", "show", "old").stdout.startswith("-----BEGIN CERTIFICATE-----")
        error = program.zerojhub("ca", "show", "old", "--type", "etcd", code=2).stderr
        assert "the Magnum of cloud practice has one CA for each cluster" in error


def test_a_kubeconfig_with_certificates_beside_it_is_replaced_only_on_request(program: Program, hub: str) -> None:
    write = ("cluster", "kubeconfig", "hub", "--to", "k8s/config", "--output-certs")
    assert "k8s/key.pem" in program.zerojhub(*write).stdout
    files = {path.name: path for path in (program.folder / "k8s").iterdir()}
    assert set(files) == {"config", "ca.pem", "cert.pem", "key.pem"}
    assert {path.stat().st_mode & 0o777 for path in files.values()} == {0o600}
    [user] = json.loads(files["config"].read_text())["users"]
    given = base64.b64decode(user["user"]["client-certificate-data"]).decode()
    assert given == files["cert.pem"].read_text()
    certificate(given).verify_directly_issued_by(certificate(files["ca.pem"].read_text()))
    private = serialization.load_pem_private_key(files["key.pem"].read_bytes(), None)
    assert private.public_key() == certificate(given).public_key()

    assert (
        "k8s/config: already exists (--merge adds to it, --force replaces it)"
        in program.zerojhub(*write, code=2).stderr
    )
    files["config"].unlink()
    assert "k8s/ca.pem: already exists (--force replaces it)" in program.zerojhub(*write, code=2).stderr
    assert not files["config"].exists()
    program.zerojhub(*write, "--force")
    assert files["cert.pem"].read_text() != given
    program.zerojhub(*write, "--force")


def test_a_kubeconfig_for_tokens_has_no_secret(program: Program, hub: str) -> None:
    program.zerojhub("cluster", "kubeconfig", "hub", "--to", "config", "--use-keystone", "--output-certs")
    assert {path.name for path in program.folder.glob("*.pem")} == {"ca.pem"}
    config = yaml.safe_load((program.folder / "config").read_text())
    [user] = config["users"]
    assert user["user"].keys() == {"exec"}
    plugin = user["user"]["exec"]
    argv = [plugin["command"], *plugin["args"]]
    done = subprocess.run(argv, env={"OS_TOKEN": "gAAAA"}, capture_output=True, text=True, check=True, timeout=10)
    answer = {"apiVersion": plugin["apiVersion"], "kind": "ExecCredential", "status": {"token": "gAAAA"}}
    assert json.loads(done.stdout) == answer
    failed = subprocess.run(argv, env={}, capture_output=True, text=True, timeout=10)
    assert failed.returncode == 1
    assert "OS_TOKEN is not set" in failed.stderr
