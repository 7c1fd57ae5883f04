"""A session with a cloud: a sequence of requests, and their responses with variable values masked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from tests.contract.clouds import Cloud, until
from zerojhub.practice.recorder.asking import Question, questions
from zerojhub.yamlfile import read_yaml

MAGNUM = "/container-infra/v1"
PATIENCE = 120
"""Seconds that each wait may take."""
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDy0PUwIrTeKyXH4wWYoc1IiJ/bFVqFTTwGfD0cGGZVq"
MASKS = (
    (r"\breq-[0-9a-f-]{36}\b", "<request>"),
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "<uuid>"),
    (r"\b[0-9a-f]{32}\b", "<id>"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+(\+00:00|Z)", "<time>"),
    (r"(?s)^-----BEGIN.*", "<pem>"),
)
# What a server adds for the connection, whichever service it serves.
CONNECTION = {"date", "server", "connection", "content-length", "transfer-encoding"}
# What Keystone lists in no order, and what it makes up.
UNORDERED = {"roles", "catalog", "endpoints", "application_credentials"}
RANDOM = {"audit_ids"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: Any


def read(path: Path) -> dict[str, Any]:
    """A session file: `steps`, and bodies that they share.

    A step has a `name`, a request to `ask` as [method, path, microversion], and a body to `send`. Paths are relative to
    Magnum's, or start with another service's name; `under` changes the default for the file. `as` refers to a body
    elsewhere in the file, changed by `with` and `without`; `learn` names values from the response for later steps.
    `by: administrator` sends it as one.
    `wait` lets clusters progress until one is settled, changed or gone; otherwise they are paused, so that responses do
    not depend on the speed of the machine. `until` waits for a value at a path. `insert` stands for the requests that
    `zerojhub practice record` sends to these services.
    """
    session = read_yaml(path)
    session["steps"] = [
        each
        for step in session["steps"]
        for each in ([step] if "insert" not in step else [q for q in questions() if q.service in step["insert"]])
    ]
    return session


def replay(cloud: Cloud, session: dict[str, Any]) -> dict[str, Answer]:
    """Replay the session, and return the responses by step name."""
    client = cloud.client(Accept="application/json")
    compute = cloud.at("/compute/v2.1/os-keypairs")
    client.post(compute, json={"keypair": {"name": "mykey", "public_key": PUBLIC_KEY}}).raise_for_status()
    known = {"magnum": cloud.at("/container-infra"), "keystone": cloud.at("/identity"), "others": cloud.at("")}
    known["project"] = cloud.token().json()["token"]["project"]["id"]
    answers = {}
    cloud.hold()
    try:
        for step in session["steps"]:
            if isinstance(step, Question):
                known.setdefault("user", cloud.token().json()["token"]["user"]["id"])
                path = step.filled(known)
                assert path, f"{step.name}: not all of {step.path} is known"
                answer = client.get(cloud.at(path), headers=step.asked())
                answers[step.name] = noted(answer, known)
                known |= step.learnt(content(answer))
                continue
            if wait := step.get("wait"):
                cluster = cloud.at(f"{MAGNUM}/clusters/{known[wait[0]]}")
                if wait[1] == "changed":
                    # Magnum takes a request before it begins with it.
                    until(partial(reached, client, cluster, "changing"), PATIENCE)
                cloud.let_go()
                until(partial(reached, client, cluster, wait[1]), PATIENCE)
                cloud.hold()
                continue
            if about := step.get("until"):
                path, name, value = filled(about, known)
                newest = {"OpenStack-API-Version": "container-infra latest"}
                look = partial(client.get, cloud.at(MAGNUM + path), headers=newest)
                until(partial(has, look, name, value), PATIENCE)
                continue
            asking = cloud.administrator() if step.get("by") == "administrator" else client
            answers[step["name"]], body = ask(cloud, asking, step, session, known)
            if step["ask"][:2] == ["POST", "/clusters"] and answers[step["name"]].status == 202:
                # Magnum takes the request before it has the cluster.
                until(partial(reached, client, cloud.at(f"{MAGNUM}/clusters/{body['uuid']}"), "there"), PATIENCE)
    finally:
        cloud.let_go()
        clear(cloud)
    return answers


def content(answer: httpx.Response) -> Any:
    # Nova says of nothing, too, that it is JSON.
    return answer.json() if answer.content and "json" in answer.headers.get("content-type", "") else answer.text


def noted(answer: httpx.Response, known: dict[str, str]) -> Answer:
    """The masked response, ready to compare."""
    headers = {name: value for name, value in answer.headers.items() if name not in CONNECTION}
    if "x-subject-token" in headers:
        headers["x-subject-token"] = "<token>"
    return Answer(answer.status_code, masked(headers, known), masked(content(answer), known))


def ask(cloud: Cloud, client: httpx.Client, step: dict, session: dict, known: dict[str, str]) -> tuple[Answer, Any]:
    """The response to a step, and its unmasked body. Adds what the step learns to `known`."""
    method, path, *version = filled(step["ask"], known)
    # A path that begins with the name of a service is whole.
    whole = path.lstrip("/").split("/")[0] in (
        "identity",
        "container-infra",
        "network",
        "orchestration",
        "compute",
        "dns",
    )
    url = cloud.at(path if whole else filled(session.get("under", MAGNUM), known) + path)
    headers = {"OpenStack-API-Version": f"container-infra {version[0]}"} if version else {}
    headers |= filled(step.get("headers", {}), known)
    answer = client.request(method, url, json=filled(body_of(step.get("send"), session), known), headers=headers)
    body = content(answer)
    for name, where in step.get("learn", {}).items():
        known[name] = found(body, where)
    return noted(answer, known), body


def has(look: Callable[[], httpx.Response], name: str, value: object) -> bool:
    return bool(look().json().get(name) == value)


def reached(client: httpx.Client, url: str, how: str) -> bool:
    """Whether the cluster is present and complete, gone, changing, or settled."""
    answer = client.get(url)
    match how:
        case "gone":
            return answer.status_code == 404
        case "there":
            return answer.is_success and bool(answer.json()["stack_id"])
        case "changing":
            return not answer.is_success or "PROGRESS" in answer.json()["status"]
    return answer.is_success and "PROGRESS" not in answer.json()["status"]


def clear(cloud: Cloud) -> None:
    """Delete what a session created, so that it does not affect the next."""
    magnum = cloud.client(MAGNUM)

    def all_gone() -> bool:
        # Magnum lists no cluster at all in the moment in which the node groups of one are gone before it.
        answer = magnum.get("/clusters")
        clusters = answer.json()["clusters"] if answer.is_success else [None]
        for cluster in filter(None, clusters):
            if cluster["status"] != "DELETE_IN_PROGRESS":
                magnum.delete(f"/clusters/{cluster['uuid']}")
        return not clusters

    until(all_gone, PATIENCE)
    for template in magnum.get("/clustertemplates").json()["clustertemplates"]:
        if not template["public"]:
            magnum.delete(f"/clustertemplates/{template['uuid']}").raise_for_status()
    cloud.client("/compute/v2.1").delete("/os-keypairs/mykey").raise_for_status()


def body_of(send: Any, session: dict[str, Any]) -> Any:
    if not isinstance(send, dict) or "as" not in send:
        return send
    body = {name: value for name, value in session[send["as"]].items() if name not in send.get("without", ())}
    return body | send.get("with", {})


def without(body: Any, free: set[str]) -> Any:
    """The body with the values of free-form mappings masked."""
    if isinstance(body, dict):
        return {name: "…" if name in free else without(item, free) for name, item in body.items()}
    return [without(item, free) for item in body] if isinstance(body, list) else body


def found(body: Any, path: str) -> Any:
    """The value at a path such as "nodegroups.0.uuid"."""
    for part in path.split("."):
        body = body[int(part) if part.isdigit() else part]
    return body


def filled(value: Any, known: dict[str, str]) -> Any:
    text = json.dumps(value)
    for name, ident in known.items():
        text = text.replace("{" + name + "}", ident)
    return json.loads(text)


def masked(value: Any, known: dict[str, str]) -> Any:
    if isinstance(value, dict):
        body = {name: masked(item, known) for name, item in value.items()}
        for name in UNORDERED & body.keys():
            body[name] = sorted(body[name], key=lambda item: item.get("name") or item["interface"])
        return body | {name: "…" for name in RANDOM & body.keys()}
    if isinstance(value, list):
        return [masked(item, known) for item in value]
    if not isinstance(value, str):
        return value
    for name, ident in known.items():
        value = value.replace(ident, "{" + name + "}")
    for pattern, mask in MASKS:
        value = re.sub(pattern, mask, value)
    # Magnum keeps choices in sets.
    return re.sub(r"(?<=Value should be one of: ).*", lambda found: ", ".join(sorted(found[0].split(", "))), value)
