"""A release, with each version of Helm: installed, changed by others, upgraded, rolled back and removed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.kubernetes.conftest import Kubernetes
from zerojhub.helm.client import Helm, HelmError
from zerojhub.helm.program import Program
from zerojhub.hub.release import installed_release
from zerojhub.kube.reach import Reach
from zerojhub.machine.local import LocalMachine
from zerojhub.practice import build
from zerojhub.practice.build import golang

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: hub}
spec:
  replicas: 1
  selector: {matchLabels: {app: hub}}
  template:
    metadata: {labels: {app: hub}}
    spec:
      containers:
        - {name: hub, image: "hub:{{ required "a tag is needed" .Values.tag }}"}
"""
HELPERS = '{{ define "out" }}{{ .Values.a.b.c }}{{ end }}'
CALLER = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "{{ if .Values.fail }}{{ include "out" . }}{{ end }}x"}\n'


@pytest.fixture(params=["3", pytest.param("4", marks=pytest.mark.helm4)])
def program(request: pytest.FixtureRequest) -> Program:
    parts = build.Parts(build.cache())
    recipes = {"3": (parts.helm, "helm", golang.HELM), "4": (parts.helm_4, "helm-4", golang.HELM_4)}
    recipe, name, version = recipes[request.param]
    return Program(str(recipe.path(parts.where) / name), version)


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    templates = tmp_path / "chart" / "templates"
    templates.mkdir(parents=True)
    (templates.parent / "Chart.yaml").write_text("apiVersion: v2\nname: x\nversion: 1.0.0\n")
    for name, text in (("deployment.yaml", DEPLOYMENT), ("_h.tpl", HELPERS), ("caller.yaml", CALLER)):
        (templates / name).write_text(text)
    return templates.parent


def helm_in(kubernetes: Kubernetes, program: Program) -> Helm:
    kube: Any = None
    reach = Reach(LocalMachine(), str(kubernetes.kubeconfig), kube, address=None, version="v1.34.4")
    return Helm(reach, program, timeout=60)


@pytest.fixture
def helm(kubernetes: Kubernetes, program: Program) -> Iterator[Helm]:
    yield helm_in(kubernetes, program)


def install(helm: Helm, chart: Path, namespace: str, **values: object) -> None:
    async def work() -> None:
        await helm.install_or_upgrade(
            "hub", chart, values, namespace=namespace, create_namespace=False, description="d"
        )

    anyio.run(work)


def test_its_life(kubernetes: Kubernetes, helm: Helm, chart: Path, namespace: str) -> None:
    def image() -> str:
        spec = kubernetes.get("deployment", "hub", namespace)["spec"]
        return f"{spec['template']['spec']['containers'][0]['image']} {spec['replicas']}"

    install(helm, chart, namespace, tag="1")
    release = anyio.run(installed_release, helm, "hub", namespace)
    assert release is not None
    assert (release.revision, release.status, release.chart, release.description) == (1, "deployed", "x-1.0.0", "d")
    assert release.values == {"tag": "1"}
    # Another program stops the hub, as zerojhub does while it moves: what Helm has installed counts.
    change = {"spec": {"replicas": 0}}
    kubernetes.kubectl("patch", "deployment", "hub", "-n", namespace, "--type=merge", "-p", json.dumps(change))
    assert image() == "hub:1 0"
    install(helm, chart, namespace, tag="2")
    assert image() == "hub:2 1"
    anyio.run(lambda: helm.rollback("hub", 1, namespace=namespace))
    assert image() == "hub:1 1"
    anyio.run(lambda: helm.uninstall("hub", namespace=namespace, wait=True))
    assert anyio.run(installed_release, helm, "hub", namespace) is None
    assert not kubernetes.names("deployment", namespace=namespace)


def test_what_it_says_of_a_chart_that_cannot_be_rendered(helm: Helm, chart: Path, namespace: str) -> None:
    for values, said in (
        ({}, "helm: a tag is needed"),
        ({"tag": "1", "fail": True}, r"helm: templates/_h\.tpl:1: \.Values\.a\.b\.c: nil pointer"),
    ):
        with pytest.raises(HelmError, match=said):
            install(helm, chart, namespace, **values)


@pytest.mark.helm4
def test_a_release_of_helm_3_is_one_of_helm_4_too(kubernetes: Kubernetes, chart: Path, namespace: str) -> None:
    parts = build.Parts(build.cache())
    third = helm_in(kubernetes, Program(str(parts.helm.path(parts.where) / "helm"), golang.HELM))
    fourth = helm_in(kubernetes, Program(str(parts.helm_4.path(parts.where) / "helm-4"), golang.HELM_4))
    for number, helm in enumerate((third, fourth, third), 1):
        install(helm, chart, namespace, tag=str(number))
        release = anyio.run(installed_release, helm, "hub", namespace)
        assert release is not None
        assert (release.revision, release.values) == (number, {"tag": str(number)})
