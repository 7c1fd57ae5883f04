"""What single commands print: for people as text, for programs as data."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from zerojhub.hub.client import User, UserServer
from zerojhub.hub.proof import Proof
from zerojhub.kube import schedule
from zerojhub.kube.crons import CronJobRow
from zerojhub.kube.jobs import JobRow
from zerojhub.profiles import Profile
from zerojhub.report import crons, hub, jobs, profiles, workshops
from zerojhub.report.jobs import JobLog, LogLine
from zerojhub.report.results import Output
from zerojhub.workshops.base import Outcome

PI = JobRow("pi", "complete", 1, 0, 1, 0, "2026-01-31T10:00:00Z", 12, "")
QUEUE = JobRow("queue", "complete", None, 0, 2, 0, "2026-01-31T10:00:00Z", 12, "a pod was deleted")


@pytest.fixture
def text(capsys):
    """What a report prints for people: the lines, with single spaces."""

    def read(show, *words, **options) -> list[str]:
        show(*words, Output.table, **options)
        return [re.sub(" +", " ", line) for line in capsys.readouterr().out.splitlines()]

    return read


@pytest.fixture
def data(capsys):
    """What a report prints for programs."""

    def read(show, *words, **options):
        show(*words, Output.json, **options)
        return json.loads(capsys.readouterr().out)

    return read


def test_users_are_sorted_and_show_who_is_an_admin_and_whose_server_runs(text, data):
    server = UserServer("/user/ada/", None, None)
    found = [User("ben", False, None, None, {}), User("ada", True, "2026-01-31", None, {"": server, "lab": server})]
    assert text(hub.show_users, found) == ["NAME ADMIN SERVERS LAST_ACTIVITY", "ada yes 2 2026-01-31", "ben 0"]
    assert data(hub.show_users, found)[0] == {
        "name": "ada",
        "admin": "yes",
        "servers": 2,
        "last_activity": "2026-01-31",
    }
    assert text(hub.show_users, []) == ["no users"]


def test_a_proof_shows_the_seconds_of_each_step(text, data):
    proof = Proof(0.123, 4.36, 0.75, 2.2)
    assert text(hub.show_proof, proof) == ["works: log in 0.1 s, server 4.4 s, cell 0.8 s, stop 2.2 s"]
    seconds = {"log in": 0.1, "server": 4.4, "cell": 0.8, "stop": 2.2}
    assert data(hub.show_proof, proof) == {"works": True, "seconds": seconds}
    assert "log in" not in data(hub.show_proof, Proof(None, 4.36, 0.75, 2.2))["seconds"]


def test_jobs_show_their_progress(text, data):
    assert text(jobs.show_jobs, [PI, QUEUE]) == [
        "NAME STATE COMPLETIONS ACTIVE FAILED STARTED SECONDS DETAIL",
        "pi complete 1/1 0 0 2026-01-31T10:00:00Z 12",
        "queue complete 2 0 0 2026-01-31T10:00:00Z 12 a pod was deleted",
    ]
    assert [job["completions"] for job in data(jobs.show_jobs, [PI, QUEUE])] == ["1/1", "2"]
    assert text(jobs.show_jobs, []) == ["no jobs"]


def test_a_job_that_was_created_can_be_followed(text, data):
    assert text(jobs.show_created, PI, options=" --cluster k8s") == [
        "made job pi; follow it: zerojhub job logs pi --follow --cluster k8s"
    ]
    assert data(jobs.show_created, PI, options="")["name"] == "pi"


def test_a_job_that_was_waited_for(text, data, capsys):
    assert text(jobs.show_ended, PI, None) == ["job pi is complete: 1/1 succeeded in 12 s"]
    assert "logs" not in data(jobs.show_ended, PI, None)
    jobs.show_ended(QUEUE, None, Output.table)
    assert capsys.readouterr().err == "warning: a pod was deleted\n"


def test_a_job_whose_log_was_followed(text, data):
    log = JobLog(Output.json)
    log("pi-1", "3.14")
    assert text(jobs.show_ended, PI, log) == []
    line = {"source": "pi-1", "line": "3.14"}
    assert data(jobs.show_ended, PI, log)["logs"] == [line]
    assert data(jobs.show_failed, PI, log)["logs"] == [line]
    assert data(jobs.show_failed, PI, None)["logs"] == []
    assert text(jobs.show_failed, PI, log) == []


def test_logs_of_one_pod_and_of_several(text, data):
    one, two = LogLine("pi-1", "3.14"), LogLine("pi-2", "3.15")
    assert text(jobs.show_logs, [one]) == ["3.14"]
    assert text(jobs.show_logs, [one, two]) == ["pi-1 | 3.14", "pi-2 | 3.15"]
    assert data(jobs.show_logs, [one]) == [{"source": "pi-1", "line": "3.14"}]


def test_cron_jobs(text, data):
    rows = [
        CronJobRow("hello", "5 4 * * 2", "at 04:05 on Tuesday", None, True, 0, None, None, None),
        CronJobRow(
            "nightly", "30 2 * * *", "at 02:30 every day", "Europe/London", False, 1, "then", "complete", "soon"
        ),
    ]
    assert text(crons.show_crons, rows) == [
        "NAME SCHEDULE SUSPENDED ACTIVE LAST_RUN LAST_STATE NEXT_RUN WORDS",
        "hello 5 4 * * 2 yes 0 at 04:05 on Tuesday",
        "nightly 30 2 * * * 1 then complete soon at 02:30 every day",
    ]
    assert [row["suspended"] for row in data(crons.show_crons, rows)] == [True, False]


def test_a_cron_job_that_was_created_says_when_it_runs(text, data):
    read = schedule.read("5 4 * * 2", "Europe/London")
    times = read.after(datetime(2026, 1, 31, tzinfo=UTC), 2)
    assert text(crons.show_created, "hello", "default", read, times) == [
        "made cron job hello: at 04:05 on Tuesday (Europe/London)",
        "next: 2026-02-03 04:05 GMT, 2026-02-10 04:05 GMT",
    ]
    assert data(crons.show_created, "hello", "default", read, times)["next_runs"] == [
        "2026-02-03T04:05:00+00:00",
        "2026-02-10T04:05:00+00:00",
    ]


@pytest.mark.parametrize(
    ("suspended", "next_run", "line"),
    [
        (True, None, "suspended cron job hello"),
        (False, datetime(2026, 2, 3, 4, 5, tzinfo=UTC), "resumed cron job hello; next: 2026-02-03 04:05 UTC"),
    ],
)
def test_a_cron_job_that_was_suspended_or_resumed(text, data, suspended, next_run, line):
    assert text(crons.show_suspended, "hello", "default", next_run, suspended=suspended) == [line]
    assert data(crons.show_suspended, "hello", "default", next_run, suspended=suspended)["suspended"] is suspended


@pytest.mark.parametrize(("gone", "words"), [(["hello-1"], "its 1 job"), ([], "its 0 jobs")])
def test_a_cron_job_that_was_deleted(text, gone, words):
    assert text(crons.show_deleted, "hello", "default", gone) == [f"deleted cron job hello, {words} and their pods"]


def test_exercises(text, data):
    outcomes = [Outcome(1, True, "Bring up the hub"), Outcome(2, False, "Log in", "no volume")]
    assert text(workshops.show_outcomes, outcomes) == [
        "EXERCISE STATE WHAT DETAIL",
        "1 done Bring up the hub",
        "2 not yet Log in no volume",
    ]
    assert [row["state"] for row in data(workshops.show_outcomes, outcomes)] == ["done", "not yet"]


def test_profiles_and_what_was_written(text, data):
    assert text(profiles.show_profiles, [Profile("minimal", "The least")]) == ["NAME WHAT", "minimal The least"]
    written = [Path("hub.yaml"), Path("config.yaml")]
    wrote = "wrote hub.yaml and config.yaml"
    assert text(profiles.show_written, written, Path("hub.yaml"), quiet=True) == [wrote]
    assert text(profiles.show_written, written, Path("hub.yaml"), quiet=False) == [
        wrote,
        "next: set cloud and template in hub.yaml, then run: zerojhub plan",
    ]
    assert data(profiles.show_written, written, Path("hub.yaml"), quiet=False) == {
        "written": ["hub.yaml", "config.yaml"]
    }
