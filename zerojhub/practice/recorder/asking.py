"""Read-only requests, and a cloud's responses to them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from zerojhub.errors import CloudError, UserError
from zerojhub.openstack.session import Cloud, Service
from zerojhub.text import one_line
from zerojhub.yamlfile import plain, read_yaml

READS = ("GET", "HEAD")
SPOKEN = {"container-infra": "container-infra", "compute": "compute", "volume": "volume"}
"""First segment of a path -> the service's name in the header OpenStack-API-Version."""
VERSION = re.compile(r"(?<!/)/v\d[^/]*(/.*)?$")
"""The part of an endpoint after the service's root."""


@dataclass(frozen=True, eq=False)
class Question:
    """One request; names in braces in its path are values from earlier responses."""

    name: str
    method: str
    path: str
    """Path on the practice cloud: `/compute/v2.1/limits`."""
    microversion: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    learn: dict[str, str] = field(default_factory=dict)
    """Name of a value -> its place in the response, such as `clusters.0.uuid`."""

    @property
    def service(self) -> str:
        return self.path.split("/")[1]

    def filled(self, known: dict[str, str]) -> str | None:
        """The path with known values filled in; None if one is unknown."""
        wanted = re.findall(r"\{(\w+)\}", self.path)
        return self.path.format(**known) if set(wanted) <= known.keys() else None

    def asked(self) -> dict[str, str]:
        """The request's headers."""
        spoken = SPOKEN.get(self.service)
        version = {"OpenStack-API-Version": f"{spoken} {self.microversion}"} if spoken and self.microversion else {}
        return {"Accept": "application/json", **version, **self.headers}

    def learnt(self, body: Any) -> dict[str, str]:
        """The values to remember from the response."""
        return {name: value for name, where in self.learn.items() if (value := at(body, where)) is not None}


@dataclass(frozen=True)
class Heard:
    """A response."""

    status: int
    headers: dict[str, str]
    """Header names are in lower case."""
    body: Any


def questions() -> list[Question]:
    """All requests, in the order in which they are sent (questions.yaml)."""
    listed = plain(read_yaml(Path(__file__).with_name("questions.yaml")))
    return [
        Question(
            name=each["name"], headers=each.get("headers", {}), learn=each.get("learn", {}), **request(each["ask"])
        )
        for each in listed
    ]


def request(ask: list[str]) -> dict[str, str]:
    """Method, path and optional microversion by name."""
    return dict(zip(("method", "path", "microversion"), ask, strict=False))


def at(body: Any, where: str) -> Any:
    """The value at a place such as `clusters.0.uuid`; None if there is none."""
    for step in where.split("."):
        try:
            body = body[int(step) if step.isdigit() else step]
        except (KeyError, IndexError, TypeError):
            return None
    return body


class Asker:
    """Sends GET and HEAD requests to a cloud. Raises UserError if the login fails or the cloud has no Magnum."""

    def __init__(self, cloud: Cloud):
        anyio.run(cloud.authenticate)
        self.cloud = cloud
        if cloud.project_id is None:
            raise UserError(f"the login for cloud {cloud.name} has no project", hint="name one in clouds.yaml")
        self.known: dict[str, str] = {"project": cloud.project_id, "user": cloud.session.get_user_id() or ""}
        self.roots = dict(self._roots())
        if "container-infra" not in self.roots:
            raise UserError(
                f"cloud {cloud.name} has no Magnum in its catalog", hint="only clouds with Magnum can be recorded"
            )
        self.silent: list[str] = []
        """Services in the catalog that did not respond."""

    def _roots(self) -> Iterator[tuple[str, str]]:
        cloud = self.cloud
        places = {
            "identity": Service(cloud, "identity"),
            "container-infra": cloud.container_infra,
            "compute": cloud.compute,
            "network": cloud.network,
            "image": cloud.image,
            "volume": cloud.volume,
            "load-balancer": cloud.load_balancer,
            "orchestration": cloud.orchestration,
        }
        for name, service in places.items():
            try:
                yield name, VERSION.sub("", service.endpoint)
            except CloudError:
                continue  # not in the catalog

    def all(self, say: Callable[[Question, int], None]) -> dict[Question, Heard]:
        """Send all possible requests; `say` gets each request and the number of responses so far.

        Raises CloudError if Magnum does not respond; other services that do not respond are skipped.
        """
        heard: dict[Question, Heard] = {}
        for question in questions():
            path = question.filled(self.known)
            if path is None or question.service not in self.roots:
                continue
            say(question, len(heard))
            try:
                answer = self.ask(question, self.roots[question.service] + path.removeprefix(f"/{question.service}"))
            except CloudError:
                if question.service == "container-infra":
                    raise
                self.silent.append(question.service)
                del self.roots[question.service]
                continue
            self.known |= question.learnt(answer.body)
            heard[question] = answer
        return heard

    def ask(self, question: Question, url: str) -> Heard:
        from keystoneauth1.exceptions import ClientException

        if question.method not in READS:
            raise ValueError(f"{question.method} is not a read-only method")
        own_token = "X-Auth-Token" in question.headers
        try:
            answer = self.cloud.session.request(
                url,
                question.method,
                headers=question.asked(),
                authenticated=not own_token,
                raise_exc=False,
                redirect=False,
            )
        except ClientException as error:
            raise CloudError(f"{question.service} does not respond: {one_line(str(error))}") from error
        headers = {name.lower(): value for name, value in answer.headers.items()}
        try:
            body = json.loads(answer.text)
        except ValueError:
            body = answer.text
        return Heard(answer.status_code, headers, body)
