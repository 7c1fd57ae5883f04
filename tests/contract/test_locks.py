"""Two commands at the same time: real processes, on one machine and on two, before the practice cloud's Neutron."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.conftest import PROGRAM, Shell, shell_in
from tests.contract.clouds import Site

HUB = "{name: mine, cloud: practice, cluster: {template: kubernetes-v1.34.4}}\n"
NAME = "zerojhub-lock-mine"
UP = ("up", "--only", "floating-ip")
HOLD = """
import anyio, sys
from pathlib import Path
from zerojhub.lock import Lock
from zerojhub.openstack.session import Cloud

async def name(): return "mine"

async def hold():
    lock = Lock(Cloud("practice"), name, Path(sys.argv[1]), "up", note=print)
    async with lock.kept():
        await lock.take(print)
        print("held", flush=True)
        await anyio.sleep(120)

anyio.run(hold)
"""


@pytest.fixture
def machines(site: Site, tmp_path: Path) -> list[Shell]:
    """Two people's machines with the same deployment file."""
    shells = [shell_in(tmp_path / name) for name in ("one", "two")]
    for shell in shells:
        shell.folder.mkdir()
        shell.environment |= {"OS_CLIENT_CONFIG_FILE": str(site.clouds), "HOME": str(shell.folder)}
        (shell.folder / "hub.yaml").write_text(HUB)
    return shells


@contextmanager
def process(shell: Shell, *argv: str | Path) -> Iterator[subprocess.Popen[str]]:
    words = [str(word) for word in argv]
    with subprocess.Popen(
        words, cwd=shell.folder, env=shell.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def state_of(shell: Shell) -> Path:
    folder = shell.folder / "state" / "zerojhub" / "deployments" / "practice--mine"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def held(shell: Shell) -> Iterator[subprocess.Popen[str]]:
    """A command on this machine that has the lock."""
    with process(shell, sys.executable, "-c", HOLD, state_of(shell)) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        yield holder


def until_it_says(running: subprocess.Popen[str], text: str) -> None:
    assert running.stdout
    seen = ""
    for line in running.stdout:
        seen += line
        if text in line:
            return
    pytest.fail(f"it never said {text!r}, but:\n{seen}")


def writes(site: Site) -> list[tuple[str, str]]:
    """Method and last part of the path of every request so far that changed something."""
    calls = [json.loads(line) for line in site.audit.read_text().splitlines()]
    return [
        (call["method"], call["path"].partition("/v2.0/")[2])
        for call in calls
        if call["method"] not in ("GET", "HEAD") and "/network/" in call["path"]
    ]


def test_two_who_wait_for_a_third_go_on_one_after_the_other_and_create_nothing_twice(
    site: Site, machines: list[Shell]
) -> None:
    before = len(writes(site))
    with (
        held(machines[0]) as holder,
        process(machines[0], PROGRAM, *UP) as here,
        process(machines[1], PROGRAM, *UP) as far,
    ):
        for each in (here, far):
            until_it_says(
                each, f"(process {holder.pid}) has been running `zerojhub up` on mine: waiting (Ctrl-C to stop)"
            )
        assert len(site.store.subnetpools.named(NAME)) == 1
        assert not site.store.floatingips
        holder.send_signal(signal.SIGINT)
        said = [each.communicate(timeout=120)[0] for each in (here, far)]
        assert [here.returncode, far.returncode] == [0, 0], said
    done = writes(site)[before:]
    assert done.count(("POST", "floatingips")) == 1
    assert done[-1][0] == "DELETE"
    assert done[-1][1].startswith("subnetpools/")
    assert not site.store.subnetpools

    # There is nothing to do any more: the lock is not even asked for.
    before = len(writes(site))
    machines[0].zerojhub(*UP)
    assert writes(site)[before:] == []

    # Down gives it back last.
    machines[1].zerojhub("down", "--yes")
    assert [method for method, _ in writes(site)[before:]][-1] == "DELETE"
    assert writes(site)[-1][1].startswith("subnetpools/")
    assert not site.store.subnetpools
    assert not site.store.floatingips


def test_the_lock_of_a_killed_command_is_taken_over(site: Site, machines: list[Shell]) -> None:
    here, far = machines
    with held(here) as holder:
        holder.kill()
        holder.wait()
    [left] = site.store.subnetpools.named(NAME)

    # Elsewhere nobody knows yet that it was killed.
    told = far.zerojhub(*UP, "--no-wait", code=1).stderr
    assert (
        f"(process {holder.pid}) has been running `zerojhub up` on mine (to wait for it, leave out --no-wait)" in told
    )
    assert site.store.subnetpools.named(NAME) == [left]

    # On its own machine it is known at once.
    told = here.zerojhub(*UP, "--no-wait").stderr
    assert "did not finish `zerojhub up` on mine: taking over" in told
    assert not site.store.subnetpools

    # Elsewhere it is after three minutes without a report.
    left["updated_at"] = (datetime.now(UTC) - timedelta(minutes=4)).isoformat(timespec="seconds").replace("+00:00", "Z")
    site.store.subnetpools.add(left)
    told = far.zerojhub("down", "--yes", "--no-wait").stderr
    assert "did not finish `zerojhub up` on mine: taking over" in told
    assert not site.store.subnetpools


def test_one_who_is_taken_over_while_it_lives_learns_of_it(site: Site, machines: list[Shell]) -> None:
    """As a laptop that slept: nobody could know that it lives."""
    here, far = machines
    hurried = HOLD.replace("anyio.run(hold)", "import zerojhub.lock; zerojhub.lock.BEAT = 0.2; anyio.run(hold)")
    with process(here, sys.executable, "-c", hurried, state_of(here)) as holder:
        until_it_says(holder, "held")
        holder.send_signal(signal.SIGSTOP)
        [theirs] = site.store.subnetpools.named(NAME)
        theirs["updated_at"] = "2026-01-01T00:00:00Z"
        far.zerojhub("down", "--yes", "--no-wait")
        holder.send_signal(signal.SIGCONT)
        said = holder.communicate(timeout=60)[0]
    assert "another command has taken over the lock of mine: this one did not report for 3 min 00 s" in said
