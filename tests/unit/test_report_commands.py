"""What single commands print: for people as text, for programs as data."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from zerojhub.cluster.kubeconfig import Saved
from zerojhub.cluster.survey import Survey
from zerojhub.cluster.upgrade import NodeVersions, Upgraded
from zerojhub.errors import UserError
from zerojhub.graph import StageStatus
from zerojhub.hub.client import User, UserServer
from zerojhub.hub.proof import Proof
from zerojhub.kube import schedule
from zerojhub.kube.crons import CronJobRow
from zerojhub.kube.jobs import JobRow
from zerojhub.kube.nodes import NodeRow
from zerojhub.openstack.leftovers import KeptVolume
from zerojhub.profiles import Profile
from zerojhub.report import (
    autoscale,
    clusters,
    crons,
    failures,
    hub,
    jobs,
    nodegroups,
    nodes,
    practice,
    profiles,
    results,
    stacks,
    stages,
    templates,
    workshops,
)
from zerojhub.report import survey as report_survey
from zerojhub.report.board import Changes, Look
from zerojhub.report.jobs import JobLog, LogLine
from zerojhub.report.results import Listing, ListOutput, Output
from zerojhub.stages import Cluster, Template
from zerojhub.workshops.base import Outcome

PI = JobRow("pi", "complete", 1, 0, 1, 0, "2026-01-31T10:00:00Z", 12, "")
QUEUE = JobRow("queue", "complete", None, 0, 2, 0, "2026-01-31T10:00:00Z", 12, "a pod was deleted")


LISTS = (clusters.show_clusters, nodegroups.show_nodegroups, templates.show_templates)
"""What takes a Listing instead of a format."""


@pytest.fixture
def text(capsys):
    """What a report prints for people: the lines, with single spaces."""

    def read(show, *words, **options) -> list[str]:
        show(*words, *([Listing()] if show in LISTS else [Output.table]), **options)
        return [re.sub(" +", " ", line) for line in capsys.readouterr().out.splitlines()]

    return read


@pytest.fixture
def data(capsys):
    """What a report prints for programs."""

    def read(show, *words, **options):
        show(*words, *([Listing(ListOutput.json)] if show in LISTS else [Output.json]), **options)
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
    assert text(hub.show_proof, proof) == ["ok: log in 0.1 s, server 4.4 s, cell 0.8 s, stop 2.2 s"]
    seconds = {"log in": 0.1, "server": 4.4, "cell": 0.8, "stop": 2.2}
    assert data(hub.show_proof, proof) == {"works": True, "seconds": seconds}
    assert "log in" not in data(hub.show_proof, Proof(None, 4.36, 0.75, 2.2))["seconds"]
    skipped = Proof(None, 4.36, 0.75, 2.2, "not tested: logging in")
    assert text(hub.show_proof, skipped) == ["ok: server 4.4 s, cell 0.8 s, stop 2.2 s; not tested: logging in"]
    assert data(hub.show_proof, skipped)["login"] == "not tested: logging in"


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
        "created job pi (follow it with: zerojhub job logs pi --follow --cluster k8s)"
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
        "created cron job hello: at 04:05 on Tuesday (Europe/London)",
        "next runs: 2026-02-03 04:05 GMT, 2026-02-10 04:05 GMT",
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


CLUSTER: Any = {"uuid": "c1", "name": "k8s", "status": "CREATE_COMPLETE", "links": []}
GROUP: Any = {"uuid": "g1", "name": "big", "node_count": 1, "min_node_count": 0, "max_node_count": 4, "role": "worker"}
KEPT = KeptVolume("v1", "pvc-1", 10, "ada")


def test_the_url_is_printed_alone(text, data):
    assert text(hub.show_url, "http://203.0.113.7/") == ["http://203.0.113.7/"]
    assert data(hub.show_url, "http://203.0.113.7/") == {"url": "http://203.0.113.7/"}


def status(stage, state: Any, detail: str = "", seconds: float = 0.123) -> StageStatus:
    return StageStatus(stage, state, detail, seconds)


def test_the_status_ends_with_the_url_and_the_next_step(text, data, capsys):
    statuses = [status(Template, "found", "kubernetes-1"), status(Cluster, "missing", "there is none")]
    assert text(stages.show_status, "http://x/", statuses, []) == [
        "NAME STATE DETAIL",
        "template found kubernetes-1",
        "cluster missing there is none",
        "url: http://x/",
        "next: zerojhub up",
    ]
    found = data(stages.show_status, None, statuses, ["cluster: there is none"])
    assert (found["url"], found["ready"], found["drift"]) == (None, False, ["cluster: there is none"])
    assert found["stages"][0] == {"name": "template", "state": "found", "seconds": 0.12, "detail": "kubernetes-1"}
    ready = [status(Template, "found")]
    assert text(stages.show_status, "http://x/", ready, [])[-1] == "url: http://x/"
    assert data(stages.show_status, "http://x/", ready, [])["ready"] is True


def test_the_plan_says_what_would_be_done_and_nothing_about_what_is_there(data):
    statuses = [status(Template, "found", "kubernetes-1"), status(Cluster, "missing", "there is none")]
    there, missing = data(stages.show_plan, statuses)["stages"]
    assert there["would"] == ""
    assert missing["would"] == Cluster.description() != ""


def test_up_prints_the_url_alone_on_standard_output(capsys):
    stages.show_up("http://x/", [status(Template, "found")], Output.table, quiet=False)
    out, err = capsys.readouterr()
    assert out == "url: http://x/\n"
    assert err.startswith("next: ")
    stages.show_up("http://x/", [status(Template, "found")], Output.table, quiet=True)
    assert capsys.readouterr() == ("url: http://x/\n", "")


def test_volumes_that_are_kept(text, data):
    assert text(stages.show_kept, []) == []
    lines = text(stages.show_kept, [KEPT])
    assert lines[0] == "kept: 1 volume, 10 GB; the next `zerojhub up` gives them back"
    assert "ada 10 v1 pvc-1" in lines
    assert "--delete-data" in lines[-1]


def test_the_volumes_that_are_going_to_be_deleted_are_listed_first(capsys):
    stages.show_doomed([KEPT])
    assert capsys.readouterr().err == "ada  10 GB  v1\n"


def test_the_volumes_that_were_kept_as_data(data):
    assert data(stages.show_kept, [KEPT]) == {
        "kept": [{"id": "v1", "name": "pvc-1", "size_gb": 10, "owner": "ada"}],
        "left": [],
    }


def test_a_status_is_printed_once_for_each_change(capsys):
    first = Look([status(Template, "missing", "there is none")], None, None)
    second = Look([status(Template, "found", "kubernetes-1")], None, None)
    with Changes(Output.table) as shown:
        for look in (first, first, second, replace(second, trouble="no response"), second):
            shown.show(look)
    out, err = capsys.readouterr()
    assert [line.split()[1] for line in out.splitlines() if line.startswith("template")] == [
        "missing",
        "found",
        "found",
    ]
    assert err == "error: no response\n"


def test_changes_as_yaml_are_documents(capsys):
    with Changes(Output.yaml) as shown:
        shown.show(Look([status(Template, "missing")], None, None))
        shown.show(Look([status(Template, "found")], None, None))
    documents = list(yaml.safe_load_all(capsys.readouterr().out))
    assert [each["ready"] for each in documents] == [False, True]


def test_clusters_and_what_became_of_one(text, data):
    assert text(clusters.show_clusters, [CLUSTER])[1] == "c1 k8s CREATE_COMPLETE"
    assert data(clusters.show_clusters, [CLUSTER]) == [CLUSTER]
    assert text(clusters.show_deleted, [(CLUSTER, [])], complete=True) == ["deleted cluster k8s (c1)"]
    assert text(clusters.show_deleted, [(CLUSTER, [])], complete=False) == ["deleting cluster k8s (c1)"]
    assert text(clusters.show_deleted, [(CLUSTER, [KEPT])], complete=True)[-1] == "v1 pvc-1 10 ada"
    assert data(clusters.show_deleted, [(CLUSTER, [KEPT])], complete=True)["kept"][0]["owner"] == "ada"
    assert [each["deleted"] for each in data(clusters.show_deleted, [(CLUSTER, [])] * 2, complete=True)] == ["c1", "c1"]
    assert text(clusters.show_kubeconfig, Saved(Path("a.yaml"), "k8s", [])) == ["wrote a.yaml, context k8s"]


@pytest.mark.parametrize(
    ("silent", "line"),
    [(1.5, ["the hub was unavailable for 1.5 s"]), (0.0, ["the hub was unavailable for 0.0 s"]), (None, [])],
)
def test_an_upgrade_says_for_how_long_the_hub_was_away(text, silent, line):
    done = Upgraded("v1.34.4", [NodeVersions("n1", "v1.34.4", "containerd://2")], silent, [])
    assert text(clusters.show_upgraded, "k8s", done) == ["NAME KUBELET RUNTIME", "n1 v1.34.4 containerd://2", *line]
    behind = text(clusters.show_upgraded, "k8s", replace(done, behind=["gpu"]))[-1]
    assert behind == "node group gpu has another version (next: zerojhub cluster upgrade k8s --nodegroup gpu)"


def test_node_groups_templates_and_stacks(text, data):
    assert text(nodegroups.show_nodegroups, [GROUP])[1] == "g1 big 1 0 4 worker"
    assert text(nodegroups.show_updated, GROUP)[1] == "g1 big 1 0 4 worker"
    assert text(nodegroups.show_deleted, [GROUP, GROUP]) == ["deleted node group big"] * 2
    template: Any = {"uuid": "t1", "name": "k8s", "coe": "kubernetes", "public": True}
    assert text(templates.show_templates, [template])[1] == "t1 k8s kubernetes True"
    assert data(templates.show_deleted, [template]) == {"deleted": "t1"}
    assert data(templates.show_deleted, [template] * 2) == [{"deleted": "t1"}] * 2
    outputs = [{"output_key": "api", "output_value": "https://x"}]
    stack: Any = {"id": "s1", "stack_name": "k8s", "stack_status": "CREATE_COMPLETE", "outputs": outputs}
    assert text(stacks.show_stack, stack)[1:] == ["s1 k8s CREATE_COMPLETE", "api: https://x"]
    assert text(stacks.show_stacks, [stack])[1:] == ["s1 k8s CREATE_COMPLETE"]
    assert text(stacks.show_deleted, stack) == ["deleted stack k8s"]


def test_a_machine_id_that_does_not_match(text, data):
    row = NodeRow("n1", "worker", True, "default-worker", "10.0.0.7", "uuid", "other", False, True)
    assert text(nodes.show_nodes, [row])[1] == "n1 worker yes default-worker uuid other no yes"
    assert data(nodes.show_nodes, [row])[0]["matches"] is False
    assert "every machine-id" in text(nodes.show_fixed, [], keep=False)[0]
    assert "DaemonSet" in text(nodes.show_fixed, [row], keep=True)[-1]


def test_autoscaling_of_a_node(text, data):
    assert text(autoscale.show_protected, "n1", protected=True) == ["protected n1: the autoscaler will not remove it"]
    assert text(autoscale.show_protected, "n1", protected=False) == ["unprotected n1: the autoscaler may remove it"]
    assert data(autoscale.show_protected, "n1", protected=True) == {"node": "n1", "protected": True}
    assert text(autoscale.show_disabled, []) == ["autoscaling is off for every node group"]
    assert text(autoscale.show_disabled, ["a", "b"]) == ["autoscaling is off for a, b"]


def test_a_map_goes_to_standard_output_or_into_a_file(capsys, tmp_path):
    survey = Survey("class", "mycloud", None, "k8s", "CREATE_COMPLETE", "v1.34.4", [])
    report_survey.show_map(survey, None, quiet=False)
    image = capsys.readouterr().out
    assert image.startswith("<svg")
    report_survey.show_map(survey, tmp_path / "map.svg", quiet=False)
    assert (tmp_path / "map.svg").read_text() == image
    assert capsys.readouterr().out == f"wrote {tmp_path / 'map.svg'}\n"
    with pytest.raises(UserError, match="cannot be written"):
        report_survey.show_map(survey, tmp_path / "none" / "map.svg", quiet=False)


def test_the_practice_cloud(text, data, capsys, tmp_path):
    assert text(practice.show_status, {"running": False}) == ["not running"]
    running = {"running": True, "port": 1, "pid": 2, "kubernetes": ["v1.34.4"], "network": "10.9.0.0/16"}
    running |= {"gateway": "10.9.0.1", "public_network": "198.51.100.0/24", "profile": "both", "machines": []}
    assert "ACME" not in " ".join(text(practice.show_status, {**running, "acme": None}))
    about = {"url": "https://10.9.0.1:14000/dir", "ca": "/state/acme-ca.pem"}
    assert text(practice.show_status, {**running, "acme": about})[2:4] == [
        "name server 10.9.0.1",
        "ACME server https://10.9.0.1:14000/dir, its authorities in /state/acme-ca.pem",
    ]
    practice.show_environment({"OS_CLOUD": "a b"})
    assert capsys.readouterr().out == "export OS_CLOUD='a b'\n"
    facts = {"silent": ["octavia"], "left_out": [], "not_shown": ["quota"]}
    lines = text(practice.show_recording, Path("r.yaml"), {"nova": 3}, **facts)
    assert lines == [
        "wrote r.yaml, readable only by you",
        "SERVICE ANSWERS",
        "nova 3",
        "did not answer: octavia",
        "the cloud shows no quota: the practice cloud's own is used instead",
        "next: read it, then run: zerojhub practice start --profile r.yaml",
    ]
    assert data(practice.show_recording, Path("r.yaml"), {"nova": 3}, **facts)["answers"] == {"nova": 3}


def test_logs_of_the_practice_cloud(capsys, tmp_path):
    (tmp_path / "a.log").write_text("one\n")
    (tmp_path / "b.log").write_text("two\n")
    practice.show_logs([tmp_path / "a.log", tmp_path / "missing.log"], follow=False)
    practice.show_logs([tmp_path / "a.log"], follow=False)
    assert capsys.readouterr().out == f"==> {tmp_path / 'a.log'} <==\none\none\n"
    line = {"time": "10:00", "service": "nova", "status": 200, "method": "GET", "path": "/servers"}
    (tmp_path / "audit").write_text(json.dumps(line) + "\n")
    practice.show_audit(tmp_path / "audit", Output.table, follow=False)
    assert capsys.readouterr().out.split() == ["10:00", "nova", "200", "GET", "/servers"]
    practice.show_audit(tmp_path / "audit", Output.json, follow=False)
    assert json.loads(capsys.readouterr().out) == line


def test_interruptions_and_errors_go_to_standard_error(capsys):
    failures.show_error(UserError("wrong", where="hub.yaml:1"))
    failures.show_stopped("nothing is lost")
    assert capsys.readouterr() == ("", "error: hub.yaml:1: wrong\nstopped: nothing is lost\n")


def test_a_drift_is_reported_next_to_the_answer(capsys):
    results.show_drift(["values: cull changed"])
    out, err = capsys.readouterr()
    assert out == "" and "values: cull changed" in err
