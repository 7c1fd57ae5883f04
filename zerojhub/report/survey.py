"""What a deployment consists of, as text."""

from __future__ import annotations

from pathlib import Path

from zerojhub.cluster.survey import Survey
from zerojhub.errors import UserError
from zerojhub.report.map import drawn
from zerojhub.report.plain import print
from zerojhub.report.results import Output, note, show, show_text, table


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
        print(f"waiting for a node: {' '.join(pod.user or pod.kind for pod in survey.waiting)}")
    if survey.resting:
        print(f"unused volumes: {' '.join(volume.owner for volume in survey.resting)}")
    if survey.url:
        print(f"url: {survey.url}")


def show_map(survey: Survey, file: Path | None, *, quiet: bool) -> None:
    """The map, as an SVG image: on standard output, or in the file. Raises UserError if it cannot be written."""
    image = drawn(survey)
    if file is None:
        show_text(image)
        return
    try:
        file.write_text(image, encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", where=str(file)) from None
    if not quiet:
        note(f"wrote {file}")
