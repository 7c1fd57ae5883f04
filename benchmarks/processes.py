"""Whole processes, measured in turns so that a slow moment of the machine falls on all of them."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

BIN = Path(sys.executable).parent
Command = Sequence[str]


@dataclass(frozen=True)
class Sample:
    """Of one command, or of several one after the other."""

    seconds: float
    """By the clock."""
    processor: float
    """Seconds of a processor, of the program and of those that it has run."""
    megabytes: float
    """The most memory that one process had at a time."""


LAUNCH = """
import json, os, sys, time
started = time.perf_counter()
child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, used = os.wait4(child, 0)
taken = [time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss]
json.dump([os.waitstatus_to_exitcode(status), *taken], open(sys.argv[1], "w"))
"""
"""A small program that starts the one to measure: to begin with, a process counts the memory of the one that started it."""


def once(
    commands: Sequence[Command], environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> Sample:
    """Run the commands, of this environment's programs, one after the other. SystemExit when one of them fails."""
    total, processor, memory = 0.0, 0.0, 0.0
    with tempfile.NamedTemporaryFile() as result:
        for words in commands:
            program = BIN / words[0] if (BIN / words[0]).exists() else words[0]
            launch = [sys.executable, "-I", "-S", "-c", LAUNCH, result.name, program, *words[1:]]
            done = subprocess.run(launch, env=environment, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True)
            code, seconds, busy, most = json.loads(Path(result.name).read_text())
            if code:
                said = (done.stdout + done.stderr).decode()[-2000:]
                raise SystemExit(f"{' '.join(words)}: exit code {code}\n{said}")
            total, processor = total + seconds, processor + busy
            memory = max(memory, most / (1 << 20 if sys.platform == "darwin" else 1 << 10))
    return Sample(total, processor, memory)


def in_turns(
    each: Sequence[Sequence[Command]],
    runs: int,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> list[Sample]:
    """The medians of so many runs of each, after one that warms the caches."""
    for commands in each:
        once(commands, environment, folder)
    samples = [[once(commands, environment, folder) for commands in each] for _ in range(runs)]
    return [_median([row[index] for row in samples]) for index in range(len(each))]


def _median(samples: Sequence[Sample]) -> Sample:
    return Sample(
        statistics.median(sample.seconds for sample in samples),
        statistics.median(sample.processor for sample in samples),
        statistics.median(sample.megabytes for sample in samples),
    )
