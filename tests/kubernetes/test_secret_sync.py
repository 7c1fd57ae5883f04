"""The program that keeps Traefik's certificate in a Secret, with the rights that the embedded chart gives it."""

from __future__ import annotations

import base64
import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.chart.rendering import render
from tests.kubernetes.conftest import Kubernetes
from tests.waiting import until
from zerojhub.practice.images import catalog

PROGRAM = catalog.HERE / "k8s-secret-sync" / "acme-secret-sync.py"
SECRET, KEY = "proxy-public-tls-acme", "acme.json"
HTTPS = {"enabled": True, "hosts": ["hub.class.example"], "letsencrypt": {"contactEmail": "ada@class.example"}}
ACCOUNT_ONLY = {"default": {"Account": {"Email": "ada@class.example"}, "Certificates": None}}
CERTIFIED = {"default": {"Account": {}, "Certificates": [{"domain": {"main": "hub.class.example"}}]}}


class Program:
    """Runs it as the pod does, with the token of the pod's ServiceAccount."""

    def __init__(self, kubernetes: Kubernetes, namespace: str, folder: Path):
        self.kubernetes, self.namespace, self.file = kubernetes, namespace, folder / "acme.json"
        account = folder / "account"
        account.mkdir()
        resources = render({"proxy": {"https": HTTPS}})
        for kind in ("ServiceAccount", "Role", "RoleBinding"):
            resource = resources[kind, "autohttps"]
            for subject in resource.get("subjects", ()):
                subject["namespace"] = namespace
            (folder / "resource.yaml").write_text(yaml.safe_dump(resource))
            kubernetes.kubectl("apply", "-n", namespace, "-f", str(folder / "resource.yaml"))
        (account / "token").write_text(kubernetes.kubectl("create", "token", "autohttps", "-n", namespace))
        (account / "namespace").write_text(namespace)
        (account / "ca.crt").write_bytes((kubernetes.kubeconfig.parent / "apiserver.crt").read_bytes())
        # Where Kubernetes mounts these is written in the program, which is read here as it is.
        source = PROGRAM.read_text().replace("/var/run/secrets/kubernetes.io/serviceaccount", str(account))
        self.program = folder / "program.py"
        self.program.write_text(source.replace("INTERVAL = 30", "INTERVAL = 0.1"))
        [cluster] = yaml.safe_load(kubernetes.kubeconfig.read_text())["clusters"]
        host, port = cluster["cluster"]["server"].removeprefix("https://").split(":")
        self.environment = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}

    def start(self, *words: str) -> subprocess.Popen[str]:
        argv = [sys.executable, str(self.program), *words, SECRET, KEY, str(self.file)]
        return subprocess.Popen(argv, env=self.environment, stderr=subprocess.PIPE, text=True)

    def load(self) -> None:
        process = self.start("load")
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors

    def kept(self) -> bytes | None:
        """What the Secret has; None if there is none."""
        if f"Secret/{SECRET}" not in self.kubernetes.names("secret", namespace=self.namespace):
            return None
        return base64.b64decode(self.kubernetes.get("secret", SECRET, self.namespace)["data"][KEY])


@pytest.fixture
def program(kubernetes: Kubernetes, namespace: str, tmp_path: Path) -> Program:
    return Program(kubernetes, namespace, tmp_path)


def test_a_certificate_is_saved_and_loaded_by_the_next_pod(program: Program):
    program.load()
    assert not program.file.exists(), "there was nothing to load"
    process = program.start("watch-save", "--label=app.kubernetes.io/managed-by=secret-sync")
    try:
        program.file.write_text(json.dumps(ACCOUNT_ONLY))
        assert process.stderr is not None
        line = next(each for each in process.stderr if "no certificate" in each)
        assert str(program.file) in line and program.kept() is None
        for content in (CERTIFIED, {**CERTIFIED, "renewed": {}}):
            program.file.write_text(json.dumps(content))
            until(lambda: json.loads(program.kept() or b"{}") == content, pause=0.1)  # noqa: B023  # at once
    finally:
        process.kill()
        process.communicate()
    labels = program.kubernetes.get("secret", SECRET, program.namespace)["metadata"]["labels"]
    assert labels == {"app.kubernetes.io/managed-by": "secret-sync"}
    saved = program.kept()
    program.file.unlink()
    program.load()
    assert program.file.read_bytes() == saved
    assert stat.S_IMODE(program.file.stat().st_mode) == 0o600


def test_what_kubernetes_refuses_is_an_error(program: Program):
    program.kubernetes.kubectl("delete", "rolebinding", "autohttps", "-n", program.namespace)
    process = program.start("load")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and "autohttps" in errors and "forbidden" in errors
