"""One Helm for both roads: pyhelm3's commands, run wherever the deployment's Helm is."""

from __future__ import annotations

from functools import partial

from pyhelm3 import Command, errors

from zerojhub.errors import ZeroJHubError
from zerojhub.kube.reach import Reach


class HelmError(errors.Error, ZeroJHubError):
    """Helm failed; the message is what it said last (exit code 1)."""

    def __init__(self, returncode: int, stdout: bytes, stderr: bytes):
        super().__init__(returncode, stdout, stderr)
        lines = [line for line in stderr.decode(errors="replace").splitlines() if line.strip()]
        self.message = lines[-1].removeprefix("Error: ").strip() if lines else f"exit code {returncode}"
        self.where = "helm"


class ReleaseNotFound(HelmError, errors.ReleaseNotFoundError):
    """There is no such release."""


class Helm(Command):
    """Helm beside the cluster. Values go by standard input, so they are seen in no process list.

    Commands raise HelmError for what Helm says, and MachineError when its machine cannot be reached.
    """

    def __init__(self, reach: Reach, executable: str, *, timeout: int = 300):
        super().__init__(executable=executable, kubeconfig=reach.kubeconfig, default_timeout=f"{timeout}s")
        self._run = partial(reach.machine.run, sudo=reach.sudo, timeout=timeout + 30, check=False)

    async def run(self, command: list, input: bytes | None = None) -> bytes:
        argv = [self._executable, *map(str, command), "--kubeconfig", self._kubeconfig]
        result = await self._run(argv, input=input)
        if result.code == 0:
            return result.stdout
        kind = ReleaseNotFound if b"release: not found" in result.stderr else HelmError
        raise kind(result.code, result.stdout, result.stderr)
