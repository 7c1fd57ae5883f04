"""The practice cloud's process is killed with `kill -9`: the next one goes on with everything that clients had been told."""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from tests.contract.clouds import PASSWORD, Cloud, clouds_yaml, until
from tests.contract.fault_matrix import KEY
from tests.contract.ground import InstantGround
from zerojhub.practice import daemon, profile
from zerojhub.practice.cloud import snapshot
from zerojhub.practice.cloud.app import build_app
from zerojhub.practice.cloud.settings import Settings
from zerojhub.practice.cloud.store import Store
from zerojhub.practice.ground import GroundError
from zerojhub.practice.machines import linux
from zerojhub.practice.machines.front import listen
from zerojhub.practice.machines.nat import Addresses
from zerojhub.practice.machines.network import KeptNetwork

SHOWN = (
    "/container-infra/v1/clusters",
    "/compute/v2.1/servers/detail",
    "/compute/v2.1/os-keypairs",
    "/volume/v3/x/volumes/detail",
    "/network/v2.0/floatingips",
    "/network/v2.0/networks",
    "/network/v2.0/ports",
    "/load-balancer/v2.0/lbaas/loadbalancers",
    "/load-balancer/v2.0/lbaas/listeners",
    "/load-balancer/v2.0/lbaas/pools",
    "/identity/v3/auth/projects",
)
TEMPLATE = {
    "heat_template_version": "2018-08-31",
    "parameters": {"external": {"type": "string", "default": "no"}},
    "conditions": {"outside": {"equals": [{"get_param": "external"}, "yes"]}},
    "resources": {
        "template": {
            "type": "OS::Magnum::ClusterTemplate",
            "properties": {
                "coe": "kubernetes",
                "image": "fedora-coreos-38",
                "external_network": "public",
                "docker_volume_size": 5,
            },
        },
        "another": {"type": "OS::Magnum::ClusterTemplate", "properties": {}, "condition": "outside"},
    },
}


def serve(folder: Path, port: int) -> None:
    """The process: as `practice start` starts it, on machines that are there at once."""
    ground, path = InstantGround(pause=0.3), folder / "snapshot.pickle"
    found = snapshot.load(path)
    if found:
        ground.resume(found.ground)
    settings = Settings(PASSWORD, folder / "audit.jsonl", snapshot=path)
    app = build_app(ground, settings, found.store if found else None)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    asyncio.run(server.serve([listen("127.0.0.1", port)]))


def free_port() -> int:
    with listen("127.0.0.1", 0) as socket:
        return int(socket.getsockname()[1])


@contextmanager
def running(folder: Path, port: int) -> Iterator[Any]:
    process = multiprocessing.get_context("forkserver").Process(target=serve, args=(folder, port), daemon=True)
    process.start()
    try:

        def answers() -> bool:
            try:
                return httpx.get(f"http://127.0.0.1:{port}/identity/v3", timeout=60).status_code == 200
            except httpx.TransportError:
                return False

        until(answers)
        yield process
    finally:
        process.kill()
        process.join()


def test_everything_is_there_after_a_kill_and_can_be_changed(tmp_path: Path) -> None:
    port = free_port()
    cloud = Cloud({"": f"http://127.0.0.1:{port}"}, clouds_yaml(tmp_path, f"http://127.0.0.1:{port}/identity"))
    with running(tmp_path, port) as process:
        client = cloud.client()

        def post(path: str, kind: str, **fields: object) -> dict[str, Any]:
            answer = client.post(path, json={kind: fields} if kind else fields)
            assert answer.is_success, answer.text
            return answer.json()[kind] if kind else answer.json()

        post("/compute/v2.1/os-keypairs", "keypair", name="mykey", public_key=KEY)
        fields = {"cluster_template_id": "kubernetes-v1.34.4", "node_count": 1, "keypair": "mykey"}
        uuid = post("/container-infra/v1/clusters", "", name="hub", **fields)["uuid"]
        shown = f"/container-infra/v1/clusters/{uuid}"
        until(lambda: client.get(shown).json()["status"] == "CREATE_COMPLETE")
        servers = client.get("/compute/v2.1/servers").json()["servers"]
        volume = post("/volume/v3/x/volumes", "volume", size=1, name="pvc-1")["id"]
        path = f"/compute/v2.1/servers/{servers[0]['id']}/os-volume_attachments"
        post(path, "volumeAttachment", volumeId=volume)
        subnet = client.get("/network/v2.0/subnets").json()["subnets"][0]["id"]
        balancer = post("/load-balancer/v2.0/lbaas/loadbalancers", "loadbalancer", name="hub", vip_subnet_id=subnet)
        listener = {"loadbalancer_id": balancer["id"], "protocol": "TCP", "protocol_port": 80}
        post("/load-balancer/v2.0/lbaas/listeners", "listener", **listener)
        external = client.get("/network/v2.0/networks", params={"router:external": True}).json()["networks"][0]["id"]
        floating = post("/network/v2.0/floatingips", "floatingip", floating_network_id=external)["id"]
        made = post(f"{cloud.heat}/stacks", "", stack_name="net", template=TEMPLATE)["stack"]
        stack = f"{cloud.heat}/stacks/net/{made['id']}"
        until(lambda: client.get(stack).json()["stack"]["stack_status"] == "CREATE_COMPLETE")
        paths = (*SHOWN, stack)
        before = {each: client.get(each).json() for each in paths}
        # It is killed while it creates another one.
        other = post("/container-infra/v1/clusters", "", name="other", **fields)["uuid"]
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL

    with running(tmp_path, port):
        # Also the token is that of before.
        after = {each: client.get(each).json() for each in paths}
        interrupted = f"/container-infra/v1/clusters/{other}"
        assert client.get(interrupted).json()["status"] == "CREATE_FAILED"
        assert client.get(interrupted).json()["status_reason"] == "Engine went down during stack CREATE"
        after["/container-infra/v1/clusters"]["clusters"].pop()
        assert client.delete(interrupted).status_code == 204
        until(lambda: client.get(interrupted).status_code == 404)
        for each in ("/container-infra/v1/clusters", "/volume/v3/x/volumes/detail", "/network/v2.0/floatingips"):
            assert after[each] == before[each]
        assert {each: client.get(each).json() for each in paths} == before
        # What was there can be changed and deleted.
        body = {"node_count": 2}
        assert client.post(f"{shown}/actions/resize", json=body, headers=LATEST).status_code == 202
        until(lambda: client.get(shown).json()["status"] == "UPDATE_COMPLETE")
        assert client.delete(f"{path}/{volume}").status_code == 202
        assert client.delete(f"/volume/v3/x/volumes/{volume}").status_code == 202
        assert client.delete(f"/network/v2.0/floatingips/{floating}").status_code == 204
        assert client.delete(shown).status_code == 204
        until(lambda: client.get(shown).status_code == 404)
        assert client.get("/compute/v2.1/servers").json()["servers"] == []


LATEST = {"OpenStack-API-Version": "container-infra latest"}


@pytest.mark.parametrize("content", [b"", b"half of a snap", pickle.dumps({"another": "version"})])
def test_a_snapshot_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "snapshot.pickle"
    path.write_bytes(content)
    assert snapshot.load(path) is None


def test_a_practice_cloud_that_is_stopped_leaves_no_snapshot(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.pickle"
    app = build_app(InstantGround(), Settings(PASSWORD, tmp_path / "audit.jsonl", snapshot=path))

    async def live() -> None:
        async with app.router.lifespan_context(app):
            await asyncio.sleep(0.1)
            assert path.exists()
            assert path.stat().st_mode & 0o777 == 0o600

    asyncio.run(live())
    assert not path.exists()


class Recorded:
    """A ground that notes what it is asked to do; it `breaks` while it resumes, or does not."""

    def __init__(self, log: list[str], breaks: bool):
        self.log, self.breaks = log, breaks

    async def up(self) -> None:
        self.log.append("up")

    async def down(self) -> None:
        self.log.append("down")

    async def resume(self, kept: object) -> None:
        self.log.append("resume")
        if self.breaks:
            raise GroundError("a machine does not boot")


@pytest.mark.parametrize(
    ("breaks", "wanted", "done", "goes_on"),
    [
        (False, "both", ["resume"], True),
        (True, "both", ["resume", "down", "up"], False),
        (False, "magnum-heat", ["up"], False),
        (False, None, ["up"], False),
    ],
    ids=["it goes on", "it cannot go on", "another profile", "nothing to go on with"],
)
def test_a_practice_cloud_that_cannot_go_on_starts_empty(
    tmp_path: Path, breaks: bool, wanted: str | None, done: list[str], goes_on: bool
) -> None:
    kept = linux.Kept(KeptNetwork("10.221.0.0/24", "198.51.100.0/24", Addresses()), [], [])
    path, settings = (
        tmp_path / "snapshot.pickle",
        Settings(PASSWORD, tmp_path / "audit.jsonl", profile=profile.load("both")),
    )
    if wanted:
        store = build_app(InstantGround(), settings).state.store
        path.write_bytes(pickle.dumps(snapshot.Snapshot(store, kept)))
    log: list[str] = []

    def new() -> Any:
        return Recorded(log, breaks)

    async def start() -> Store | None:
        _, found = await daemon.started(new, path, profile.load(wanted or "both"))
        return found

    found = asyncio.run(start())
    assert log == done
    assert (found is not None) == goes_on
