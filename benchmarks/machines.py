"""How many machines one computer holds: the practice cluster grown step by step, with what each step takes.

Start the practice cloud and a hub in it (make demo), then:
eval "$(zerojhub practice env)"; python benchmarks/machines.py config/practice.yaml [WORKERS...]

A row a size: seconds until all workers are Ready, memory taken since the first row, processor used while nobody does
anything, seconds of a login with a notebook server in the hub, and of `zerojhub status`. The quota is raised first, and
the cluster is left at its last size.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

BIN = Path(sys.executable).parent
SIZES = (2, 10, 20, 30)
REST = 30
"""Seconds over which the processor is watched while the cluster rests."""
SETTLE = 20
"""Seconds in which new nodes finish what they do at first."""


def run(*words: str, seconds: float = 1800) -> tuple[float, str]:
    """Wall seconds of a command, and what it printed. Stops the benchmark when it fails."""
    started = time.perf_counter()
    done = subprocess.run([BIN / words[0], *words[1:]], capture_output=True, text=True, timeout=seconds)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return time.perf_counter() - started, done.stdout


def memory_taken() -> float:
    """MB that programs have and cannot give back."""
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return (int(lines["MemTotal"].split()[0]) - int(lines["MemAvailable"].split()[0])) / 1000


def processor_busy(seconds: float) -> float:
    """Share of this computer's processors that is used, 0 to 1, over the seconds."""

    def ticks() -> tuple[int, int]:
        user, nice, system, idle, wait, *more = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:])
        return user + nice + system + sum(more[:3]), idle + wait

    busy, idle = ticks()
    time.sleep(seconds)
    busy_then, idle_then = ticks()
    return (busy_then - busy) / (busy_then - busy + idle_then - idle)


def main() -> None:
    file, *sizes = sys.argv[1:]
    name = json.loads(run("zerojhub", "show", "-f", file, "-o", "json")[1])["cluster"]
    quota = {"instances": 200, "cores": 400, "ram": 1_000_000}
    run("openstack", "quota", "set", *(f"--{what}={limit}" for what, limit in quota.items()))
    before = memory_taken()
    print(f"{os.cpu_count()} processors; {name}\nworkers   grow s   MB more   busy   login s   status s", flush=True)
    for size in map(int, sizes or SIZES):
        grow, _ = run("zerojhub", "cluster", "resize", name, str(size), "--yes")
        time.sleep(SETTLE)
        busy = processor_busy(REST)
        login, _ = run("zerojhub", "hub", "check", "-f", file)
        status, _ = run("zerojhub", "status", "-f", file)
        more = memory_taken() - before
        print(f"{size:7}   {grow:6.0f}   {more:7.0f}   {busy:4.0%}   {login:7.1f}   {status:8.1f}", flush=True)


if __name__ == "__main__":
    main()
