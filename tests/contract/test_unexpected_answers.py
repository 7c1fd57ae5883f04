"""Commands on clouds whose answers are not what the reference says: one line for each problem, and never a bug report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.command import run
from tests.contract.clouds import Site
from tests.contract.conftest import Magnum
from tests.mutations import mutated
from zerojhub.openstack.session import Answer, Service

HUB = """\
name: class
hub: {chart: embedded, open_to_anyone: true}
cluster: {template: {image: fedora-coreos-38, external_network: public, flavor: m1.small, keypair: mykey}}
"""
READS = [
    "cluster list",
    "cluster show hub",
    "template list",
    "template show kubernetes-v1.34.4",
    "nodegroup list hub",
    "nodegroup show hub default-worker",
    "heat list",
    "heat show STACK",
    "plan",
]
WRITES = [
    "cluster create other --template kubernetes-v1.34.4 --keypair mykey --no-wait",
    "cluster update hub replace node_count=1",
    "template create other --image fedora-coreos-38 --external-network public",
    "nodegroup create hub other --no-wait",
    "nodegroup update hub default-worker --max 5",
]


@pytest.fixture
def project(site: Site, magnum: Magnum, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A project with a cluster, and a deployment file for another one. The name of the cluster's stack."""
    for name, value in {
        "OS_CLIENT_CONFIG_FILE": site.clouds,
        "OS_CLOUD": "practice",
        "XDG_STATE_HOME": tmp_path / "state",
        "HOME": tmp_path,
    }.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hub.yaml").write_text(HUB)
    magnum.settled(magnum.create(node_count=1))
    templates = set(site.store.templates)
    yield next(iter(site.store.stacks.values()))["stack_name"]
    for added in set(site.store.templates) - templates:
        del site.store.templates[added]


@pytest.mark.parametrize("command", READS + WRITES)
def test_nothing_that_a_service_answers_is_a_bug(project: str, command: str) -> None:
    answers: list[Answer] = []
    request = Service._request

    def record(service: Service, *arguments: Any, **options: Any) -> Answer:
        answers.append(request(service, *arguments, **options))
        return answers[-1]

    words = command.replace("STACK", project).split()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Service, "_request", record)
        assert run(*words).code in (0, 3), "without a mistake in an answer"

    @given(st.data())
    @settings(max_examples=max(3, settings().max_examples // 10), suppress_health_check=[HealthCheck.too_slow])
    def never_a_bug(data: st.DataObject) -> None:
        wrong, count = data.draw(st.integers(0, len(answers) - 1)), iter(range(10**6))
        body = data.draw(mutated(answers[wrong].data))

        def spoilt(service: Service, *arguments: Any, **options: Any) -> Answer:
            answer = request(service, *arguments, **options)
            return replace(answer, data=body) if next(count) == wrong else answer

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Service, "_request", spoilt)
            ended = run(*words)
        assert ended.code in (0, 1, 2, 3), ended.stderr
        assert "Traceback" not in ended.stderr
        assert ended.code in (0, 3) or "error: " in ended.stderr

    never_a_bug()
