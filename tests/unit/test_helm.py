"""Helm on a machine: which version fits, and the fetched archive that must be the pinned one."""

from __future__ import annotations

import hashlib
import http.server
import io
import tarfile
import threading
from functools import partial

import anyio
import pytest

from zerojhub.helm import HelmError, ReleaseNotFound
from zerojhub.machine.local import LocalMachine
from zerojhub.stages.helm import FETCH, FIND, _fits

PROGRAM = b"#!/bin/sh\necho v3.18.4\n"


@pytest.mark.parametrize(
    ("version", "wanted", "fits"),
    [
        ("v3.18.4", None, True),
        ("v3.22", None, True),
        ("v3.8.0+g1f2c3d", None, True),
        ("v3.7.2", None, False),
        ("v4.0.0", None, False),
        ("v2.17.0", None, False),
        ("", None, False),
        ("v3.18.4+gd80839c", "3.18.4", True),
        ("v3.18.5", "3.18.4", False),
    ],
)
def test_which_helm_fits(version, wanted, fits):
    assert _fits(version, wanted) is fits


@pytest.fixture
def archive(tmp_path):
    """A server on loopback with an archive as Helm's are: its address and SHA-256."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo("linux-amd64/helm")
        info.size = len(PROGRAM)
        tar.addfile(info, io.BytesIO(PROGRAM))
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "helm.tar.gz").write_bytes(buffer.getvalue())

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path / "served"))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/helm.tar.gz", hashlib.sha256(buffer.getvalue()).hexdigest()
    server.shutdown()
    server.server_close()


def run(*argv):
    return anyio.run(partial(LocalMachine().run, list(argv), check=False))


def test_the_pinned_archive_becomes_a_program_that_is_found(archive, tmp_path):
    url, checksum = archive
    path = tmp_path / "bin" / "helm"
    assert run("sh", "-c", FETCH, "fetch-helm", url, checksum, str(path)).code == 0
    assert path.read_bytes() == PROGRAM
    assert f"v3.18.4 {path}" in run("sh", "-c", FIND, "find-helm", str(path)).stdout.decode().splitlines()


def test_another_archive_than_the_pinned_one_is_not_installed(archive, tmp_path):
    url, _ = archive
    answer = run("sh", "-c", FETCH, "fetch-helm", url, "0" * 64, str(tmp_path / "bin" / "helm"))
    assert answer.code == 3
    assert b"SHA-256" in answer.stderr
    assert not (tmp_path / "bin").exists()


def test_helm_s_last_words_are_the_message():
    error = HelmError(1, b"", b"warning: x\nError: UPGRADE FAILED: timed out waiting for the condition\n")
    assert str(error) == "helm: UPGRADE FAILED: timed out waiting for the condition"
    assert ReleaseNotFound(1, b"", b"Error: release: not found\n").exit_code == 1
