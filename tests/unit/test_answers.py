"""What services answer is checked to be of the type that the program expects."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, Required

import pytest
from typing_extensions import ReadOnly, TypedDict, is_typeddict

import zerojhub
from zerojhub.answers import MinLen, Number, Time, Unexpected, checked


class Port(TypedDict):
    number: int
    protocol: NotRequired[Literal["tcp", "udp"]]


class Loose(TypedDict, total=False):
    size: int
    name: Required[str]


class Thing(Loose):
    id: ReadOnly[str]
    ports: NotRequired[list[Port]]
    labels: NotRequired[dict[str, str] | None]
    since: NotRequired[Time]
    limit: NotRequired[Number]
    parts: NotRequired[Annotated[list[str], MinLen(1)]]
    on: NotRequired[bool]
    seconds: NotRequired[float]
    rest: NotRequired[dict[str, Any]]


LEAST = {"id": "1", "name": "a"}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"size": 3, "other": object()},
        {"ports": [{"number": 80}, {"number": 53, "protocol": "udp", "more": 1}]},
        {"labels": None, "on": False, "rest": {"a": [1, None]}},
        {"labels": {"a": "b"}, "since": "2026-01-31T10:00:00Z", "limit": "-1", "parts": ["x"]},
        {"limit": 5, "seconds": 5},
        {"seconds": 0.5},
    ],
)
def test_an_answer_of_its_type_is_given_as_it_is(more: dict[str, Any]) -> None:
    answer = {**LEAST, **more}
    assert checked(answer, Thing) is answer
    assert checked({"things": [answer]}, list[Thing], within="things") == [answer]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"id": None}, "id: input should be a valid string, not null"),
        ({"size": True}, "size: input should be a valid integer, not a boolean"),
        ({"size": 1.5}, "size: input should be a valid integer, not a number"),
        ({"seconds": True}, "seconds: input should be a valid number, not a boolean"),
        ({"seconds": "1"}, "seconds: input should be a valid number, not text"),
        ({"on": 1}, "on: input should be a valid boolean, not a number"),
        ({"ports": {}}, "ports: input should be a valid list, not an object"),
        ({"ports": [{"number": 1}, {"number": "x"}]}, "ports.1.number: input should be a valid integer, not text"),
        ({"ports": [{"protocol": "tcp"}]}, "no ports.0.number in it"),
        ({"ports": [{"number": 1, "protocol": "sctp"}]}, "ports.0.protocol: input should be 'tcp' or 'udp', not text"),
        ({"labels": {"a": 1}}, "labels.a: input should be a valid string, not a number"),
        ({"labels": []}, "labels: input should be a valid dictionary, not a list"),
        ({"since": "today"}, "since: text that cannot be read"),
        ({"limit": "many"}, "limit: text that cannot be read"),
        ({"limit": None}, "limit: input should be a valid integer, not null"),
        ({"parts": []}, "parts: has 0 items, and should have 1 or more"),
    ],
)
def test_what_is_not_of_its_type_is_named(more: dict[str, Any], said: str) -> None:
    with pytest.raises(Unexpected) as unexpected:
        checked({**LEAST, **more}, Thing)
    assert str(unexpected.value) == said


@pytest.mark.parametrize("key", ["id", "name"])
def test_what_has_to_be_there_is_missed(key: str) -> None:
    with pytest.raises(Unexpected, match=f"^no things.0.{key} in it$"):
        checked(
            {"things": [{name: value for name, value in LEAST.items() if name != key}]}, list[Thing], within="things"
        )


@pytest.mark.parametrize(
    ("answer", "said"),
    [([], "a list"), ({}, "no thing in it"), (None, "null"), ({"thing": 1}, "thing: input should be")],
)
def test_an_answer_without_what_was_asked_for(answer: object, said: str) -> None:
    with pytest.raises(Unexpected, match=f"^{said}"):
        checked(answer, Thing, within="thing")


def test_a_type_that_answers_cannot_have_is_a_bug() -> None:
    with pytest.raises(TypeError, match="answers cannot be checked to be of type"):
        checked({}, set[str])


def test_every_type_of_the_program_can_be_checked() -> None:
    program = Path(zerojhub.__file__).parent
    files = [path for path in program.rglob("*.py") if "TypedDict" in path.read_text() and path.name != "answers.py"]
    assert len(files) > 10
    for path in files:
        if "practice" in path.parts:
            continue
        module = import_module(".".join(path.relative_to(program.parent).with_suffix("").parts))
        for kind in vars(module).values():
            if is_typeddict(kind) and kind is not TypedDict:
                with pytest.raises(Unexpected):
                    checked(None, kind)
