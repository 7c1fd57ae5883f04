"""The questions that change nothing, and a cloud's answers to them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zerojhub.errors import CloudError, UserError
from zerojhub.openstack.session import Cloud, Service
from zerojhub.text import one_line

READS = ("GET", "HEAD")
SPOKEN = {"container-infra": "container-infra", "compute": "compute", "volume": "volume"}
"""What services with microversions call themselves in the header OpenStack-API-Version, by the first part of a path."""
VERSION = re.compile(r"(?<!/)/v\d[^/]*(/.*)?$")
"""The end of an endpoint that is not the service's root."""


@dataclass(frozen=True, eq=False)
class Question:
    """One request; names in braces stand for what was learnt before."""

    name: str
    method: str
    path: str
    """Below the practice cloud's root for the service: `/compute/v2.1/limits`."""
    microversion: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    learn: dict[str, str] = field(default_factory=dict)
    """Name -> where in the answer it is, as in `clusters.0.uuid`."""

    @property
    def service(self) -> str:
        return self.path.split("/")[1]

    def filled(self, known: dict[str, str]) -> str | None:
        """The path with what is known in it; None when something of it is not."""
        wanted = re.findall(r"\{(\w+)\}", self.path)
        return self.path.format(**known) if set(wanted) <= known.keys() else None

    def asked(self) -> dict[str, str]:
        """The headers that it is asked with."""
        spoken = SPOKEN.get(self.service)
        version = {"OpenStack-API-Version": f"{spoken} {self.microversion}"} if spoken and self.microversion else {}
        return {"Accept": "application/json", **version, **self.headers}

    def learnt(self, body: Any) -> dict[str, str]:
        """What the answer teaches; nothing of what is not in it."""
        return {name: value for name, where in self.learn.items() if (value := at(body, where)) is not None}


@dataclass(frozen=True)
class Heard:
    """An answer as it came."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: Any


def questions() -> list[Question]:
    """All of them, in the order in which they are asked (questions.yaml)."""
    from ruamel.yaml import YAML

    listed = YAML(typ="safe").load(Path(__file__).with_name("questions.yaml"))
    return [
        Question(
            name=each["name"], headers=each.get("headers", {}), learn=each.get("learn", {}), **request(each["ask"])
        )
        for each in listed
    ]


def request(ask: list[str]) -> dict[str, str]:
    """Method, path and, where there is one, microversion by name."""
    return dict(zip(("method", "path", "microversion"), ask, strict=False))


def at(body: Any, where: str) -> Any:
    """What is at a place like `clusters.0.uuid`; None when nothing is."""
    for step in where.split("."):
        try:
            body = body[int(step) if step.isdigit() else step]
        except (KeyError, IndexError, TypeError):
            return None
    return body


class Asker:
    """Asks a cloud, and nothing but GET and HEAD. UserError when the cloud cannot be entered, or has no Magnum."""

    def __init__(self, cloud: Cloud):
        cloud.authenticate()
        self.cloud = cloud
        if cloud.project_id is None:
            raise UserError(f"the login for cloud {cloud.name} has no project", hint="name one in clouds.yaml")
        self.known: dict[str, str] = {"project": cloud.project_id, "user": cloud.session.get_user_id() or ""}
        self.roots = dict(self._roots())
        if "container-infra" not in self.roots:
            raise UserError(f"cloud {cloud.name} has no Magnum in its catalogue", hint="there is nothing to record")
        self.silent: list[str] = []
        """Services of the catalogue that did not answer."""

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
                continue  # not in the catalogue

    def all(self, say: Callable[[Question, int], None]) -> dict[Question, Heard]:
        """The answers to all that can be asked; `say` is told of each, and how many were answered before.

        CloudError when Magnum does not answer; of another service nothing more is asked then.
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
            raise ValueError(f"{question.method} may change something")
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
            raise CloudError(f"{question.service} does not answer: {one_line(str(error))}") from error
        headers = {name.lower(): value for name, value in answer.headers.items()}
        try:
            body = json.loads(answer.text)
        except ValueError:
            body = answer.text
        return Heard(answer.status_code, headers, body)
