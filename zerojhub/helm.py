"""One Helm for both roads: pyhelm3's commands, run wherever the deployment's Helm is."""

from __future__ import annotations

import re
from functools import partial

from pyhelm3 import Command, errors

from zerojhub.kube.reach import Reach

FAILURES = (
    ("release: not found", errors.ReleaseNotFoundError),
    ("rendered manifests contain a resource that already exists", errors.ResourceAlreadyExistsError),
    ("failed to render chart|execution error", errors.FailedToRenderChartError),
    ("etcdserver|connection refused|i/o timeout|network is unreachable", errors.ConnectionError),
    ("is invalid", errors.InvalidResourceError),
)
"""What Helm says, by pyhelm3's exceptions that callers tell apart."""


class Helm(Command):
    """Helm beside the cluster. Values go by standard input, so they are seen in no process list.

    Commands raise pyhelm3's errors for what Helm says, and MachineError when the machine cannot be reached.
    """

    def __init__(self, reach: Reach, executable: str, *, timeout: int = 300):
        super().__init__(executable=executable, kubeconfig=reach.kubeconfig, default_timeout=f"{timeout}s")
        self._run = partial(reach.machine.run, sudo=reach.sudo, timeout=timeout + 30, check=False)

    async def run(self, command: list, input: bytes | None = None) -> bytes:
        argv = [self._executable, *map(str, command), "--kubeconfig", self._kubeconfig]
        result = await self._run(argv, input=input)
        if result.code == 0:
            return result.stdout
        said = result.stderr.decode(errors="replace").lower()
        kind = next((error for pattern, error in FAILURES if re.search(pattern, said)), errors.Error)
        raise kind(result.code, result.stdout, result.stderr)


def last_words(error: errors.Error) -> str:
    """What Helm's error comes down to: its last line, without the stages it went through."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].removeprefix("Error: ").strip() if lines else f"helm ended with {error.returncode}"
