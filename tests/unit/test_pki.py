"""The certificates of practice clusters."""

from __future__ import annotations

import ssl
import subprocess

from zerojhub.practice.machines.pki import Authority, trusting


def test_a_certificate_can_have_what_a_strict_python_requires(tmp_path):
    authority = Authority("a")
    for strict, needs in ((True, 0), (False, 1)):
        issued = authority.issue("server", alternatives=["localhost"], strict=strict)
        (tmp_path / "ca.pem").write_text(authority.pair.certificate)
        (tmp_path / "own.pem").write_text(issued.certificate)
        command = ["openssl", "verify", "-x509_strict", "-CAfile", tmp_path / "ca.pem", tmp_path / "own.pem"]
        assert (subprocess.run(command, capture_output=True).returncode != 0) == needs


def test_a_cluster_is_trusted_by_a_python_that_is_strict(monkeypatch, tmp_path):
    def strict(*arguments, **options) -> ssl.SSLContext:
        context = default(*arguments, **options)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    default = ssl.create_default_context
    monkeypatch.setattr(ssl, "create_default_context", strict)
    authority = Authority("c")
    issued = authority.issue("server", alternatives=["localhost"])
    (tmp_path / "pair.pem").write_text(issued.certificate + issued.key)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(tmp_path / "pair.pem")
    here, there = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting(authority.pair.certificate).wrap_bio(here, there, server_hostname="localhost")
    server = serving.wrap_bio(there, here, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert client.getpeercert()
