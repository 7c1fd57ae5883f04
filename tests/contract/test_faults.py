"""The faults that the practice cloud injects, as a client sees them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.contract.clouds import PASSWORD, Site
from zerojhub.practice.faults import PATH, Fault, What

CLUSTERS, KEYPAIRS = "/container-infra/v1/clusters", "/compute/v2.1/os-keypairs"


@pytest.fixture
def client(site: Site) -> Iterator[httpx.Client]:
    with site.client() as client:
        yield client
    site.faults.clear()


@pytest.mark.parametrize("what", [What.error, What.bad_gateway, What.unavailable, What.too_many])
def test_a_status_comes_once_with_the_seconds_to_wait(site, client, what):
    site.faults.add(Fault("container-infra", what, retry_after=7))
    answer = client.get(CLUSTERS)
    assert (answer.status_code, answer.headers["Retry-After"]) == (int(what), "7")
    assert answer.headers["X-Openstack-Request-Id"].startswith("req-")
    assert client.get(CLUSTERS).status_code == 200


def test_an_internal_error_is_the_services_own(site, client):
    site.faults.add(Fault("container-infra", What.error))
    site.faults.add(Fault("compute", What.error))
    assert client.get(CLUSTERS).json()["errors"][0]["status"] == 500
    assert client.get(KEYPAIRS).json()["computeFault"]["code"] == 500


@pytest.mark.parametrize("what", [What.refused, What.reset_before, What.reset_after, What.truncated_body, What.hang])
def test_an_answer_that_does_not_arrive(site, client, what):
    """Whether the server did the work is only known by looking."""
    site.faults.add(Fault("compute", what, method="POST"))
    errors: dict[What, type[Exception] | tuple[type[Exception], ...]] = {
        What.refused: (httpx.RemoteProtocolError, httpx.ReadError),
        What.reset_before: httpx.ReadError,
        What.reset_after: httpx.ReadError,
        What.truncated_body: httpx.RemoteProtocolError,
        What.hang: httpx.ReadTimeout,
    }
    with pytest.raises(errors[what]):
        client.post(KEYPAIRS, json={"keypair": {"name": "lost"}}, timeout=0.3 if what is What.hang else 30)
    done = what in (What.reset_after, What.truncated_body)
    assert ("lost" in site.store.keypairs) == done
    assert client.post(KEYPAIRS, json={"keypair": {"name": "lost"}}).status_code == (409 if done else 200)
    client.delete(f"{KEYPAIRS}/lost")


def test_json_that_is_cut_short_is_complete_by_its_length(site, client):
    site.faults.add(Fault("compute", What.truncated_json))
    answer = client.get(f"{KEYPAIRS}?limit=1")
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_a_slow_answer_arrives(site, client):
    site.faults.add(Fault("compute", What.slow, seconds=0.3))
    assert client.get(KEYPAIRS).elapsed.total_seconds() > 0.3


@pytest.mark.parametrize("what", [What.token_expired, What.token_revoked])
def test_a_token_that_ends_stays_invalid(site, client, what):
    site.faults.add(Fault("compute", what))
    assert [client.get(KEYPAIRS).status_code for _ in range(2)] == [401, 401]


def test_the_audit_log_has_the_faults(site, client):
    site.faults.add(Fault("compute", What.reset_after))
    with pytest.raises(httpx.ReadError):
        client.get(KEYPAIRS)
    client.get(KEYPAIRS)
    lost, answered = [json.loads(line) for line in site.audit.read_text().splitlines()[-2:]]
    assert (lost["service"], lost["status"], lost["fault"]) == ("compute", None, "reset-after")
    assert (answered["service"], answered["status"], "fault" in answered) == ("compute", 200, False)


def test_faults_are_controlled_with_the_practice_clouds_password(site, client):
    control = httpx.Client(base_url=site.url, headers={"Authorization": f"Bearer {PASSWORD}"})
    control.post(PATH, json={"service": "network", "what": "slow"})
    [fault] = control.get(PATH).json()
    assert (fault["service"], fault["what"], fault["fired"]) == ("network", "slow", 0)
    assert httpx.delete(site.url + PATH).status_code == 401
    assert control.delete(PATH).json() == []
