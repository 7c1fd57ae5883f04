"""What is running, for commands that only look."""

from __future__ import annotations

import socket

import anyio

from tests.unit.fakecloud import clouds_yaml
from zerojhub import deployment, retry, running
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
