"""Helm on a machine: choosing a version, and verifying the downloaded archive."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import tarfile
import threading
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.unit.faulty import proxy
from zerojhub import retry
from zerojhub.deployment import HelmSpec
from zerojhub.errors import CommandTimeout, UserError, ZeroJHubError
from zerojhub.helm import program
from zerojhub.helm.client import Helm, HelmError, ReleaseNotFound, run_as_given
from zerojhub.helm.program import FIND, Program, fits
from zerojhub.kube.reach import Reach
from zerojhub.machine import Result
from zerojhub.machine.local import LocalMachine
from zerojhub.retry import OutcomeUnknown
from zerojhub.stages.helm import FETCH

PROGRAM = b"#!/bin/sh\necho v3.18.4\n"


@pytest.mark.parametrize(
    ("version", "wanted", "expected"),
    [
        ("v3.18.4", None, True),
        ("v3.22", None, True),
        ("v3.8.0+g1f2c3d", None, True),
        ("v3.7.2", None, False),
        ("v4.0.0", None, True),
        ("v4.2.4", "4.2.4", True),
        ("v5.0.0", None, False),
        ("v2.17.0", None, False),
        ("", None, False),
        ("v3.18.4+gd80839c", "3.18.4", True),
        ("v3.18.5", "3.18.4", False),
    ],
)
def test_which_helm_fits(version, wanted, expected):
    assert fits(version, wanted) is expected


@pytest.fixture
def archive(tmp_path):
    """Serve an archive like Helm's on loopback: its address and SHA-256."""
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
    threading.Thread(target=partial(server.serve_forever, 0.02), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/helm.tar.gz", hashlib.sha256(buffer.getvalue()).hexdigest()
    server.shutdown()
    server.server_close()


def run(*argv):
    return anyio.run(partial(LocalMachine().run, list(argv), check=False))


@pytest.mark.host
def test_the_pinned_archive_becomes_a_program_that_is_found(archive, tmp_path):
    url, checksum = archive
    path = tmp_path / "bin" / "helm"
    assert run("sh", "-c", FETCH, "fetch-helm", url, checksum, str(path)).code == 0
    assert path.read_bytes() == PROGRAM
    assert f"v3.18.4 {path}" in run("sh", "-c", FIND, "find-helm", str(path)).stdout.decode().splitlines()


@pytest.mark.host
def test_another_archive_than_the_pinned_one_is_not_installed(archive, tmp_path):
    url, _ = archive
    answer = run("sh", "-c", FETCH, "fetch-helm", url, "0" * 64, str(tmp_path / "bin" / "helm"))
    assert answer.code == 3
    assert b"SHA-256" in answer.stderr
    assert not (tmp_path / "bin").exists()


@pytest.fixture
def published(archive, tmp_path, monkeypatch):
    """Helm 3.18.4 as the only one that can be downloaded, a cache without it, and what was reported."""
    url, checksum = archive
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(program, "URL", url)
    monkeypatch.setattr(program, "CHECKSUMS", {("3.18.4", anyio.run(program.platform_of, LocalMachine())): checksum})
    return []


def test_a_helm_that_this_machine_lacks_is_downloaded_once(published):
    wanted = HelmSpec(version="3.18.4")
    paths = [anyio.run(program.here, wanted, published.append) for _ in range(2)]
    assert paths[0] == paths[1]
    assert Path(paths[0]).read_bytes() == PROGRAM
    assert len(published) == 1


def test_a_download_with_another_checksum_is_not_kept(published, tmp_path):
    wanted = HelmSpec(version="3.18.4", sha256="0" * 64)
    with pytest.raises(ZeroJHubError, match="the SHA-256 is not 0000"):
        anyio.run(program.here, wanted, published.append)
    assert not list(tmp_path.rglob("helm-*"))


def test_a_download_survives_a_fault(published, monkeypatch):
    with proxy(int(program.URL.rpartition(":")[2].partition("/")[0])) as made:
        monkeypatch.setattr(program, "URL", f"{made.url}/helm.tar.gz")
        made.faults["GET"] = ["cut body"]
        assert Path(anyio.run(program.here, HelmSpec(version="3.18.4"), published.append)).read_bytes() == PROGRAM
        assert len(made.seen) == 2


def test_a_helm_that_nobody_knows_the_checksum_of_is_not_downloaded(published):
    with pytest.raises(UserError, match=r"no checksum is known for Helm 3\.99\.0"):
        anyio.run(program.here, HelmSpec(version="3.99.0"), published.append)
    assert published == []


class Recorder:
    """A machine that returns the same result for every command, and records the commands."""

    def __init__(self, result: Result) -> None:
        self.result = result
        self.calls: list[Any] = []

    async def run(self, argv, **options):
        self.calls.append((argv, options))
        return self.result


def reach_of(machine: Any) -> Reach:
    kube: Any = None
    return Reach(machine=machine, kubeconfig="/etc/admin.conf", kube=kube, address=None, version="v1.34.4")


def helm_on(machine: Any, version: str = "v3.18.4") -> Helm:
    return Helm(reach_of(machine), Program("/opt/helm", version), timeout=60)


@pytest.mark.parametrize(
    ("arguments", "added"),
    [
        (["list"], ["--namespace", "workshop"]),
        (["list", "-n", "kube-system"], []),
        (["list", "--all-namespaces"], []),
    ],
)
def test_the_users_own_helm_command_runs_in_the_hubs_namespace_unless_it_names_one(arguments, added):
    machine = Recorder(Result(3, b"", b"Error: no\n"))
    call = partial(run_as_given, namespace="workshop", input=b"typed")
    assert anyio.run(call, reach_of(machine), "/opt/helm", arguments).code == 3
    ((argv, options),) = machine.calls
    assert argv == ["/opt/helm", *arguments, "--kubeconfig", "/etc/admin.conf", *added]
    assert (options["input"], options["check"]) == (b"typed", False)


def test_helm_runs_on_the_machine_with_its_kubeconfig_and_gets_values_on_standard_input():
    machine = Recorder(Result(0, b"out", b""))
    assert anyio.run(helm_on(machine).run, ["upgrade", "hub", "--timeout", 60], b"secret: 1") == b"out"
    ((argv, options),) = machine.calls
    assert argv == ["/opt/helm", "upgrade", "hub", "--timeout", "60", "--kubeconfig", "/etc/admin.conf"]
    assert options == {"input": b"secret: 1", "sudo": True, "timeout": 90, "check": False, "repeatable": False}


def test_over_a_connection_that_breaks_only_what_reads_is_run_again():
    machine = Recorder(Result(0, b"[]", b""))
    anyio.run(helm_on(machine).run, ["history", "hub"])
    anyio.run(helm_on(machine).run, ["rollback", "hub"])
    assert [options["repeatable"] for _, options in machine.calls] == [True, False]


@pytest.mark.parametrize(
    ("call", "same", "options"),
    [
        (lambda helm: helm.install_or_upgrade("hub", "chart.tgz", {}), ["upgrade", "hub"], ["--server-side=false"]),
        (lambda helm: helm.rollback("hub", 3), ["rollback", "hub"], ["--server-side=false"]),
        (lambda helm: helm.uninstall("hub", wait=True), ["uninstall", "hub"], ["--wait=legacy"]),
        (lambda helm: helm.history("hub"), ["history", "hub"], []),
    ],
)
def test_helm_4_does_the_same_as_helm_3(call, same, options):
    words: dict[str, list[str]] = {}
    for version in ("v3.18.4", "v4.2.4"):
        machine = Recorder(Result(0, b"{}", b""))
        anyio.run(lambda: call(helm_on(machine, version)))  # noqa: B023  # it runs at once
        [(words[version], _)] = machine.calls
        assert words[version][1:3] == same
    assert [word for word in words["v4.2.4"] if word not in words["v3.18.4"]] == options
    assert {word for word in words["v3.18.4"] if word not in words["v4.2.4"]} <= {"--wait"}


def test_helm_gets_characters_that_yaml_has_no_escapes_for_as_they_are():
    machine = Recorder(Result(0, b"{}", b""))
    values = {"a": "\U0001f680\U0001f393", "b": "\\ud83d\\ude80", "c": "\\\U0001f680 \x7f\u2028é"}
    anyio.run(partial(helm_on(machine).install_or_upgrade, "hub", "chart.tgz", values))
    ((_, options),) = machine.calls
    assert json.loads(options["input"]) == values
    assert rb"\u2028\u00e9" in options["input"]
    assert options["input"].decode().count("\U0001f680") == 2


@pytest.mark.parametrize(
    ("stderr", "kind", "message"),
    [
        (b"Error: release: not found\n", ReleaseNotFound, "helm: release: not found"),
        (b"W0101 deprecated\nError: UPGRADE FAILED: x\n\n", HelmError, "helm: UPGRADE FAILED: x"),
        (
            b"Error: UPGRADE FAILED: execution error at (x/templates/NOTES.txt:1:4): \n\n#####\n\na is b.\n\nc is d.\n\n",
            HelmError,
            "helm: a is b.; c is d.",
        ),
        (b"", HelmError, "helm: exit code 1"),
    ],
)
def test_a_failure_of_helm_is_its_last_line(stderr, kind, message):
    with pytest.raises(HelmError) as failure:
        anyio.run(helm_on(Recorder(Result(1, b"", stderr))).run, ["status", "hub"])
    assert type(failure.value) is kind
    assert str(failure.value) == message


REFUSED = 'Error: Kubernetes cluster unreachable: Get "https://10.0.0.5:6443/version": dial tcp 10.0.0.5:6443: connect: connection refused'
CLOSED = 'Error: UPGRADE FAILED: Post "https://10.0.0.5:6443/api/v1/namespaces/hub/secrets": EOF'
CUT = (
    "Error: Kubernetes cluster unreachable: unexpected error when reading response body. Please retry. "
    "Original error: unexpected EOF"
)
ODD = "Error: Kubernetes cluster unreachable: a new way to fail"
BUSY = "Error: UPGRADE FAILED: the server is currently unable to handle the request (get secrets)"


class Stumbling(Recorder):
    """A machine on which Helm fails a number of times."""

    def __init__(self, stderr: str, failures: int = 1) -> None:
        super().__init__(Result(0, b"{}", b""))
        self.failures = [Result(1, b"", stderr.encode())] * failures

    async def run(self, argv, **options):
        await super().run(argv, **options)
        return self.failures.pop() if self.failures else self.result


@pytest.mark.parametrize(
    ("stderr", "answer"),
    [
        (REFUSED, "connection refused"),
        (CLOSED, "connection closed"),
        (BUSY, "unable to handle the request"),
        (CUT, "incomplete answer"),
        (ODD, "cluster unreachable"),
    ],
)
def test_helm_reads_again_after_a_transient_fault_of_kubernetes(stderr, answer):
    machine = Stumbling(stderr)
    said: list[str] = []
    with retry.reported(said.append):
        assert anyio.run(helm_on(machine).run, ["history", "hub"]) == b"{}"
    assert (len(machine.calls), said[0]) == (2, f"Kubernetes: {answer}, retrying in 1 s")


def test_a_helm_that_kubernetes_does_not_answer_is_not_waited_for_long():
    class Slow(Recorder):
        async def run(self, argv, **options):
            if not self.calls:
                self.calls.append((argv, options))
                raise CommandTimeout("helm took more than 30 s and was terminated")
            return await super().run(argv, **options)

    machine = Slow(Result(0, b"{}", b""))
    assert anyio.run(helm_on(machine).run, ["history", "hub"]) == b"{}"
    assert [options["timeout"] for _, options in machine.calls] == [30, 30]
    machine.calls.clear()
    with pytest.raises(OutcomeUnknown):
        anyio.run(helm_on(machine).run, ["uninstall", "hub"])


@pytest.mark.parametrize(
    ("command", "stderr"),
    [
        ("upgrade", BUSY),
        ("rollback", BUSY),
        ("uninstall", BUSY),
        ("uninstall", "Error: failed to delete release: hub"),
    ],
)
def test_what_helm_changed_before_such_a_fault_is_unknown(command, stderr):
    machine = Stumbling(stderr)
    with pytest.raises(OutcomeUnknown):
        anyio.run(helm_on(machine).run, [command, "hub"])
    assert len(machine.calls) == 1


@pytest.mark.parametrize(
    "stderr",
    [
        "Error: UPGRADE FAILED: pre-upgrade hooks failed: 1 error occurred: timed out waiting for the condition",
        "Error: UPGRADE FAILED: context deadline exceeded",
        "Error: parse error at (hub/templates/x.yaml:1): unexpected EOF",
        "Error: Kubernetes cluster unreachable: the server has asked for the client to provide credentials",
        'Error: Kubernetes cluster unreachable: Get "https://10.0.0.5:6443/version": tls: failed to verify certificate',
    ],
)
def test_what_helm_waited_for_in_vain_is_a_failure(stderr):
    machine = Stumbling(stderr)
    with pytest.raises(HelmError):
        anyio.run(helm_on(machine).run, ["upgrade", "hub"])
