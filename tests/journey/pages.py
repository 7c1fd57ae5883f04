"""Runs a documentation page as a reader would, its commands in one shell and its browser steps in a browser, and compares
the output with the page.

A page has three kinds of steps, run in order:

- a block ```console: lines that start with `$ ` are commands (continued in lines that start with `> `), and what follows
  each one is its output. A command that is meant to fail ends in `|| echo "exit code $?"`;
- a block ```yaml whose first line is `# NAME.yaml`: the complete file of that name;
- a comment `<!-- browser: USER PASSWORD CODE -->`: what the text above it asks the reader to do in a browser.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import select
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

RULES = (
    (r"\x1b\[[0-9;]*m", ""),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID"),
    (r"\b[0-9a-f]{2}(:[0-9a-f]{2}){15}\b", "FINGERPRINT"),
    (r"SHA256:[\w+/]{43}", "FINGERPRINT"),
    (r"sha256:[0-9a-f]+", "DIGEST"),
    (r"\b[0-9a-f]{32}\b", "ID"),
    (r"\b\d+\.\d+\.\d+\.\d+\b", "ADDRESS"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[ ]?[+]\d\d:?\d\d)?( UTC)?", "TIME"),
    (r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}", "TIME"),
    (r"\b\d+ min( \d\d s)?|\b\d+(\.\d+)? (s|seconds)\b", "DURATION"),
    (r"\b(\d+d)?(\d+h)?(\d+m)?\d+s\b|\b\d+m\b", "DURATION"),
    (r"(?<=-)[a-z0-9]{12}(?=-(master|node)-|\b)", "STACK"),
    (r"-node-\d+\b", "-node-N"),
    (r"(?<=-)[0-9a-f]{5,10}-[a-z0-9]{5}\b", "POD"),
    (r"^[·✓] ", "✓ "),
    (r"-{4,}", "---"),
    (r"\s+", " "),
)
"""Patterns for what differs from run to run, and the placeholders that replace it in both page and output."""

UNDER_WAY = re.compile(r"… \S+ +(\d+ min \d\d|[\d.]+) s( |$)")
"""A progress line, which only slow machines print."""


@dataclass
class Step:
    """One step of a page."""

    kind: str
    """command, file or browser"""
    line: int
    text: str
    prints: list[str]
    """A command's output, or a file's content."""


def steps(page: Path) -> Iterator[Step]:
    """The page's steps, in order."""
    lines = page.read_text().splitlines()
    fence: str | None = None
    command: Step | None = None
    for number, line in enumerate(lines, 1):
        if line.startswith("```"):
            if command:
                yield command
            command = None
            fence = None if fence is not None else line.removeprefix("```")
            if fence == "yaml" and (named := re.fullmatch(r"# ([\w.-]+\.yaml)", lines[number])):
                body = lines[number : lines.index("```", number)]
                yield Step("file", number, named[1], body)
        elif fence is None and (marked := re.fullmatch(r"<!-- browser: (.*) -->", line)):
            yield Step("browser", number, marked[1], [])
        elif fence == "console" and line.startswith("$ "):
            if command:
                yield command
            command = Step("command", number, line.removeprefix("$ "), [])
        elif fence == "console":
            assert command, f"{page}:{number}: output before the first command"
            if line.startswith("> "):
                command.text += "\n" + line.removeprefix("> ")
            else:
                command.prints.append(line)


def differences(page: list[str], printed: list[str]) -> str | None:
    """How the output differs from the page; None if it does not."""
    wanted = [re.escape(line).replace("…", ".*") for line in _ordered(page)]
    pattern = "".join(r"(?:.*\n)*?" if line == ".*" else line + "\n" for line in wanted)
    got = _ordered([line for line in printed if not UNDER_WAY.match(line)])
    if re.fullmatch(pattern, "".join(line + "\n" for line in got)):
        return None
    return "the page says:\n  " + "\n  ".join(page) + "\nand printed is:\n  " + "\n  ".join(printed)


def _ordered(lines: list[str]) -> list[str]:
    """The lines with placeholders, and concurrent stages sorted by name, since they end in any order."""
    result, together = [], []
    for line in lines:
        for pattern, word in RULES:
            line = re.sub(pattern, word, line)
        if line.startswith("✓ "):
            together.append(line.rstrip())
            continue
        result += sorted(together)
        together = []
        result.append(line.rstrip())
    result += sorted(together)
    while result and not result[-1]:
        result.pop()
    return result


class Bash:
    """The shell that runs a page's commands."""

    def __init__(self, folder: Path, environment: dict[str, str]):
        process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert process.stdin and process.stdout
        self.environment = environment
        self._process, self._typed, self._shown = process, process.stdin, process.stdout

    def run(self, command: str, timeout: float = 300) -> tuple[list[str], int]:
        """Run a command, and return its output lines and exit code."""
        end = f"end-{secrets.token_hex(8)}"
        self._typed.write(f"{{ {command}\n}} </dev/null\necho; echo {end} $?\n".encode())
        self._typed.flush()
        seen, deadline = b"", time.monotonic() + timeout
        while not (ended := re.search(rf"\n?{end} (\d+)\n".encode(), seen)):
            ready, _, _ = select.select([self._shown], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"`{command}` takes longer than {timeout} s; so far: {seen.decode()}"
            more = os.read(self._shown.fileno(), 65536)
            assert more, f"`{command}` ended the shell: {seen.decode()}"
            seen += more
        lines = seen[: ended.start()].decode().splitlines()
        return lines, int(ended[1])

    def folder(self) -> Path:
        return Path(self.run("pwd")[0][0])

    def close(self) -> None:
        self._typed.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._process.kill()
        self._process.wait()


def run(page: Path, folder: Path, environment: dict[str, str]) -> None:
    """Run all steps of the page in `folder`. Raises AssertionError that lists every difference."""
    shell, found = Bash(folder, environment), []
    try:
        for step in steps(page):
            if wrong := _do(step, shell, folder):
                found.append(f"{page.name}:{step.line}: {wrong}")
    finally:
        shell.close()
    assert not found, "\n\n".join(found)


def _do(step: Step, shell: Bash, folder: Path) -> str | None:
    """Run a step, and return how it differs from the page, if it does."""
    if step.kind == "file":
        (shell.folder() / step.text).write_text("\n".join(step.prints) + "\n")
        return None
    if step.kind == "browser":
        from tests.browser.browser import in_zones, log_in_and_run

        user, password, cell = step.text.split(" ", 2)
        # The hub may have a name in a zone of the practice cloud.
        [url], code = shell.run("zerojhub practice shell -- zerojhub hub url")
        if code:
            return f"no URL of the hub: {url}"
        place = None
        if url.startswith("https://"):
            [program], [authorities] = shell.run("which zerojhub")[0], shell.run("realpath authorities.pem")[0]
            place = in_zones(Path(program), Path(authorities), folder, shell.environment)
        try:
            log_in_and_run(url, user, password, cell, folder / f"{user}.png", place)
        except AssertionError as error:
            return f"{step.text}: {error}"
        return None
    printed, code = shell.run(step.text)
    if code:
        return f"`{step.text}` ends with exit code {code}, and prints:\n  " + "\n  ".join(printed)
    wrong = differences(step.prints, printed)
    return f"`{step.text}`: {wrong}" if wrong else None
