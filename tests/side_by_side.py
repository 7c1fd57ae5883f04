"""Runs commands in parallel, and reports the result of each at the end.

`python -m tests.side_by_side NAME COMMAND [NAME COMMAND…]` prefixes each line of output with the command's name.
At the end it repeats pytest's list of failures and its summary lines. Exit code 1 if a command fails.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

SUMMARY = re.compile(r"(FAILED|ERROR) \S")
CLOSING = re.compile(r"(=+ )?\d+ (passed|failed|error|skipped|deselected|xfailed|xpassed|warning)s?\b.* in [\d.]+s\b")
"""As in `=== 1 failed, 12 passed in 3.45s ===`, and in pytest's quiet form without the frame."""


@dataclass
class Command:
    name: str
    text: str
    """For the shell."""
    said: list[str] = field(default_factory=list)
    seconds: float = 0.0
    code: int | None = None

    def run(self, width: int) -> None:
        started = time.monotonic()
        process = subprocess.Popen(
            self.text,
            shell=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        for line in process.stdout or ():
            print(f"{self.name:{width}} | {line}", end="", flush=True)
            self.said.append(line.rstrip("\n"))
        self.code = process.wait()
        self.seconds = time.monotonic() - started

    def outcome(self) -> list[str]:
        told = [line for line in self.said if SUMMARY.match(line) or CLOSING.match(line)]
        ended = "passed" if self.code == 0 else f"failed (exit code {self.code})"
        return [f"{self.name}: {ended}, {self.seconds:.0f} s", *told]


def main(words: list[str]) -> int:
    commands = [Command(name, text) for name, text in zip(words[::2], words[1::2], strict=True)]
    width = max(len(command.name) for command in commands)
    started = time.monotonic()
    threads = [threading.Thread(target=command.run, args=(width,)) for command in commands]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print()
    for command in commands:
        print(*command.outcome(), sep="\n")
    failed = [command.name for command in commands if command.code]
    print(f"{'failed: ' + ', '.join(failed) if failed else 'all passed'}, {time.monotonic() - started:.0f} s in all")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
