"""A run: values by stage, questions asked once, connections closed, the journal, the deployment's folder."""

from __future__ import annotations

import json
import stat

import anyio
import pytest

from zerojhub.deployment import Deployment
from zerojhub.report import Progress
from zerojhub.run import Provides, Run, folder_of


class Number(Provides[int]):
    pass


class Word(Provides[str]):
    pass


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    deployment = Deployment.model_validate({"name": "toy", "cloud": "c", "cluster": {"template": "t"}})
    with Progress(quiet=True) as progress:
        yield Run(deployment, progress)


def test_values_are_filed_under_what_provides_them(run):
    run[Number] = 0
    assert (Number in run, run[Number], run.get(Number)) == (True, 0, 0)
    assert (Word in run, run.get(Word)) == (False, None)
    with pytest.raises(KeyError):
        _ = run[Word]


def test_every_connection_is_closed_last_opened_first_even_after_a_failure(run):
    closed = []

    def closer(name, error=None):
        async def close():
            closed.append(name)
            if error:
                raise error

        return close

    run.on_close(closer("ssh"))
    run.on_close(closer("tunnel", OSError("broken pipe")))
    run.on_close(closer("kube"))
    anyio.run(run.close)
    assert closed == ["kube", "tunnel", "ssh"]
    anyio.run(run.close)
    assert len(closed) == 3


def test_connections_are_closed_although_the_run_was_cancelled(run):
    closed = []

    async def close():
        await anyio.sleep(0)
        closed.append("ssh")

    async def cancelled():
        with anyio.CancelScope() as scope:
            run.on_close(close)
            scope.cancel()
            await run.close()

    anyio.run(cancelled)
    assert closed == ["ssh"]


def test_a_question_is_asked_once_for_all_who_ask_it_at_the_same_time(run):
    asked = []

    async def question(name, kind="a"):
        await anyio.sleep(0.01)
        asked.append((name, kind))
        return name.upper()

    async def ask():
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(run.once, question, "x")
        assert await run.once(question, "x") == "X"
        assert await run.once(question, "y") == "Y"
        assert await run.once(question, "x", kind="b") == "X"

    anyio.run(ask)
    assert asked == [("x", "a"), ("y", "a"), ("x", "b")]


def test_a_question_is_asked_again_after_answers_are_forgotten_or_it_failed(run):
    asked = []

    async def question():
        asked.append(1)
        if len(asked) == 1:
            raise ValueError("try again")
        return len(asked)

    async def ask():
        with pytest.raises(ValueError, match="try again"):
            await run.once(question)
        assert await run.once(question) == 2
        run.forget_answers()
        assert await run.once(question) == 3

    anyio.run(ask)


def test_what_is_said_belongs_to_the_step_it_is_said_in(run, capsys):
    with Progress(verbose=True) as progress:
        run.progress = progress
        for name in ("chart", "check"):
            progress.start(name)
        with run.step("chart"), run.step("check"):
            run.say("logging in")
        with run.step("chart"):
            run.say("installing")
        for name in ("chart", "check"):
            progress.end(name, "done")
    lines = capsys.readouterr().err.splitlines()
    assert any("check" in line and "logging in" in line for line in lines)
    assert any("chart" in line and "installing" in line for line in lines)


def test_the_folder_is_private_and_the_journal_is_a_line_an_event(run):
    run.write_journal("do", "chart", "no release")
    run.write_journal("done", "chart")
    assert stat.S_IMODE(run.folder.stat().st_mode) == 0o700
    events = [json.loads(line) for line in (run.folder / "journal.jsonl").read_text().splitlines()]
    assert [(each["event"], each["stage"], each["detail"]) for each in events] == [
        ("do", "chart", "no release"),
        ("done", "chart", ""),
    ]


def test_the_folder_is_below_the_state_folder_whatever_the_cloud_is_called(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    deployment = Deployment.model_validate({"name": "hub", "cloud": "../../x", "cluster": {"template": "t"}})
    assert folder_of(deployment).resolve().parent == tmp_path / "zerojhub" / "deployments"
