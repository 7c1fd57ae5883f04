"""Heat stacks, from the request until their name is free again."""

from __future__ import annotations

import anyio
import pytest

from tests.unit.fakecloud import PROJECT, Answer, FakeCloud, record
from zerojhub.errors import CloudError, UserError, ZeroJHubError
from zerojhub.openstack import heat
from zerojhub.openstack.session import Cloud

STACKS = f"/orchestration/v1/{PROJECT}/stacks"
NAME = heat.StackName(id="s1", stack_name="k8s")


@pytest.fixture
def cloud(fake_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    monkeypatch.setattr(heat, "PAUSE", (0.01, 0.01))
    return Cloud("fake")


def stack(status: str, reason: str = "", **more: object) -> Answer:
    return Answer(200, {"stack": record(heat.Stack, **NAME, stack_status=status, stack_status_reason=reason, **more)})


def test_waiting_until_it_is_complete(fake_cloud, cloud):
    progress = stack("CREATE_IN_PROGRESS")
    fake_cloud.answer(f"GET {STACKS}/k8s/s1", progress, progress, stack("CREATE_COMPLETE", outputs=[]))
    said: list[str] = []
    found = anyio.run(heat.wait_until_complete, cloud, NAME, said.append)
    assert (found["stack_status"], said) == ("CREATE_COMPLETE", ["stack k8s: CREATE_IN_PROGRESS"] * 2)


def test_a_failure_with_heats_reason(fake_cloud, cloud):
    fake_cloud.answer(f"GET {STACKS}/k8s/s1", stack("CREATE_FAILED", "Resource CREATE failed: no room"))
    with pytest.raises(ZeroJHubError, match="stack k8s is CREATE_FAILED: Resource CREATE failed: no room"):
        anyio.run(heat.wait_until_complete, cloud, NAME, print)


def test_a_deleted_stack_is_waited_for_until_its_name_is_free(fake_cloud, cloud):
    fake_cloud.answer(f"DELETE {STACKS}/k8s/s1", Answer(204))
    fake_cloud.answer(
        f"GET {STACKS}/k8s/s1",
        stack("DELETE_IN_PROGRESS"),
        stack("DELETE_COMPLETE", deletion_time=None),
        stack("DELETE_COMPLETE", deletion_time="2026-01-01T00:00:00Z"),
    )
    said: list[str] = []
    anyio.run(heat.delete_stack, cloud, NAME, said.append)
    assert said == ["stack k8s: DELETE_IN_PROGRESS", "stack k8s: DELETE_COMPLETE"]


def test_a_deletion_that_failed(fake_cloud, cloud):
    fake_cloud.answer(f"DELETE {STACKS}/k8s/s1", Answer(204))
    fake_cloud.answer(f"GET {STACKS}/k8s/s1", stack("DELETE_FAILED", "network in use"))
    with pytest.raises(ZeroJHubError, match="stack k8s could not be deleted: network in use"):
        anyio.run(heat.delete_stack, cloud, NAME, print)


@pytest.mark.parametrize(("status", "error"), [(400, UserError), (409, UserError), (403, CloudError)])
def test_what_heat_refuses_of_a_template_is_the_users_error(fake_cloud, cloud, status, error):
    fake_cloud.answer(f"GET {STACKS}", Answer(200, {"stacks": []}))
    fake_cloud.answer(f"POST {STACKS}", Answer(status, {"error": {"message": "no such property"}}))
    with pytest.raises(error, match="no such property"):
        anyio.run(heat.create_stack, cloud, "k8s", heat.TemplateSource("{}"), {}, {}, 60)


def test_a_stack_by_its_name_or_id(fake_cloud, cloud):
    fake_cloud.answer(f"GET {STACKS}", Answer(200, {"stacks": [record(heat.Stack, **NAME)]}))
    fake_cloud.answer(f"GET {STACKS}/k8s/s1", stack("CREATE_COMPLETE"))
    for wanted in ("k8s", "s1"):
        assert anyio.run(heat.get_stack, cloud, wanted)["id"] == "s1"
    with pytest.raises(UserError, match=r"no stack named 'k8' \(did you mean 'k8s'\?\)"):
        anyio.run(heat.get_stack, cloud, "k8")
