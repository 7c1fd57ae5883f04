"""A run: values by stage, questions asked once, connections closed, the journal, the deployment's folder."""

from __future__ import annotations

import json
import stat
from functools import partial
from types import SimpleNamespace

import anyio
import pytest

from zerojhub import retry
from zerojhub.deployment import Deployment
from zerojhub.errors import ZeroJHubError
from zerojhub.report import Progress
from zerojhub.retry import Fault, Transient
from zerojhub.run import Provides, Run, Silent, folder_of


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


def test_after_a_step_within_a_step_what_is_said_belongs_to_the_outer_one(run, monkeypatch):
    said = []
    monkeypatch.setattr(run.progress, "say", lambda name, text: said.append(name))
    with run.step("chart"):
        with run.step("lock"):
            run.say("waiting")
        run.say("installing")
    assert said == ["lock", "chart"]


def test_a_silent_run_leaves_it_to_its_command_to_report_faults(run):
    lines: list[str] = []
    answers = iter([Transient(Fault("network", "503"), ZeroJHubError("503")), "there"])

    async def attempt():
        answer = next(answers)
        if isinstance(answer, Transient):
            raise answer
        return answer

    async def ask():
        silent = Run(run.deployment, Silent())
        with retry.reported(lines.append), silent.step("cluster"):
            return await retry.attempts(attempt, repeatable=True)

    assert anyio.run(ask) == "there"
    assert lines == ["network: 503, retrying in 1 s", "network responds again"]


def test_it_may_change_something_if_nobody_else_does(run):
    assert run.may_change
    run.lock = SimpleNamespace(held=False)
    assert not run.may_change
    run.lock.held = True
    assert run.may_change


def test_a_connection_that_does_not_close_does_not_keep_the_command(run, monkeypatch):
    monkeypatch.setattr("zerojhub.run.CLOSING", 0.05)
    run.on_close(partial(anyio.sleep, 600))

    async def close():
        with anyio.fail_after(30):
            await run.close()

    anyio.run(close)


def test_the_folder_is_private_and_the_journal_is_a_line_an_event(run):
    run.write_journal("do", "chart", "no release")
    run.write_journal("done", "chart")
    assert stat.S_IMODE(run.folder.stat().st_mode) == 0o700
    run.write_journal("failed", "chart", "für alle")
    assert "für alle" in (run.folder / "journal.jsonl").read_text(encoding="utf-8"), "people read it"
    events = [json.loads(line) for line in (run.folder / "journal.jsonl").read_text().splitlines()]
    assert [(each["event"], each["stage"], each["detail"]) for each in events] == [
        ("do", "chart", "no release"),
        ("done", "chart", ""),
        ("failed", "chart", "für alle"),
    ]


def test_the_folder_is_below_the_state_folder_whatever_the_cloud_is_called(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    deployment = Deployment.model_validate({"name": "hub", "cloud": "../../x", "cluster": {"template": "t"}})
    assert folder_of(deployment).resolve().parent == tmp_path / "zerojhub" / "deployments"


def test_deployments_of_the_same_name_in_several_clouds_have_a_folder_each(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    fields = {"name": "hub", "cluster": {"template": "t"}}
    named = [folder_of(Deployment.model_validate(fields | {"cloud": cloud})) for cloud in ("one", "two")]
    monkeypatch.setenv("OS_CLOUD", "three")
    chosen = folder_of(Deployment.model_validate(fields))
    monkeypatch.delenv("OS_CLOUD")
    names = [folder.name for folder in (*named, chosen, folder_of(Deployment.model_validate(fields)))]
    assert names == ["one--hub", "two--hub", "three--hub", "environment--hub"]
