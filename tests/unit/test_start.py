"""What a short command loads: most of the time that it takes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.unit.fakecloud import Answer, FakeCloud

RUN = """
import json, sys
from zerojhub.cli import main
try:
    main()
finally:
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
"""
HEAVY = {
    "chardet",
    "httpx",
    "jsonschema",
    "kubernetes",
    "netaddr",
    "paramiko",
    "prometheus_client",
    "pydantic",
    "pyhelm3",
    "rich",
    "websockets",
}


def loaded(*words: str) -> set[str]:
    """The packages that the command has loaded."""
    done = subprocess.run([sys.executable, "-c", RUN, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr))


@pytest.fixture
def clusters(fake_cloud: FakeCloud) -> None:
    fake_cloud.answer("GET /container-infra/v1/clusters", Answer(200, {"clusters": []}))


@pytest.mark.usefixtures("clusters")
@pytest.mark.parametrize("words", [("cluster", "list"), ("--cloud", "fake", "cluster", "list", "--sort-key", "name")])
def test_a_list_of_clusters_loads_little(monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]) -> None:
    monkeypatch.setenv("OS_CLOUD", "fake")
    found = loaded(*words)
    assert "keystoneauth1" in found
    assert not found & HEAVY


def test_the_version_loads_no_client() -> None:
    assert not loaded("--version") & (HEAVY | {"keystoneauth1", "openstack", "requests", "yaml"})
