"""How long a person waits for a command line: zerojhub against the openstack client, side by side, in one run.

Start the practice cloud, then: eval "$(zerojhub practice env)"; python benchmarks/start_up.py [RUNS]
Each pair runs in turn, so that a slow moment of the machine falls on both; medians of whole processes are printed.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

BIN = Path(sys.executable).parent
PAIRS = [
    (["zerojhub", "--help"], ["openstack", "--help"]),
    (["zerojhub", "cluster", "list"], ["openstack", "coe", "cluster", "list"]),
    (["zerojhub", "template", "list"], ["openstack", "coe", "cluster", "template", "list"]),
]


def seconds(words: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run([BIN / words[0], *words[1:]], check=True, capture_output=True, timeout=60)
    return time.perf_counter() - started


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    for ours, theirs in PAIRS:
        seconds(ours), seconds(theirs)  # warm the file cache
        times = [(seconds(ours), seconds(theirs)) for _ in range(runs)]
        mine, other = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"{' '.join(ours):<24} {mine:6.2f} s   {' '.join(theirs):<36} {other:6.2f} s   1/{other / mine:.1f}")


if __name__ == "__main__":
    main()
