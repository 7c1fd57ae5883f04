"""What is running, for commands that only look."""

from __future__ import annotations

import socket

import anyio
import pytest

from tests.unit.fakecloud import Answer, clouds_yaml, record
from zerojhub import deployment, retry, running
from zerojhub.cli import app
from zerojhub.errors import ZeroJHubError
from zerojhub.openstack.magnum import Cluster
from zerojhub.run import Run, Silent


def test_a_cloud_that_kept_failing_is_not_asked_once_more(fake_cloud, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/identity"
    clouds_yaml(tmp_path / "clouds.yaml", url)
    path = tmp_path / "hub.yaml"
    path.write_text("name: x\ncloud: fake\ncluster: {template: t}\n")
    said: list[str] = []
    with retry.reported(said.append):
        found = anyio.run(running.look, Run(deployment.load(path), Silent()))
    assert [status.state for status in found.statuses if status.stage.name == "preflight"] == ["failed"]
    assert len(said) == retry.ATTEMPTS - 1


@pytest.mark.parametrize("command", ["plan", "status"])
def test_a_cloud_that_cannot_be_reached_is_a_failure_and_nothing_to_do(fake_cloud, tmp_path, capsys, command):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        clouds_yaml(tmp_path / "clouds.yaml", f"http://127.0.0.1:{nobody.getsockname()[1]}/identity")
    path = tmp_path / "hub.yaml"
    path.write_text("name: x\ncloud: fake\ncluster: {template: t}\n")
    with pytest.raises(ZeroJHubError, match=r"identity at .*: connection refused.*\(check auth_url") as failed:
        app([command, "-f", str(path)], standalone_mode=False)
    assert failed.value.exit_code == 1
    shown = capsys.readouterr().out
    assert "preflight  " in shown
    assert "next:" not in shown


def test_a_command_on_a_cluster_logs_in_to_the_cloud_once(fake_cloud):
    sizes = {"cluster_template_id": "t", "node_count": 1, "master_count": 1}
    cluster = record(Cluster, uuid="c1", name="k8s", status="CREATE_COMPLETE", **sizes)
    fake_cloud.answer("GET /container-infra/v1/clusters", Answer(200, {"clusters": [cluster]}))
    fake_cloud.answer("GET /container-infra/v1/clusters/c1", Answer(200, cluster))
    with pytest.raises(ZeroJHubError, match="clustertemplates"):
        app(["job", "list", "--cluster", "k8s", "--cloud", "fake"], standalone_mode=False)
    assert fake_cloud.tokens == 1
