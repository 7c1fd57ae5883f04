"""What a deployment consists of, as text."""

from __future__ import annotations

from zerojhub.cluster.survey import Survey
from zerojhub.report.results import Output, show, table


def show_survey(survey: Survey, output: Output) -> None:
    """The servers with their pods, then load balancers, waiting pods, unused volumes and the URL."""
    show(survey.as_data(), output, lambda: _print(survey))


def _print(survey: Survey) -> None:
    rows = [
        {
            "server": server.name,
            "role": server.role,
            "state": server.state,
            "flavor": server.flavor,
            "addresses": server.addresses,
            "pods": " ".join(pod.user or pod.kind for pod in server.pods),
        }
        for server in survey.servers
    ]
    table(rows, ("server", "role", "state", "flavor", "addresses", "pods"))
    for balancer in survey.balancers:
        print(f"load balancer: {balancer.address} {balancer.state} {balancer.name}")
    if survey.waiting:
        print(f"waiting for a server: {' '.join(pod.user or pod.kind for pod in survey.waiting)}")
    if survey.resting:
        print(f"unused volumes: {' '.join(volume.owner for volume in survey.resting)}")
    if survey.url:
        print(f"url: {survey.url}")
