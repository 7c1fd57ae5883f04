"""Compares the responses of two clouds, using the list of known differences."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from tests.contract.clouds import Cloud
from tests.contract.session import Answer
from zerojhub import practice
from zerojhub.yamlfile import read_yaml

DIFFERENCES = read_yaml(Path(practice.__file__).with_name("differences.yaml"))


def differences(section: str) -> set[str]:
    """The requests with a known difference, in a section of the file."""
    return {name for each in DIFFERENCES[section] for name in each["requests"]}


def known_of(cloud: Cloud, name: str, service: str) -> dict[str, str]:
    """The names that a service's requests can use: its root URL, those of the other services, the project."""
    # The service goes before `others`: on the practice cloud it begins with it.
    roots = {name: cloud.at(service), "keystone": cloud.at("/identity"), "others": cloud.at("")}
    return {**roots, "project": cloud.token().json()["token"]["project"]["id"]}


def hold_to_questions(listed: set[str], names: Collection[str]) -> None:
    """Every listed difference has a request, and request names are unique."""
    assert set(names) >= listed
    assert len(names) == len(set(names))


def hold_to_the_list(name: str, listed: set[str], practice: Answer, real: Answer, of: Callable[[Any], Any]) -> None:
    """The compared parts of both responses are equal, or they differ and the difference is listed."""
    ours, theirs = ((answer.status, answer.headers, of(answer.body)) for answer in (practice, real))
    if name in listed:
        assert ours != theirs, "listed as a difference, but the answers are the same"
    else:
        assert ours == theirs
