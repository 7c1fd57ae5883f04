"""What `up` and `plan` say about a cluster that failed, and about one that Magnum does not notice is complete."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from tests.unit.test_doctor import World, ago
from tests.unit.test_doctor import world as world  # a fixture
from zerojhub.cluster import lifecycle, usable
from zerojhub.errors import ZeroJHubError
from zerojhub.openstack import reasons
from zerojhub.stage import Found, Missing, Wrong
from zerojhub.stages import Cluster

FAULT = {"status": "ERROR", "fault": {"message": "No valid host was found."}}


def looked(world: World) -> Any:
    world.serve()
    return anyio.run(Cluster().look, world.run())


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch) -> None:
    """All nodes of the cluster are ready."""

    async def nodes(cloud: Any, cluster: Any) -> tuple[int, int]:
        return 2, 2

    monkeypatch.setattr(usable, "_nodes", nodes)


def test_a_creation_that_failed_names_the_server_and_what_helps(world):
    world.cluster["status"] = "CREATE_FAILED"
    world.servers[1] |= FAULT
    state = looked(world)
    assert isinstance(state, Wrong)
    assert "server class-x1-node-0: No valid host was found." in state.detail
    assert state.hint == (
        "choose a smaller flavor: openstack flavor list; then delete it: zerojhub cluster delete class"
    )


def test_a_creation_that_failed_because_an_image_does_not_boot_names_the_server(world):
    world.cluster |= {"status": "CREATE_FAILED", "status_reason": "Timed out"}
    world.console = "Kernel panic - not syncing: VFS: Unable to mount root fs\n"
    assert "server class-x1-master-0 does not boot: Kernel panic - not syncing: VFS" in looked(world).detail


def test_a_deletion_that_failed_names_what_is_in_the_way(world):
    world.cluster |= {"status": "DELETE_FAILED", "status_reason": "network: There are one or more ports still in use"}
    state = looked(world)
    assert isinstance(state, Wrong)
    assert "There are one or more ports still in use" in state.detail
    assert "delete it again" in str(state.hint)


def test_an_update_that_failed_leaves_a_cluster_that_is_used_and_says_which_server(world):
    world.cluster["status"] = "UPDATE_FAILED"
    world.servers[1] |= FAULT
    state = looked(world)
    assert isinstance(state, Found)
    assert "server class-x1-node-0: No valid host was found." in state.detail
    assert "have Magnum try again: zerojhub cluster resize class 1" in state.detail


def test_a_cluster_that_is_complete_although_magnum_still_waits_is_used(world, complete):
    world.cluster |= {
        "status": "CREATE_IN_PROGRESS",
        "created_at": ago(minutes=82),
        "api_address": "https://192.0.2.9:6443",
    }
    state = looked(world)
    assert isinstance(state, Found)
    assert "its API answers and its nodes are ready" in state.detail
    world.cluster["created_at"] = ago(minutes=20)  # Magnum may notice by itself
    assert isinstance(looked(world), Missing)
    world.cluster |= {"created_at": ago(minutes=82), "node_count": 2}
    assert isinstance(looked(world), Missing)


def test_up_continues_on_such_a_cluster_and_fails_on_another(world, complete, monkeypatch):
    async def stalled(*arguments: Any, **options: Any) -> None:
        raise lifecycle.Stalled("cluster class is CREATE_IN_PROGRESS after 60 min")

    monkeypatch.setattr(lifecycle, "wait_until_idle", stalled)
    world.cluster |= {
        "status": "CREATE_IN_PROGRESS",
        "created_at": ago(minutes=82),
        "api_address": "https://192.0.2.9:6443",
    }
    world.serve()
    anyio.run(Cluster().do, world.run(), Missing("it is in progress"))
    world.cluster["node_count"] = 2
    with pytest.raises(ZeroJHubError, match="after 60 min"):
        anyio.run(Cluster().do, world.run(), Missing("it is in progress"))


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("No valid host was found. There are not enough hosts available.", "no compute host has room for the flavor"),
        ("Quota exceeded for cores: Requested 4, but already used 8 of 8 cores", "the project's quota is used up"),
        ("VolumeLimitExceeded: Maximum number of volumes allowed", "the project's quota is used up"),
        ("No more IP addresses available on network 5f1", "the pool of addresses is exhausted"),
        ("Image 5f1 could not be found.", "the template's image was deleted"),
        ("Multiple possible networks found, use a Network ID to be more specific.", "several have that name"),
        ("CREATE aborted (Task create from StackResourceGroup timed out)", "a server did not report back in time"),
    ],
)
def test_the_usual_reasons_are_known(reason, why):
    found = reasons.meaning(reason)
    assert found
    assert found.why == why


def test_other_reasons_stand_for_themselves():
    assert reasons.meaning("Something went wrong") is None
