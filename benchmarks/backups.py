"""How long the nights are: the first backup of a class, which stores everything, and the second one, which stores what changed.

Start the practice cloud, built with its object store (zerojhub practice build --with object-store), then:
eval "$(zerojhub practice env)"; python benchmarks/backups.py [PEOPLE [MEGABYTES]]

Each person has files of 1 MB that do not compress, MEGABYTES of them, and changes one in a hundred between the nights. A row
a night: seconds from `zerojhub backup run` to its end, megabytes in all homes, megabytes that it added to the store. Then
the seconds of restoring one home. The store and the volumes need twice PEOPLE x MEGABYTES on this computer's disk. In the
end the hub is deleted, with its volumes; the bucket stays.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from zerojhub.practice import daemon

BIN = Path(sys.executable).parent
FILE = """
name: nights
cloud: practice
cluster: {{template: kubernetes-v1.34.4, workers: 2}}
hub: {{chart: embedded, values: values.yaml}}
backup: {{to: 's3:http://{host}/nights', password_file: password, credentials_file: login}}
"""
VALUES = """
hub:
  config:
    JupyterHub: {{authenticator_class: dummy}}
    DummyAuthenticator: {{password: practice}}
    Authenticator: {{allow_all: true}}
singleuser:
  memory: {{guarantee: 64M, limit: 1G}}
  cpu: {{guarantee: 0.01}}
  storage: {{capacity: {gigabytes}Gi}}
scheduling: {{userScheduler: {{enabled: false}}}}
prePuller: {{hook: {{enabled: false}}, continuous: {{enabled: false}}}}
"""
WRITE = """
import os, pathlib
work = pathlib.Path("/home/jovyan/work")
work.mkdir(exist_ok=True)
for number in range({count}):
    (work / str(number)).write_bytes(os.urandom(1 << 20))
os.sync()
"""
AT_ONCE = 5
"""People who are started at the same time: each server takes memory."""


def run(*words: str, seconds: float = 6 * 3600) -> tuple[float, str]:
    """Wall seconds of a command, and what it printed. Stops the benchmark when it fails."""
    started = time.perf_counter()
    done = subprocess.run([BIN / words[0], *words[1:]], capture_output=True, text=True, timeout=seconds)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return time.perf_counter() - started, done.stdout


def prepare(megabytes: int) -> None:
    """Write the deployment's files, with a new key for the object store, to the working directory."""
    there = daemon.running()
    if there is None:
        raise SystemExit("the practice cloud does not run: zerojhub practice start")
    key = json.loads(run("openstack", "ec2", "credentials", "create", "-f", "json")[1])
    texts = {
        "hub.yaml": FILE.format(host=f"{there.gateway}:{there.port}"),
        "values.yaml": VALUES.format(gigabytes=megabytes // 900 + 1),
        "password": f"{os.urandom(16).hex()}\n",
        "login": f"AWS_ACCESS_KEY_ID={key['access']}\nAWS_SECRET_ACCESS_KEY={key['secret']}\n",
    }
    for name, text in texts.items():
        Path(name).touch(mode=0o600)
        Path(name).write_text(text)


def write(person: str, count: int) -> None:
    """Write that many files of 1 MB, in place of those that are there."""
    run("zerojhub", "data", "open", person, "--rw", "-q", "--", "python3", "-c", WRITE.format(count=count))


def main() -> None:
    number, megabytes = [*map(int, sys.argv[1:]), *(20, 2000)[len(sys.argv) - 1 :]]
    people = [f"person-{n:03}" for n in range(number)]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        prepare(megabytes)
        run("zerojhub", "up")
        run("zerojhub", "hub", "users", "add", *people)
        for some in (people[at : at + AT_ONCE] for at in range(0, number, AT_ONCE)):
            run("zerojhub", "hub", "users", "start", *some)
            run("zerojhub", "hub", "users", "stop", *some)
        for person in people:
            write(person, megabytes)
        print(f"{os.cpu_count()} processors; {number} people, {megabytes} MB each")
        print("night   seconds   MB there   MB added", flush=True)
        for night in ("first", "second"):
            seconds, _ = run("zerojhub", "backup", "run", "-q")
            rows = json.loads(run("zerojhub", "backup", "status", "-o", "json")[1])["owners"]
            there, added = (sum(row[key] or 0 for row in rows) / 2**20 for key in ("bytes", "added"))
            print(f"{night:6}   {seconds:7.0f}   {there:8.0f}   {added:8.0f}", flush=True)
            for person in people if night == "first" else ():
                write(person, max(1, megabytes // 100))
        run("zerojhub", "data", "remove", people[0], "--yes")
        seconds, _ = run("zerojhub", "backup", "restore", "--user", people[0], "-q")
        print(f"one home restored in {seconds:.0f} s")
        run("zerojhub", "down", "--delete-data", "--yes")


if __name__ == "__main__":
    main()
