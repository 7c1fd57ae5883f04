"""What is said of a stack that is being made: how far it is, what it is at, and what is late."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from zerojhub.deployment import Deployment
from zerojhub.openstack import hot, stacks
from zerojhub.openstack.heat import StackResource


def resource(name: str, status: str, minutes: float = 0, *links: str, reason: str = "") -> StackResource:
    since = datetime.now(UTC) - timedelta(minutes=minutes)
    return {
        "resource_name": name,
        "resource_type": "OS::Heat::Stack" if "nested" in links else "OS::Nova::Server",
        "physical_resource_id": f"id of {name}",
        "resource_status": status,
        "resource_status_reason": reason,
        "updated_time": since.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "links": [{"rel": rel, "href": ""} for rel in ("self", *links)],
    }


def test_what_is_late_is_named_first():
    listed = [
        resource("network", "CREATE_COMPLETE", 9, "nested"),
        resource("kube_masters", "CREATE_IN_PROGRESS", 8, "nested"),
        resource("kube_minions", "CREATE_IN_PROGRESS", 8, "nested"),
        resource("kube-minion", "CREATE_IN_PROGRESS", 0.5),
        resource("kube-master", "CREATE_IN_PROGRESS", 6),
    ]
    said = stacks.progress(listed)
    assert re.fullmatch(r"1 of 5 resources, now kube-master \(6 min 0\d s, late\), kube-minion", said), said


def test_nothing_under_way():
    assert stacks.progress([]) == ""
    assert stacks.progress([resource("network", "CREATE_COMPLETE")]) == "1 of 1 resources"


def test_what_was_aborted_is_no_reason():
    listed = [
        resource("kube_masters", "CREATE_FAILED", reason="ResourceInError: resources[0]: no room"),
        resource("kube-master", "CREATE_FAILED", reason="no  room\n"),
        resource("kube-minion", "CREATE_FAILED", reason="CREATE aborted"),
    ]
    assert stacks.failure(listed) == "kube-master: no room"


@pytest.mark.parametrize(("cluster", "name"), [({}, "workshop"), ({"name": "shared"}, "shared")])
def test_a_rendered_cluster_has_the_deployments_name_unless_it_has_its_own(cluster: dict[str, str], name: str) -> None:
    deployment = Deployment.model_validate({"name": "workshop", "cluster": {"template": "t", **cluster}})
    rendered = json.loads(json.dumps(hot.render(deployment, None)))
    assert rendered["resources"]["cluster"]["properties"]["name"] == name
