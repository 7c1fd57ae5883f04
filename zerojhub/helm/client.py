"""A release's Helm on both roads: pyhelm3's commands, run on the machine where the deployment's Helm is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from pyhelm3 import Command

from zerojhub import retry
from zerojhub.errors import CommandTimeout, ZeroJHubError
from zerojhub.helm.program import Program
from zerojhub.helm.template import parse, readable
from zerojhub.helm.versions import adapted
from zerojhub.kube.reach import Reach
from zerojhub.machine import Result
from zerojhub.retry import Fault, Transient

NAMESPACE_OPTIONS = {"-n", "--namespace", "-A", "--all-namespaces"}
USER_TIMEOUT = 1800
"""Seconds for a command of a person's."""


READ_TIMEOUT = 30
"""Seconds for a command that only reads."""
READS = {"get", "history", "list", "status", "template"}
"""Commands that change nothing."""
PASSING = re.compile(
    rb"connection refused|connection reset|connection lost|closed network connection|TLS handshake timeout|i/o timeout"
    rb"|no route to host|Client\.Timeout|(?<=https)://\S+ (unexpected )?EOF|end of JSON input|etcdserver: [\w ]+"
    rb"|unable to handle the request|too many requests|Internal error occurred|error on the server"
    rb"|unable to return a response in the time allotted|Please retry|failed to delete release"
)
"""How Helm words a transient fault of the Kubernetes API. What it waited for in vain ("timed out waiting") is none.

Helm does not say why it failed to delete a part of a release, and continues when it is uninstalled again.
"""
UNREACHABLE = re.compile(
    rb"cluster unreachable(?!.*(x509|certificate|credentials|Unauthorized|[Ff]orbidden|no such host))"
)
"""How Helm words whatever else ends its first request, except what will not pass."""
ANSWERS = {b"EOF": "connection closed", b"Please retry": "incomplete answer"}
"""What some of these mean."""


class HelmError(ZeroJHubError):
    """Helm failed; the message is a template's own words, or the last line of its standard error (exit code 1)."""

    def __init__(self, code: int, stderr: bytes):
        text = stderr.decode(errors="replace")
        lines = [line for line in text.splitlines() if line.strip()]
        message = lines[-1].removeprefix("Error: ").strip() if lines else f"exit code {code}"
        if (refusal := parse(text)).files:
            message = "; ".join(refusal.paragraphs)
        super().__init__(message, where="helm")


class ReleaseNotFound(HelmError):
    """The release does not exist."""


class Helm(Command):  # type: ignore[misc]  # pyhelm3 has no types
    """Helm for the cluster. Values are passed on standard input, so that no process list shows them.

    Commands raise HelmError when Helm fails, and MachineError when its machine cannot be reached. After a transient fault of
    the Kubernetes API those that only read are run again, and the others raise OutcomeUnknown.
    """

    def __init__(self, reach: Reach, program: Program, *, timeout: int = 300):
        super().__init__(executable=program.path, kubeconfig=reach.kubeconfig, default_timeout=f"{timeout}s")
        self._major = program.major
        self._run = partial(reach.machine.run, sudo=reach.sudo, check=False)
        self._timeout = timeout + 30

    async def run(self, command: Sequence[object], input: bytes | None = None) -> bytes:
        """Run a command of Helm's, given without the program, and return its standard output."""
        argv = [self._executable, *adapted([*map(str, command)], self._major), "--kubeconfig", self._kubeconfig]

        reads = command[0] in READS

        async def attempt() -> bytes:
            limit = min(READ_TIMEOUT, self._timeout) if reads else self._timeout
            try:
                result = await self._run(argv, input=input and readable(input), timeout=limit, repeatable=reads)
            except CommandTimeout as late:  # Helm waits without end for an API that does not answer
                raise Transient(Fault("Kubernetes", "no response in time"), late) from None
            if result.code == 0:
                output: bytes = result.stdout
                return output
            kind = ReleaseNotFound if b"release: not found" in result.stderr else HelmError
            failure = kind(result.code, result.stderr)
            if fault := PASSING.search(result.stderr) or UNREACHABLE.search(result.stderr):
                word = fault[0]
                answer = ANSWERS.get(b"EOF" if word.endswith(b"EOF") else word, word.decode())
                raise Transient(Fault("Kubernetes", answer), failure)
            raise failure

        return await retry.attempts(attempt, repeatable=reads)


async def run_as_given(
    reach: Reach, executable: str, arguments: Sequence[str], *, namespace: str, input: bytes | None
) -> Result:
    """Run Helm with a person's arguments, in the namespace unless they choose one. A failure is in the result."""
    words = [executable, *arguments, "--kubeconfig", reach.kubeconfig]
    if not NAMESPACE_OPTIONS & set(arguments):
        words += ["--namespace", namespace]
    return await reach.machine.run(words, sudo=reach.sudo, input=input, timeout=USER_TIMEOUT, check=False)
